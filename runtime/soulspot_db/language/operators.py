"""The operators of the filter language: one row each, with what it compares and what it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

__all__ = ["OPERATORS", "TEXTS", "UNORDERED", "Operator", "operators_of"]

TEXTS = frozenset({"string", "text", "enum"})
# Each database has an order of its own for these.
UNORDERED = frozenset({"json", "list"})

Takes = Literal["value", "values", "pair", "text", "part"]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    `takes` says what stands behind it: a `value` of the field's type (or null, a field or a moment), a list of `values`, a
    `pair` of them, `text` or a list of texts of which any may match, or a `part` of a list or a JSON value.
    `types` are those of the fields that have it; `opposite` is the operator of which this one is the negation.
    """

    name: str
    takes: Takes
    types: frozenset[str]
    opposite: str | None = None


_ORDERED = TEXTS | {"uuid", "integer", "float", "decimal", "boolean", "date", "time", "datetime", "bytes"}
_ALL = _ORDERED | UNORDERED

OPERATORS = (
    Operator("eq", "value", _ALL),
    Operator("ne", "value", _ALL),
    Operator("is", "value", _ALL),
    Operator("is_not", "value", _ALL),
    Operator("lt", "value", _ORDERED),
    Operator("lte", "value", _ORDERED),
    Operator("gt", "value", _ORDERED),
    Operator("gte", "value", _ORDERED),
    Operator("between", "pair", _ORDERED),
    Operator("in", "values", _ALL),
    Operator("not_in", "values", _ALL),
    Operator("like", "text", TEXTS),
    Operator("not_like", "text", TEXTS, opposite="like"),
    Operator("ilike", "text", TEXTS),
    Operator("not_ilike", "text", TEXTS, opposite="ilike"),
    Operator("ieq", "text", TEXTS),
    Operator("starts_with", "text", TEXTS),
    Operator("istarts_with", "text", TEXTS),
    Operator("ends_with", "text", TEXTS),
    Operator("iends_with", "text", TEXTS),
    Operator("contains", "text", TEXTS),
    Operator("icontains", "text", TEXTS),
    Operator("contains", "part", UNORDERED),
)


@lru_cache
def operators_of(type_name: str) -> Mapping[str, Operator]:
    """The operators that a field of this type can be compared by."""
    return {row.name: row for row in OPERATORS if type_name in row.types}
