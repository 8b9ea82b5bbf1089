"""A handler, the topics it wants, and what becomes of events that it is too slow for."""

import asyncio
import logging
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from soulspot_db.events.event import Event
from soulspot_db.events.limits import Limits
from soulspot_db.events.queue import EventQueue
from soulspot_db.events.tally import Tally
from soulspot_db.fairness import Turns
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["Handler", "Subscription"]

_log = logging.getLogger("soulspot_db.events")

Handler = Callable[[Event[Any]], Awaitable[None] | None]


class Subscription:
    """The events that wait for one handler, in one queue or, with shards, in several.

    More than `max_pending` may wait for `patience` seconds, as after a bulk write. A handler that has not caught up by
    then loses the oldest, which are counted and logged, so that one which hangs costs a bounded amount of memory.
    Nobody ever waits for it, neither a writer nor another handler.

    Args:
        pattern: the segments of the topics it wants.
        handler: what to call.
        limits: what it is allowed.
        counts: where its events are counted: handled, failed, timed_out and dropped.
    """

    def __init__(self, pattern: tuple[str, ...], handler: Handler, limits: Limits, counts: Tally) -> None:
        self.pattern = pattern
        self._handler = handler
        self._limits = limits
        self._counts = counts
        self._behind_since: float | None = None
        self._is_told_off = False
        turns = Turns()
        self._queues = [
            EventQueue(self._handle, str(self), limits.timeout, counts, turns) for _ in range(limits.shards)
        ]

    @property
    def pending(self) -> tuple[Event[Any], ...]:
        """The events that wait for the handler, in order within each shard."""
        return tuple(event for queue in self._queues for event in queue.waiting)

    @property
    def unfinished(self) -> int:
        """How many events wait or are being handled."""
        return sum(len(queue) + queue.is_handling for queue in self._queues)

    def offer(self, event: Event[Any]) -> None:
        """Queue an event and see to it that somebody works on the queue; one that cannot be told apart has failed."""
        try:
            queue = self._queue_of(event)
        except Exception:  # noqa: BLE001 - logged; what it tells of is stored, and others want to hear of it
            self._counts["failed"] += 1
            log_quietly(_log, logging.ERROR, "%s failed on %s", self, event.event_type, exc_info=True)
            return
        queue.put(event)
        if self._waiting() > self._limits.max_pending:
            self._shed()

    def _queue_of(self, event: Event[Any]) -> EventQueue:
        if len(self._queues) == 1:
            return self._queues[0]
        # One row's events go to one queue; what is about no row goes by its topic. Any text will do, also a broken one.
        data: object = event.data
        about = data["entity_id"] if isinstance(data, Mapping) and "entity_id" in data else event.event_type
        return self._queues[zlib.crc32(str(about).encode(errors="replace")) % len(self._queues)]

    def _waiting(self) -> int:
        return sum(map(len, self._queues))

    def _shed(self) -> None:
        now = time.monotonic()
        if self._behind_since is None:
            self._behind_since = now
        if now - self._behind_since < self._limits.patience:
            return
        if not self._is_told_off:
            self._is_told_off = True
            log_quietly(_log, logging.WARNING, "%s is too slow: events are dropped, the oldest first", self)
        for _ in range(self._waiting() - self._limits.max_pending):
            # Of the longest queue: a row whose handling hangs costs those of other shards nothing.
            max(self._queues, key=len).waiting.popleft()
            self._counts["dropped"] += 1

    def _handle(self, event: Event[Any]) -> Awaitable[None] | None:
        # At half, so that one which stays at the limit gets its time once, not for every event it handles.
        if self._behind_since is not None and self._waiting() <= self._limits.max_pending // 2:
            self._behind_since = None
        return self._handler(event)

    def workers(self) -> list[asyncio.Task[None]]:
        """The tasks that handle events, while there are any."""
        return [worker for queue in self._queues if (worker := queue.worker()) is not None]

    def stop(self) -> None:
        """Drop what waits."""
        for queue in self._queues:
            queue.waiting.clear()

    def drop(self) -> list[asyncio.Task[None]]:
        """Drop what waits, and cancel what is being handled; returns the tasks that will end."""
        ended = [queue.drop() for queue in self._queues]
        if dropped := sum(events for events, _ in ended):
            log_quietly(_log, logging.WARNING, "%s had not finished in time: %d events are dropped", self, dropped)
        return [worker for _, worker in ended if worker is not None]

    def __str__(self) -> str:
        return f"handler {getattr(self._handler, '__qualname__', self._handler)!s} of {'.'.join(self.pattern)}"
