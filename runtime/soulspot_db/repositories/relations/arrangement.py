"""The order of a list after something was added, removed or moved; each thing is in it once."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

__all__ = ["moved", "with_added", "without"]

T = TypeVar("T")


def with_added(order: Sequence[T], new: Iterable[T], at: int | None) -> list[T]:
    """The order with what is new in it, at a place or at the end; what is there already stays where it is."""
    known = set(order)
    added = [each for each in dict.fromkeys(new) if each not in known]
    place = len(order) if at is None else at
    return [*order[:place], *added, *order[place:]]


def without(order: Sequence[T], gone: Collection[T]) -> list[T]:
    """The order without some."""
    removed = set(gone)
    return [each for each in order if each not in removed]


def moved(order: Sequence[T], one: T, to: int) -> list[T]:
    """The order with one of them at another place, or at the end where there are fewer."""
    others = without(order, [one])
    return [*others[:to], one, *others[to:]]
