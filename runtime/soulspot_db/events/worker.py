"""The task that works while there is something to do."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["Worker", "has_cancelled_itself"]


class _Task(asyncio.Task[None]):
    """Knows whether what runs in it has cancelled it, which its end alone does not tell from a cancellation by others."""

    has_cancelled_itself = False

    def cancel(self, msg: Any | None = None) -> bool:
        if asyncio.current_task(self.get_loop()) is self and not self.cancelling():
            self.has_cancelled_itself = True
        return super().cancel(msg)


def has_cancelled_itself() -> bool:
    """Whether the current task is a worker's, and what it called has cancelled it."""
    task = asyncio.current_task()
    return isinstance(task, _Task) and task.has_cancelled_itself


class Worker:
    """Runs `work` in a task whenever there is something to do and nobody at it.

    Args:
        work: a coroutine function that returns when nothing is left to do, or when it has cancelled itself.
        name: the task's.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether the task has something left to do."""
        return self._task is not None and not _is_over(self._task)

    def start(self) -> asyncio.Task[None]:
        """The task at work. One that has ended, or was cancelled before the end, is replaced."""
        if self._task is None or _is_over(self._task):
            # Made past the loop's task factory. One that starts tasks at once would call handlers in the middle of a
            # COMMIT, and they could come back here before there is a task to be found. An empty context: a handler must
            # not find itself in the transaction of whoever published.
            loop = asyncio.get_running_loop()
            self._task = _Task(self._work(), loop=loop, name=self._name, context=contextvars.Context())
            self._task.add_done_callback(self._ended, context=contextvars.Context())
        return self._task

    def cancel(self) -> asyncio.Task[None] | None:
        """Cancel the task and return it; not the one that calls this, whose work is not over."""
        task = self._task
        if task is None or _is_over(task) or task is asyncio.current_task():
            return None
        task.cancel()
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if isinstance(task, _Task) and task.has_cancelled_itself:
            self.start()  # whoever cancels it from outside wants it to end, as `asyncio.run` does; this nobody wanted


def _is_over(task: asyncio.Task[None]) -> bool:
    """Whether a task will not go on: also because its loop has been closed in the middle of its work."""
    return task.done() or task.get_loop().is_closed()
