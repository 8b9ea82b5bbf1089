"""The event bus: topics, subscriptions, one queue each, so that no handler can hold up a writer or another handler."""

import asyncio
import contextvars
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar, overload
from uuid import UUID

from soulspot_db.defaults import utc_now, uuid7
from soulspot_db.errors import ValidationFailedError

__all__ = ["Event", "EventBus", "Subscription", "is_cancelled", "matches", "parse_pattern"]

_log = logging.getLogger("soulspot_db.events")
Data_co = TypeVar("Data_co", covariant=True)
_DEFAULT_QUEUE = 10_000


@dataclass(frozen=True, slots=True)
class Event(Generic[Data_co]):
    """Something that happened. `event_type` is the topic, such as `database.track.created`."""

    event_type: str
    data: Data_co
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_id: UUID = field(default_factory=uuid7)
    timestamp: datetime = field(default_factory=utc_now)


Handler = Callable[[Event[Any]], Awaitable[None] | None]
AnyHandler = TypeVar("AnyHandler", bound=Handler)


class Subscription:
    """A handler, the topics it wants, and the events that wait for it.

    At most `max_pending` events wait; beyond that the oldest is dropped, counted and logged, so that a handler which
    hangs costs a bounded amount of memory and no writer ever waits for it.
    """

    def __init__(self, pattern: tuple[str, ...], handler: Handler, max_pending: int) -> None:
        self.pattern = pattern
        self.dropped = 0
        self._handler = handler
        self._max_pending = max_pending
        self._pending: deque[Event[Any]] = deque()
        self._worker: asyncio.Task[None] | None = None

    @property
    def pending(self) -> tuple[Event[Any], ...]:
        """The events that wait for the handler."""
        return tuple(self._pending)

    def offer(self, event: Event[Any]) -> None:
        """Queue an event and see to it that somebody works on the queue."""
        if len(self._pending) >= self._max_pending:
            self._pending.popleft()
            self.dropped += 1
            if self.dropped == 1:
                _log.warning("%s is too slow: events are dropped, the oldest first", self)
        self._pending.append(event)
        if self._worker is None:
            # An empty context: a handler must not find itself in the transaction of whoever published.
            self._worker = asyncio.get_running_loop().create_task(
                self._work(), name=str(self), context=contextvars.Context()
            )

    async def _work(self) -> None:
        try:
            while self._pending:
                event = self._pending.popleft()
                try:
                    outcome = self._handler(event)
                    if inspect.isawaitable(outcome):
                        await outcome
                except (Exception, asyncio.CancelledError):
                    # Isolation is the promise: one handler's mistake is its own, whatever it is. A handler may also
                    # have awaited something that was cancelled; that is not the worker being cancelled.
                    if is_cancelled():
                        raise
                    _log.exception("%s failed on %s", self, event.event_type)
        finally:
            self._worker = None

    @property
    def worker(self) -> asyncio.Task[None] | None:
        """The task that handles events, while there are any."""
        return self._worker

    def stop(self) -> None:
        """Drop what waits."""
        self._pending.clear()

    def __str__(self) -> str:
        return f"handler {getattr(self._handler, '__qualname__', self._handler)!s} of {'.'.join(self.pattern)}"


def is_cancelled() -> bool:
    """Whether it is the current task that is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


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


class EventBus:
    """Delivers events to subscribers of this process, in the order they were published, at most once.

    A bus may be made at import and subscribed to there; it needs an event loop only when something is published.
    """

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._published = 0
        self._holds: list[Callable[[Event[Any]], bool]] = []

    @overload
    def subscribe(
        self, pattern: str, handler: None = None, *, max_pending: int = ...
    ) -> Callable[[AnyHandler], AnyHandler]: ...
    @overload
    def subscribe(self, pattern: str, handler: Handler, *, max_pending: int = ...) -> Subscription: ...
    def subscribe(self, pattern: str, handler: Handler | None = None, *, max_pending: int = _DEFAULT_QUEUE) -> Any:
        """Have `handler` called with every event whose topic matches; without a handler, a decorator.

        Args:
            pattern: a topic, where `*` stands for one segment and a final `**` for the rest.
            handler: a function or coroutine function that takes the event.
            max_pending: how many events may wait for the handler.

        Raises:
            ValidationFailedError: the pattern is not one.
        """
        segments = parse_pattern(pattern)

        def register(function: Handler) -> Subscription:
            subscription = Subscription(segments, function, max_pending)
            self._subscriptions.append(subscription)
            return subscription

        if handler is not None:
            return register(handler)

        def decorate(function: AnyHandler) -> AnyHandler:
            register(function)
            return function

        return decorate

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop calling a handler; what waits for it is dropped. Doing it twice is harmless."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            subscription.stop()

    def wanted(self, topic: str) -> bool:
        """Whether anybody listens, so that events nobody wants need not be made."""
        segments = tuple(topic.split("."))
        return any(matches(subscription.pattern, segments) for subscription in self._subscriptions)

    async def publish(self, event_type: str, data: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Tell every subscriber of `event_type`; inside a transaction, once it is committed.

        Returns when the event is queued, not when it is handled.
        """
        event = Event(event_type, data, dict(metadata or {}))
        if not any(hold(event) for hold in self._holds):
            self.deliver(event)

    def attach(self, hold: Callable[[Event[Any]], bool]) -> None:
        """Ask `hold` about every published event: True means that it keeps the event until a commit."""
        self._holds.append(hold)

    def detach(self, hold: Callable[[Event[Any]], bool]) -> None:
        """Stop asking `hold`."""
        self._holds.remove(hold)

    def deliver(self, event: Event[Any]) -> None:
        """Queue an event for every subscriber, in the order of the calls."""
        self._published += 1
        topic = tuple(event.event_type.split("."))
        for subscription in self._subscriptions:
            if matches(subscription.pattern, topic):
                subscription.offer(event)

    async def settle(self) -> None:
        """Wait until every event published so far, and all that their handlers publish, has been handled."""
        current = asyncio.current_task()
        while working := [s.worker for s in self._subscriptions if s.worker is not None and s.worker is not current]:
            await asyncio.wait(working)

    def stats(self) -> dict[str, int]:
        """How many events were published, and how many were dropped because a handler was too slow."""
        return {
            "published": self._published,
            "dropped": sum(subscription.dropped for subscription in self._subscriptions),
        }
