"""Writes of more rows than should be written at once: batch after batch, each committed by itself."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from soulspot_db.errors import ValidationFailedError
from soulspot_db.language.predicates import Compare, Group, Predicate

__all__ = ["Key", "Progress", "batched", "both", "checked_size", "each", "each_batch"]

T = TypeVar("T")
Key: TypeAlias = tuple[Any, ...]
Progress: TypeAlias = Callable[[int], None]
"""Told after each batch how many rows have been written so far."""


def checked_size(size: Any) -> int:
    """`size`, if it can be a number of rows.

    Raises:
        ValidationFailedError: it is not a whole number from 1.
    """
    if type(size) is not int or size < 1:  # a bool is an int, and no number of rows
        raise ValidationFailedError(
            "batch_size must be a whole number, 1 or more", "Leave it out, or pass 1000.", field="batch_size"
        )
    return size


async def batched(items: AsyncIterator[T], size: int) -> AsyncIterator[list[T]]:
    """The items in lists of `size`, taken no sooner than they are needed."""
    batch: list[T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """The items, from whichever kind of loop they come."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def each_batch(
    names: Sequence[str],
    last_of: Callable[[Predicate | None], Awaitable[Key | None]],
    write: Callable[[Predicate], Awaitable[int]],
    progress: Progress | None,
) -> int:
    """Write to rows in batches, going up their key, so that no row is met twice.

    Each batch is a range of keys (keyset pagination: Markus Winand, "Use The Index, Luke").

    Args:
        names: the key's fields.
        last_of: the last key of the next batch of the rows that a predicate finds; None when there is none.
        write: writes to the rows that a predicate finds, and says how many there were.
        progress: told after each batch.

    Returns:
        How many rows were written.
    """
    written = 0
    after: Predicate | None = None
    while (last := await last_of(after)) is not None:
        written += await write(_within(after, _beyond(names, last, "lt", "lte")))
        if progress is not None:
            progress(written)
        after = _beyond(names, last, "gt", "gt")
    return written


def _within(after: Predicate | None, until: Predicate) -> Predicate:
    return until if after is None else Group("and", (after, until))


def both(one: Predicate | None, other: Predicate | None) -> Predicate | None:
    """The rows that both find; None finds all."""
    if one is None or other is None:
        return one or other
    return Group("and", (one, other))


def _beyond(names: Sequence[str], key: Key, strictly: str, at_last: str) -> Predicate:
    """The rows whose key lies on one side of `key`, compared part by part."""
    if len(names) == 1:
        return Compare(names[0], at_last, (key[0],))
    rest = _beyond(names[1:], key[1:], strictly, at_last)
    return Group(
        "or", (Compare(names[0], strictly, (key[0],)), Group("and", (Compare(names[0], "eq", (key[0],)), rest)))
    )
