"""The order of rows: text such as `"priority desc nulls first"`, checked against an entity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from soulspot_db.language.operators import UNORDERED
from soulspot_db.language.scope import FilterError, HasFields, field_of, stored_name

__all__ = ["Order", "Term", "parse_order"]

Order: TypeAlias = str | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Term:
    """One part of an order; `nulls_first` is None where nothing was said."""

    field: str
    descending: bool
    nulls_first: bool | None = None


def parse_order(order_by: Order, entity: HasFields) -> tuple[Term, ...]:
    """Read an order such as `"created_at DESC"`, `["priority desc nulls first", "created_at"]`.

    Raises:
        FilterError: anything but field names and directions.
    """
    if order_by is None:
        return ()
    if not isinstance(order_by, (str, list, tuple)):
        raise FilterError(f"an order is text or a list of texts, got {type(order_by).__name__}")
    texts = order_by.split(",") if isinstance(order_by, str) else order_by
    terms = tuple(_term(text, entity) for text in texts[: len(entity.fields) + 1])
    names = [term.field for term in terms]
    if len(set(names)) < len(names):
        raise FilterError("an order names a field twice")
    return terms


def _term(text: object, entity: HasFields) -> Term:
    words = text.split() if isinstance(text, str) else []
    if not words:
        raise FilterError(f"{text!r} is not an order; write 'created_at' or 'created_at desc'")
    name, *rest = words
    plain = name.removeprefix("-")
    field = field_of(stored_name(plain, entity), entity)
    if plain != name:
        raise FilterError(f"{text!r} is not an order; write '{plain} desc'", field.name)
    if field.type in UNORDERED:
        raise FilterError(f"{field.name}: {field.type} values have no order, so rows have none by them", field.name)
    if field.encrypted:
        raise FilterError(f"{field.name} is encrypted, so rows have no order by it", field.name)
    directions = [word.lower() for word in rest]
    descending = False
    if directions[:1] in (["asc"], ["desc"]):
        descending = directions.pop(0) == "desc"
    nulls = {(): None, ("nulls", "first"): True, ("nulls", "last"): False}
    if tuple(directions) not in nulls:
        raise FilterError(f"{text!r} is not an order; write 'created_at' or 'created_at desc'", field.name)
    return Term(field.name, descending, nulls[tuple(directions)])
