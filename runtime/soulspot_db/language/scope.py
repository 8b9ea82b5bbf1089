"""The fields that a filter, an order or a query can name, and the refusal of what does not fit them."""

from collections.abc import Collection, Mapping
from typing import Protocol

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.nearest import nearest
from soulspot_db.language.virtual import VirtualId

__all__ = ["FilterError", "HasFields", "HasKey", "field_of", "stored_name"]


class FilterError(ValueError):
    """A filter or an order that does not fit the entity. `field` is None where no single field is at fault.

    `known` are the fields that there are instead of one that is unknown; of another entity, where it was asked for there.
    """

    def __init__(self, message: str, field: str | None = None, *, known: Collection[str] | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.known = known


class HasFields(Protocol):
    """What a filter is checked against: an entity, or as much of one as is known while it is resolved."""

    @property
    def entity_type(self) -> str:
        """The entity's name."""
        ...

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        """The entity's fields by name."""
        ...

    @property
    def virtual(self) -> Mapping[str, VirtualId]:
        """The names that stand for a stored field without its prefix."""
        ...


class HasKey(HasFields, Protocol):
    """What a query or an upsert is checked against."""

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the fields of the primary key."""
        ...


def field_of(name: object, entity: HasFields) -> FieldSpec:
    """The field of this name.

    Raises:
        FilterError: there is none.
    """
    field = entity.fields.get(name) if isinstance(name, str) else None
    if field is None and isinstance(name, str) and name in entity.virtual:
        real = entity.virtual[name].field
        raise FilterError(f"{name} is {real} without its prefix, and cannot stand here; use {real}", name)
    if field is None:
        known = (*entity.fields, *entity.virtual)
        hint = nearest(str(name), known)
        message = f"{entity.entity_type} has no field {name!r}" + (f"; {hint}" if hint else "")
        raise FilterError(message, str(name), known=known)
    return field


def stored_name(name: str, entity: HasFields) -> str:
    """The stored field that a name means: the one that a virtual field stands for, else itself."""
    virtual = entity.virtual.get(name)
    return name if virtual is None else virtual.field
