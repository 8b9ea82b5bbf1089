"""Events that wait for a handler, which gets them one at a time and for a limited time each."""

import asyncio
import inspect
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

from soulspot_db.events.event import Event
from soulspot_db.events.worker import Worker
from soulspot_db.fairness import Turns

__all__ = ["EventQueue"]

_log = logging.getLogger("soulspot_db.events")


class EventQueue:
    """Has events handled one at a time, in order; whoever puts one in never waits.

    Args:
        handle: a function or coroutine function that takes an event; what it raises is logged.
        name: who that is, for the log.
        timeout: seconds after which a coroutine is cancelled; None for no limit.
        counts: where every event is counted: handled, failed or timed_out.
        turns: says when to let the loop turn; queues that share one take no more time together than one alone.
    """

    def __init__(
        self,
        handle: Callable[[Event[Any]], Awaitable[None] | None],
        name: str,
        timeout: float | None,
        counts: Counter[str],
        turns: Turns,
    ) -> None:
        self.waiting: deque[Event[Any]] = deque()
        self.is_handling = False
        self._handle = handle
        self._name = name
        self._timeout = timeout
        self._counts = counts
        self._worker = Worker(self._work, name)
        self._turns = turns

    def __len__(self) -> int:
        """How many events wait."""
        return len(self.waiting)

    def put(self, event: Event[Any]) -> None:
        """Add an event, and see to it that somebody works on the queue."""
        self.waiting.append(event)
        self._worker.start()

    def worker(self) -> asyncio.Task[None] | None:
        """The task at work; None where nothing is left to do."""
        return self._worker.start() if self.waiting or self._worker.is_at_work else None

    async def _work(self) -> None:
        while self.waiting:
            event = self.waiting.popleft()
            self.is_handling = True
            try:
                self._counts[await self._outcome(event)] += 1
            finally:
                self.is_handling = False
            if self._turns.are_due():
                await asyncio.sleep(0)

    async def _outcome(self, event: Event[Any]) -> str:
        limit = asyncio.timeout(self._timeout)
        try:
            done = self._handle(event)
            if inspect.isawaitable(done):
                async with limit:
                    await done
                if limit.expired():
                    raise TimeoutError  # noqa: TRY301 - it has caught the cancellation, and returned
        except (Exception, asyncio.CancelledError):
            # Isolation is the promise: one handler's mistake is its own, whatever it is. A handler may also have
            # awaited something that was cancelled; that is not the worker being cancelled.
            if _is_cancelled():
                raise
            if limit.expired():
                _log.exception("%s was stopped on %s after %g s", self._name, event.event_type, self._timeout)
                return "timed_out"
            _log.exception("%s failed on %s", self._name, event.event_type)
            return "failed"
        return "handled"


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
