"""Events that wait, and the task that works on them: one for each handler, and one for a bus that is not ours."""

import asyncio
import contextvars
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from soulspot_db.events.event import Event
from soulspot_db.fairness import Turns

__all__ = ["EventQueue"]

_log = logging.getLogger("soulspot_db.events")


class EventQueue:
    """Has events handled one at a time, in order; whoever puts one in never waits.

    Args:
        handle: a function or coroutine function that takes an event; what it raises is logged.
        name: who that is, for the log.
    """

    def __init__(self, handle: Callable[[Event[Any]], Awaitable[None] | None], name: str) -> None:
        self.pending: deque[Event[Any]] = deque()
        self._handle = handle
        self._name = name
        self._worker: asyncio.Task[None] | None = None
        self._turns = Turns()

    def put(self, event: Event[Any]) -> None:
        """Add an event, and see to it that somebody works on the queue."""
        self.pending.append(event)
        self.worker()

    def worker(self) -> asyncio.Task[None] | None:
        """The task at work; None where nothing is left to do. One that was cancelled is replaced here."""
        if self._worker is not None and not self._worker.done():
            return self._worker
        if not self.pending:
            return None
        # An empty context: a handler must not find itself in the transaction of whoever published.
        self._worker = asyncio.get_running_loop().create_task(
            self._work(), name=self._name, context=contextvars.Context()
        )
        return self._worker

    async def _work(self) -> None:
        while self.pending:
            event = self.pending.popleft()
            try:
                outcome = self._handle(event)
                if inspect.isawaitable(outcome):
                    await outcome
            except (Exception, asyncio.CancelledError):
                # Isolation is the promise: one handler's mistake is its own, whatever it is. A handler may also have
                # awaited something that was cancelled; that is not the worker being cancelled.
                if _is_cancelled():
                    raise
                _log.exception("%s failed on %s", self._name, event.event_type)
            if self._turns.are_due():
                await asyncio.sleep(0)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
