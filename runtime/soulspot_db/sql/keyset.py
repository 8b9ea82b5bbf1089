"""Keyset pagination: the rows that come after a given one in an order, asked for by their values and not by counting.

Markus Winand, "Use The Index, Luke": no row is skipped or met twice when others are inserted or deleted meanwhile, and the last
page costs no more than the first.
"""

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from soulspot_db.language.order import Term
from soulspot_db.language.predicates import Compare, Group, Predicate

__all__ = ["backwards", "beyond", "complete", "in_order"]

T = TypeVar("T")


def complete(order: Sequence[Term], key: Sequence[str]) -> tuple[Term, ...]:
    """An order in which no two rows are equal: what is missing of the key comes last, in the direction of the last term."""
    named = {term.field for term in order}
    descending = bool(order) and order[-1].descending
    return (*order, *(Term(name, descending) for name in key if name not in named))


def backwards(order: Sequence[Term]) -> tuple[Term, ...]:
    """The opposite order."""
    return tuple(Term(term.field, not term.descending, nulls_first=not term.nulls_first) for term in order)


def beyond(order: Sequence[Term], values: Sequence[Any], nullable: Collection[str]) -> Predicate:
    """The rows that come after another one.

    Args:
        order: a complete order.
        values: what the other row has in the fields of the order.
        nullable: the fields that may be null.
    """
    term, value = order[0], values[0]
    nulls_follow = term.field in nullable and not term.nulls_first
    after = _after(term, value, nulls_follow=nulls_follow)
    if len(order) == 1:
        return after
    same = Compare(term.field, "is_null") if value is None else Compare(term.field, "eq", (value,))
    found = Group("or", (after, Group("and", (same, beyond(order[1:], values[1:], nullable)))))
    if value is None or nulls_follow:
        return found
    # The first says nothing new, but an index on the field can begin there, which it cannot see in an `or`.
    return Group("and", (Compare(term.field, "lte" if term.descending else "gte", (value,)), found))


def _after(term: Term, value: Any, *, nulls_follow: bool) -> Predicate:
    if value is None:
        return Group("or", ()) if nulls_follow else Compare(term.field, "not_null")
    strictly = Compare(term.field, "lt" if term.descending else "gt", (value,))
    return Group("or", (strictly, Compare(term.field, "is_null"))) if nulls_follow else strictly


def in_order(models: Iterable[T], order: Sequence[Term]) -> list[T]:
    """Rows as the database would order them."""
    found = list(models)
    for term in reversed(order):
        nulls = [model for model in found if getattr(model, term.field) is None]
        others = [model for model in found if getattr(model, term.field) is not None]
        others.sort(key=attrgetter(term.field), reverse=term.descending)
        found = nulls + others if term.nulls_first else others + nulls
    return found
