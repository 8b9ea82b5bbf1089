"""What a check or a partial index says of a row that is not stored yet, answered as SQL would."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any
from uuid import UUID

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.patterns import TEXT_OPERATORS, matches
from soulspot_db.language.predicates import Compare, Predicate, Related
from soulspot_db.language.types import TYPES

__all__ = ["holds", "near", "stored"]

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "lt": lt, "lte": le, "gt": gt, "gte": ge}


def stored(field: FieldSpec, value: Any) -> Any:
    """`value` as SQLite stores it; these compare in Python as they do there."""
    encode = TYPES[field.type].sqlite.encode
    return value if encode is None or value is None else encode(field)(value)


def holds(predicate: Predicate, fields: Mapping[str, FieldSpec], row: Mapping[str, Any]) -> bool | None:
    """Whether a row passes: True, False, or None where it is unknown because something is null.

    Args:
        predicate: the condition.
        fields: the entity's fields.
        row: the row's values, as its input model has them.
    """
    if isinstance(predicate, Compare):
        return _compare(predicate, fields, row)
    if isinstance(predicate, Related):
        raise TypeError("a condition of a table is about its rows alone")
    parts = [holds(part, fields, row) for part in predicate.parts]
    if predicate.operator == "not":
        return None if parts[0] is None else not parts[0]
    decisive = predicate.operator == "or"
    return decisive if decisive in parts else None if None in parts else not decisive


def _compare(compare: Compare, fields: Mapping[str, FieldSpec], row: Mapping[str, Any]) -> bool | None:
    field, operator = fields[compare.field], compare.operator
    value = row[compare.field]
    if operator in {"is_null", "not_null"}:
        return (value is None) == (operator == "is_null")
    if operator in {"in", "not_in"}:
        return (
            None
            if value is None and compare.values
            else (stored(field, value) in {stored(field, each) for each in compare.values}) == (operator == "in")
        )
    other = row[compare.other] if compare.other else compare.values[0]
    if operator in TEXT_OPERATORS:
        return None if value is None else matches(operator, value, other)
    one, two = stored(field, value), stored(fields[compare.other or compare.field], other)
    if operator in {"is", "is_not"}:
        return bool(one == two) == (operator == "is")
    return None if one is None or two is None else _OPERATORS[operator](one, two)


def near(value: Any, field: FieldSpec) -> list[Any]:
    """`value` and its next neighbours: what a comparison with it needs in order to come out one way or the other."""
    return [value, *_neighbours(value, field)]


def _neighbours(value: Any, field: FieldSpec) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case Decimal():
            step = Decimal(1).scaleb(-(field.scale or 0))
            yield from (value - step, value + step)
        case int() | float():
            yield from (value - 1, value + 1)
        case str():
            yield from (value[:-1], value + "a")
        case bytes():
            yield from (value[:-1], value + b"a")
        case UUID():
            yield from (UUID(int=max(value.int - 1, 0)), UUID(int=min(value.int + 1, 2**128 - 1)))
        case dt.datetime():
            yield from _moved(value, dt.timedelta(seconds=1))
        case dt.date():
            yield from _moved(value, dt.timedelta(days=1))
        case dt.time():
            at = dt.datetime.combine(dt.date(2000, 1, 1), value)
            yield from (moment.time() for moment in _moved(at, dt.timedelta(seconds=1)))


def _moved(value: Any, step: dt.timedelta) -> Iterator[Any]:
    for direction in (-1, 1):
        try:
            yield value + direction * step
        except OverflowError:  # the first or the last there is
            continue
