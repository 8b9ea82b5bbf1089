"""Relations between entities, with everything decided: by which fields rows of one belong to rows of another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from soulspot_db.language.field import FieldSpec
    from soulspot_db.language.virtual import VirtualId

__all__ = ["Find", "HasRelations", "RelationSpec", "Through"]


@dataclass(frozen=True, slots=True)
class Through:
    """The entity in between, where many belong to many: its field `local` refers to us, `remote` to the others.

    Its field `position` says in which order, if they have one.
    """

    entity: str
    local: str
    remote: str
    position: str | None = None


@dataclass(frozen=True, slots=True)
class RelationSpec:
    """The rows of `entity` that belong to one of ours: their field `remote` equals our field `local`.

    `through` another entity, its fields stand in between. `many` where there can be several.
    """

    name: str
    entity: str
    local: str
    remote: str
    many: bool = False
    through: Through | None = None
    several: str = ""
    """The loader for several rows, where there is generated code."""

    @classmethod
    def of(cls, name: str, given: Mapping[str, Any]) -> "RelationSpec":
        """The relation that a schema class says.

        Raises:
            TypeError: something is missing or unknown.
        """
        through = given.get("through")
        return cls(name, **{**given, "through": None if through is None else Through(**through)})

    def as_given(self) -> dict[str, Any]:
        """What `of` was given."""
        found: dict[str, Any] = {"entity": self.entity, "local": self.local, "remote": self.remote}
        if self.many:
            found["many"] = True
        if self.through is not None:
            through = self.through
            found["through"] = {"entity": through.entity, "local": through.local, "remote": through.remote}
            if through.position is not None:
                found["through"]["position"] = through.position
        if self.several:
            found["several"] = self.several
        return found


class HasRelations(Protocol):
    """An entity whose relations are known."""

    @property
    def entity_type(self) -> str:
        """The entity's name."""
        ...

    @property
    def table_name(self) -> str:
        """The entity's table."""
        ...

    @property
    def fields(self) -> "Mapping[str, FieldSpec]":
        """The entity's fields by name."""
        ...

    @property
    def expires(self) -> str | None:
        """The field that says until when a row is found."""
        ...

    @property
    def soft_delete(self) -> str | None:
        """The field that says when a row was deleted, where that only hides it."""
        ...

    @property
    def virtual(self) -> "Mapping[str, VirtualId]":
        """The names that stand for a stored field without its prefix."""
        ...

    @property
    def relations(self) -> Mapping[str, RelationSpec]:
        """The entity's relations by name."""
        ...


Find: TypeAlias = Callable[[str], HasRelations]
"""Finds the entity of a type."""
