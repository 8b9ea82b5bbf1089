"""Relations that have an order: which of them the entity in between can keep."""

from collections.abc import Iterator
from typing import Protocol

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.nearest import nearest
from soulspot_db.language.relations import Through
from soulspot_db.language.scope import HasKey
from soulspot_db.language.visibility import HasHidden

__all__ = ["wrong_order"]


class _Between(HasKey, HasHidden, Protocol):
    """What must be known of the entity in between."""

    @property
    def unique_groups(self) -> tuple[tuple[str, ...], ...]:
        """The groups of fields that are unique."""
        ...


def wrong_order(through: Through, between: _Between) -> Iterator[tuple[str, str | None]]:
    """Why rows that go through this entity cannot be kept in order: a message and a hint for each reason."""
    name = through.position or ""
    position = between.fields.get(name)
    if position is None:
        yield f"{between.entity_type} has no field {name!r}", nearest(name, between.fields)
        return
    if position.type != "integer" or position.nullable or position.unique or name in between.key:
        yield (
            f"{name!r} of {between.entity_type} cannot be a position",
            "a position is an integer that is neither nullable nor unique by itself nor part of the key",
        )
    pair = {through.local, through.remote}
    if not any(set(group) <= pair for group in (between.key, *between.unique_groups)):
        both = f"[{through.local}, {through.remote}]"
        yield (
            f"{between.entity_type} can link the same two rows twice, and then has no one position for them",
            f"write 'primary_key: {both}', or an index of {both} with 'unique: true'",
        )
    if between.soft_delete or between.expires:
        hint = "leave out 'soft_delete' and 'expires'"
        yield f"{between.entity_type} hides rows, which would keep their places from others", hint
    for field in between.fields.values():
        if _is_missing(field, {*pair, name}):
            message = (
                f"{between.entity_type} needs a value for {field.name!r}, which nobody gives who adds to the relation"
            )
            yield message, "give it a default, or make it nullable"


def _is_missing(field: FieldSpec, given: set[str]) -> bool:
    return field.required and field.name not in given
