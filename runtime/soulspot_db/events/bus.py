"""The event bus: subscriptions to topics, and publishing to all of them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from soulspot_db import ambient
from soulspot_db.errors import ValidationFailedError
from soulspot_db.events.event import Event
from soulspot_db.events.limits import Limits, checked_patience
from soulspot_db.events.line import Line, Slot
from soulspot_db.events.patterns import checked_topic, matches, parse_pattern
from soulspot_db.events.rows import Told
from soulspot_db.events.subscription import Handler, Subscription
from soulspot_db.events.tally import Tally, Watcher
from soulspot_db.fairness import Turns

__all__ = ["Event", "EventBus", "Subscription", "own_event"]

AnyHandler = TypeVar("AnyHandler", bound=Handler)
_DEFAULT_QUEUE = 10_000
_DEFAULT_PATIENCE = 5.0
_DEFAULT_TIMEOUT = 60.0
_TOPICS = 1000  # whose subscribers are remembered; there are more only where topics are made of ids


class EventBus:
    """Delivers events to subscribers of this process, in the order they were published, at most once.

    A bus may be made at import and subscribed to there; it needs an event loop only when something is published.

    Args:
        patience: seconds that a handler has to catch up, once more events wait for it than its `max_pending`.

    Raises:
        ValidationFailedError: `patience` is no number of seconds.
    """

    def __init__(self, *, patience: float = _DEFAULT_PATIENCE) -> None:
        self._patience = checked_patience(patience)
        self._subscriptions: list[Subscription] = []
        self._by_topic: dict[str, list[Subscription]] = {}
        self._line = Line(self._offer)
        self._published = 0
        self._counts = Tally()
        self._turns = Turns()

    @overload
    def subscribe(
        self,
        pattern: str,
        handler: None = None,
        *,
        max_pending: int = ...,
        shards: int = ...,
        timeout: float | None = ...,
    ) -> Callable[[AnyHandler], AnyHandler]: ...
    @overload
    def subscribe(
        self, pattern: str, handler: Handler, *, max_pending: int = ..., shards: int = ..., timeout: float | None = ...
    ) -> Subscription: ...
    def subscribe(
        self,
        pattern: str,
        handler: Handler | None = None,
        *,
        max_pending: int = _DEFAULT_QUEUE,
        shards: int = 1,
        timeout: float | None = _DEFAULT_TIMEOUT,
    ) -> Any:
        """Have `handler` called with every event whose topic matches; without a handler, a decorator.

        Args:
            pattern: a topic, where `*` stands for one segment and a final `**` for the rest.
            handler: a function or coroutine function that takes the event.
            max_pending: how many events may wait for a handler that does not catch up, in all shards together.
            shards: how many events may be handled at once; those of one `entity_id` always one after another.
            timeout: seconds after which a coroutine function is cancelled, None for no limit; a function is not.

        Raises:
            ValidationFailedError: the pattern is not one, the handler cannot be called, `max_pending` or `shards` is no
                whole number from 1, or `timeout` is not more than zero.
        """
        segments = parse_pattern(pattern)
        limits = Limits(max_pending, self._patience, shards, timeout)

        def register(function: Handler) -> Subscription:
            if not callable(function):
                raise ValidationFailedError(
                    "a handler must be a function that takes the event",
                    "Pass the function itself: `subscribe(pattern, on_event)`.",
                    operation="subscribe",
                )
            subscription = Subscription(segments, function, limits, self._counts)
            self._subscriptions.append(subscription)
            self._by_topic.clear()
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
            self._by_topic.clear()
            subscription.stop()

    def wanted(self, topic: str) -> bool:
        """Whether anybody listens, so that events nobody wants need not be made."""
        return bool(self._listening(topic))

    async def publish(self, event_type: str, data: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Tell every subscriber of `event_type`; inside a transaction, once it is committed.

        Returns when the event is queued, not when it is handled.

        Raises:
            ValidationFailedError: `event_type` is not segments joined by dots, or `metadata` is no mapping.
        """
        event = own_event(event_type, data, metadata)
        transaction = ambient.innermost(self)
        if transaction is None:
            self.deliver([event])
        else:
            transaction.keep(event)
        # While a bulk write is ahead, one turn for each event, so that whoever publishes in a loop cannot outrun it.
        if not self._line.is_empty or self._turns.are_due():
            await asyncio.sleep(0)

    def deliver(self, events: Iterable[Told]) -> None:
        """Queue events for every subscriber, in their order and that of the calls."""
        self.reserve().release(events)

    def reserve(self) -> Slot:
        """A place for events that are not known to be true yet: what is published later waits behind it."""
        return self._line.reserve()

    def hand_on_all(self) -> None:
        """Queue the rest of bulk writes for every subscriber now, without letting the loop turn; for tests."""
        self._line.hand_on_all()

    def _offer(self, event: Event[Any]) -> None:
        self._published += 1
        for subscription in self._listening(event.event_type):
            subscription.offer(event)

    def _listening(self, topic: str) -> list[Subscription]:
        found = self._by_topic.get(topic)
        if found is None:
            segments = tuple(topic.split("."))
            found = [subscription for subscription in self._subscriptions if matches(subscription.pattern, segments)]
            if len(self._by_topic) >= _TOPICS:
                self._by_topic.clear()
            self._by_topic[topic] = found
        return found

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` told of every handler that has ended; it must not raise."""
        self._counts.watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Tell it no more. Doing it twice is harmless."""
        if watcher in self._counts.watchers:
            self._counts.watchers.remove(watcher)

    async def settle(self) -> None:
        """Wait until every event published so far, and all that their handlers publish, has been handled."""
        current = asyncio.current_task()
        while working := [future for future in self._working() if future is not current]:
            await asyncio.wait(working)

    async def drop(self, *, grace: float) -> None:
        """Drop what waits, and cancel what is being handled, which is waited for no longer than `grace` seconds."""
        self._line.hand_on_all()  # so that it is dropped by those who wanted it, and counted
        ending = [worker for subscription in self._subscriptions for worker in subscription.drop()]
        if ending:
            await asyncio.wait(ending, timeout=grace)

    def _working(self) -> Iterable[asyncio.Future[None]]:
        moving = self._line.moving()
        if moving is not None:
            yield moving
        for subscription in self._subscriptions:
            yield from subscription.workers()

    def stats(self) -> dict[str, int]:
        """What became of events since the bus was made.

        `published` counts events; a bulk write's while they are handed on. The others count once for each handler:
        `handled`, `failed`, `timed_out`, `dropped` because it was too slow or closing could wait no longer, and
        `pending`, which wait or are being handled. `subscriptions` is how many there are.
        """
        return {
            "published": self._published,
            "handled": self._counts["handled"],
            "failed": self._counts["failed"],
            "timed_out": self._counts["timed_out"],
            "dropped": self._counts["dropped"],
            "pending": sum(subscription.unfinished for subscription in tuple(self._subscriptions)),
            "subscriptions": len(self._subscriptions),
        }


def own_event(event_type: str, data: Any, metadata: Mapping[str, Any] | None) -> Event[Any]:
    """An event that the application publishes; checked here, because after a COMMIT nobody could be told.

    Raises:
        ValidationFailedError: `event_type` is not segments joined by dots, or `metadata` is no mapping.
    """
    if not isinstance(metadata, Mapping | None):
        raise ValidationFailedError("metadata must be a mapping", "Pass a dict, or leave it out.", operation="publish")
    return Event(checked_topic(event_type), data, dict(metadata or {}))
