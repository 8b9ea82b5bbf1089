"""A handler, the topics it wants, and what becomes of events that it is too slow for."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from soulspot_db.errors import ValidationFailedError
from soulspot_db.events.event import Event
from soulspot_db.events.queue import EventQueue

__all__ = ["Handler", "Subscription", "matches", "parse_pattern"]

_log = logging.getLogger("soulspot_db.events")

Handler = Callable[[Event[Any]], Awaitable[None] | None]


class Subscription:
    """The events that wait for one handler.

    More than `max_pending` may wait for `patience` seconds, as after a bulk write. A handler that has not caught up by then
    loses the oldest, which are counted and logged, so that one which hangs costs a bounded amount of memory. Nobody
    ever waits for it, neither a writer nor another handler.
    """

    def __init__(self, pattern: tuple[str, ...], handler: Handler, max_pending: int, patience: float) -> None:
        self.pattern = pattern
        self.dropped = 0
        self._handler = handler
        self._max_pending = max_pending
        self._patience = patience
        self._behind_since: float | None = None
        self._queue = EventQueue(self._handle, str(self))

    @property
    def pending(self) -> tuple[Event[Any], ...]:
        """The events that wait for the handler."""
        return tuple(self._queue.pending)

    def offer(self, event: Event[Any]) -> None:
        """Queue an event and see to it that somebody works on the queue."""
        self._queue.put(event)
        if len(self._queue.pending) > self._max_pending:
            self._shed()

    def _shed(self) -> None:
        now = time.monotonic()
        if self._behind_since is None:
            self._behind_since = now
        if now - self._behind_since < self._patience:
            return
        if not self.dropped:
            _log.warning("%s is too slow: events are dropped, the oldest first", self)
        while len(self._queue.pending) > self._max_pending:
            self._queue.pending.popleft()
            self.dropped += 1

    def _handle(self, event: Event[Any]) -> Awaitable[None] | None:
        # At half, so that one which stays at the limit gets its time once, not for every event it handles.
        if len(self._queue.pending) <= self._max_pending // 2:
            self._behind_since = None
        return self._handler(event)

    def worker(self) -> asyncio.Task[None] | None:
        """The task that handles events, while there are any."""
        return self._queue.worker()

    def stop(self) -> None:
        """Drop what waits."""
        self._queue.pending.clear()

    def __str__(self) -> str:
        return f"handler {getattr(self._handler, '__qualname__', self._handler)!s} of {'.'.join(self.pattern)}"


def parse_pattern(pattern: str) -> tuple[str, ...]:
    """The segments of a pattern.

    Raises:
        ValidationFailedError: the pattern is not one.
    """
    segments = tuple(pattern.split("."))
    if not all(segments) or "**" in segments[:-1]:
        raise ValidationFailedError(
            f"{pattern!r} is not a topic pattern",
            "Write segments joined by dots, `*` for any one segment, `**` at the end for the rest.",
            operation="subscribe",
        )
    return segments


def matches(pattern: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    """Whether the segments of a topic are those of a pattern: `*` is one segment, `**` at the end the rest."""
    if pattern[-1] == "**":
        pattern = pattern[:-1]
        topic = topic[: len(pattern)]
    return len(pattern) == len(topic) and all(want in {"*", part} for want, part in zip(pattern, topic, strict=True))
