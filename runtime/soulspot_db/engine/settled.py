"""Waiting for what must not be stopped halfway."""

import asyncio
import contextlib
from typing import TypeVar

__all__ = ["settled"]

T = TypeVar("T")


async def settled(task: "asyncio.Task[T]") -> T:
    """The result of a task; a cancelled caller leaves only when it is done, and then raises the cancellation."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            # The first cancellation is raised when the task is done; a second changes nothing.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # the caller, who is gone, would have got it
        raise
