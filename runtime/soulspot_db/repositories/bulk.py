"""Writes of more rows than should be written at once: batch after batch, each committed by itself."""

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from soulspot_db.errors import DatabaseError, ValidationFailedError
from soulspot_db.language.predicates import Compare, Group, Predicate
from soulspot_db.repositories.refusals import stopped_after

__all__ = ["Key", "Progress", "batched", "check_progress", "checked_size", "each", "each_batch"]

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


def check_progress(progress: Any) -> None:
    """Make sure that `progress` can be told of batches, or is None.

    Raises:
        ValidationFailedError: it cannot be called, or is a coroutine function, which nobody would await.
    """
    if progress is not None and (
        not callable(progress) or any(map(inspect.iscoroutinefunction, (progress, type(progress).__call__)))
    ):
        raise ValidationFailedError(
            "progress must be a plain function that takes the number of rows written so far",
            "Write `def`, not `async def`; start a task in it for what has to wait.",
            field="progress",
        )


async def batched(items: AsyncIterator[T], size: int) -> AsyncIterator[list[T]]:
    """The items in lists of `size`, taken no sooner than they are needed, when all before are written.

    Raises:
        DatabaseError: of an item that does not fit; its context tells the item's number and how many are `written`.
    """
    batch: list[T] = []
    written = 0
    try:
        async for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                written, batch = written + size, []
    except DatabaseError as error:
        told = stopped_after(written, error.about(row=written + len(batch) + 1))
        raise told.with_traceback(error.__traceback__) from error.__cause__
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

    Raises:
        DatabaseError: of the batch that failed; its context tells how many rows are `written`.
    """
    written = 0
    after: Predicate | None = None
    try:
        while (last := await last_of(after)) is not None:
            written += await write(_within(after, _beyond(names, last, "lt", "lte")))
            if progress is not None:
                progress(written)
            after = _beyond(names, last, "gt", "gt")
    except DatabaseError as error:
        raise stopped_after(written, error).with_traceback(error.__traceback__) from error.__cause__
    return written


def _within(after: Predicate | None, until: Predicate) -> Predicate:
    return until if after is None else Group("and", (after, until))


def _beyond(names: Sequence[str], key: Key, strictly: str, at_last: str) -> Predicate:
    """The rows whose key lies on one side of `key`, compared part by part."""
    if len(names) == 1:
        return Compare(names[0], at_last, (key[0],))
    rest = _beyond(names[1:], key[1:], strictly, at_last)
    return Group(
        "or", (Compare(names[0], strictly, (key[0],)), Group("and", (Compare(names[0], "eq", (key[0],)), rest)))
    )
