"""Doing again what failed only because others were at work at the same time."""

import asyncio
import functools
import inspect
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from soulspot_db.errors import DatabaseError, ValidationFailedError

__all__ = ["awaited", "checked_attempts", "with_attempts"]

T = TypeVar("T")
_FIRST = 0.05  # seconds
_LONGEST = 0.2  # with longer ones, who has met others often hardly gets a turn any more


def checked_attempts(attempts: int) -> int:
    """`attempts`, if it can be a number of attempts.

    Raises:
        ValidationFailedError: it is not a whole number from 1.
    """
    if type(attempts) is not int or attempts < 1:  # a bool is an int, and no number of attempts
        raise ValidationFailedError(
            "attempts must be a whole number, 1 or more",
            "Leave it out, or write `attempts=1` for no second attempt.",
            operation="run_in_transaction",
        )
    return attempts


def awaited(fn: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """`fn`, which is refused when it has returned something that cannot be awaited: only then it is known.

    Raises:
        ValidationFailedError: now, if it cannot be called at all.
    """
    if not callable(fn):
        raise _not_awaited(f"got {type(fn).__name__}")

    @functools.wraps(fn)
    async def call(*args: Any) -> T:
        result = fn(*args)
        if not inspect.isawaitable(result):
            raise _not_awaited(f"it returned {type(result).__name__}")
        return await result

    return call


def _not_awaited(instead: str) -> ValidationFailedError:
    return ValidationFailedError(
        f"run_in_transaction takes a function to await; {instead}",
        "Write `async def work(tx): ...` and pass `work`.",
        operation="run_in_transaction",
    )


async def with_attempts(call: Callable[[], Awaitable[T]], attempts: int) -> T:
    """Await `call()`, again after every error that is `retryable`.

    Args:
        call: starts anew each time.
        attempts: how often at most, 1 or more.

    Raises:
        DatabaseError: the first error that is not retryable, as it is; else the last one, which tells `attempts` in
            its context.
    """
    for attempt in range(1, attempts):
        try:
            return await call()
        except DatabaseError as error:
            if not error.retryable:
                raise
        # Here, not above, so that what is raised during the wait does not look like a consequence of the error.
        await asyncio.sleep(_pause(attempt))
    try:
        return await call()
    except DatabaseError as error:
        if not error.retryable:
            raise
        raise error.about(attempts=attempts).with_traceback(error.__traceback__) from error.__cause__


def _pause(attempt: int) -> float:
    """Seconds to wait after the attempt of this number: exponential backoff with full jitter.

    After Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: a time between nothing and a bound
    that doubles, so that callers who met once do not meet again.
    """
    longest = min(_LONGEST, _FIRST * 2 ** min(attempt - 1, 16))
    return random.uniform(0, longest)  # noqa: S311 - it keeps callers apart, not secrets
