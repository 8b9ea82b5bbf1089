"""Events that wait for a handler, which gets them one at a time and for a limited time each."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from soulspot_db.events.event import Event
from soulspot_db.events.tally import Tally
from soulspot_db.events.worker import Worker, has_cancelled_itself
from soulspot_db.fairness import Turns
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["EventQueue"]

_log = logging.getLogger("soulspot_db.events")


class EventQueue:
    """Has events handled one at a time, in order; whoever puts one in never waits.

    Args:
        handle: a function or coroutine function that takes an event; what it raises is logged.
        name: who that is, for the log.
        timeout: seconds after which a coroutine is cancelled; None for no limit.
        counts: where every event is counted: handled, failed, timed_out or dropped.
        turns: says when to let the loop turn; queues that share one take no more time together than one alone.
    """

    def __init__(
        self,
        handle: Callable[[Event[Any]], Awaitable[None] | None],
        name: str,
        timeout: float | None,
        counts: Tally,
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

    def drop(self) -> tuple[int, asyncio.Task[None] | None]:
        """Drop what waits, and cancel the handling of an event; returns how many events that are, and the task that ends."""
        dropped = len(self.waiting)
        self._counts["dropped"] += dropped
        self.waiting.clear()
        task = self._worker.cancel()
        return dropped + (task is not None and self.is_handling), task

    async def _work(self) -> None:
        while self.waiting:
            event = self.waiting.popleft()
            self.is_handling = True
            outcome, started = "dropped", perf_counter()  # where somebody cancels the worker
            try:
                outcome = await self._outcome(event)
            finally:
                self._counts.ended(event.event_type, perf_counter() - started, outcome)
                self.is_handling = False
            if has_cancelled_itself():
                return  # the cancellation may be raised at any await from here on; another task goes on
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
            if has_cancelled_itself():
                raise asyncio.CancelledError  # noqa: TRY301 - as above
        except (Exception, asyncio.CancelledError):
            # Isolation is the promise: one handler's mistake is its own, whatever it is. A handler may also have
            # awaited something that was cancelled; that is not the worker being cancelled.
            if _is_cancelled() and not has_cancelled_itself():
                raise
            if limit.expired():
                self._log("%s was stopped on %s after %g s", event, self._timeout)
                return "timed_out"
            self._log("%s failed on %s", event)
            return "failed"
        return "handled"

    def _log(self, message: str, event: Event[Any], *args: object) -> None:
        log_quietly(_log, logging.ERROR, message, self._name, event.event_type, *args, exc_info=True)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
