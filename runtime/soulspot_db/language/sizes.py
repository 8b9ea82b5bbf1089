"""How large a filter can be: what one statement can hold of conditions and of values."""

from collections.abc import Mapping
from typing import Any

from soulspot_db.language.predicates import Compare, Predicate, Related, padded_length
from soulspot_db.language.scope import FilterError

__all__ = ["check_size"]

# SQLite binds at most 32,766 values to one statement.
_MAX_VALUES = 30_000
# SQLite parses an expression at most 1,000 levels deep, and a chain of `or` is as deep as it is long.
_MAX_PARTS = 500


def check_size(predicate: Predicate | None) -> None:
    """Nothing, where a statement can hold a predicate.

    Raises:
        FilterError: it is too large.
    """
    parts, values = _size(predicate)
    if parts > _MAX_PARTS:
        raise FilterError(f"a filter has at most {_MAX_PARTS} conditions, got {parts}; use a list where one will do")
    if values > _MAX_VALUES:
        raise FilterError(
            f"the lists of the filter are too long for one statement; split the query: together they may have {_MAX_VALUES} "
            f"values, and count as {values}, each as long as the next power of two"
        )


def _size(predicate: Predicate | None) -> tuple[int, int]:
    """How many nodes a predicate has, and how many values its statement binds."""
    if predicate is None:
        return 1, 0
    if isinstance(predicate, Compare):
        if predicate.operator == "has":
            nodes = _nodes(predicate.values[0])
            return nodes, nodes
        return 1, padded_length(len(predicate.values))
    if isinstance(predicate, Related):
        parts, values = _size(predicate.where)
        return 1 + parts, values
    sizes = [_size(part) for part in predicate.parts]
    return 1 + sum(parts for parts, _ in sizes), sum(values for _, values in sizes)


def _nodes(value: Any) -> int:
    """How many values a JSON value consists of."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
    return 1 + sum(map(_nodes, inner))
