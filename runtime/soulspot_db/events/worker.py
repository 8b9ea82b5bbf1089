"""The task that works while there is something to do."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Worker"]


class Worker:
    """Runs `work` in a task whenever there is something to do and nobody at it.

    Args:
        work: a coroutine function that returns when nothing is left to do.
        name: the task's.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether the task has something left to do."""
        return self._task is not None and not self._task.done()

    def start(self) -> asyncio.Task[None]:
        """The task at work. One that has ended, or was cancelled before the end, is replaced."""
        if self._task is None or self._task.done():
            # An empty context: a handler must not find itself in the transaction of whoever published.
            self._task = asyncio.get_running_loop().create_task(
                self._work(), name=self._name, context=contextvars.Context()
            )
        return self._task
