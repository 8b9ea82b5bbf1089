"""The event bus: subscriptions to topics, and publishing to all of them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from soulspot_db import ambient
from soulspot_db.errors import ValidationFailedError
from soulspot_db.events.event import Event
from soulspot_db.events.subscription import Handler, Subscription, matches, parse_pattern
from soulspot_db.fairness import Turns

__all__ = ["Event", "EventBus", "Subscription"]

AnyHandler = TypeVar("AnyHandler", bound=Handler)
_DEFAULT_QUEUE = 10_000
_DEFAULT_PATIENCE = 5.0


class EventBus:
    """Delivers events to subscribers of this process, in the order they were published, at most once.

    A bus may be made at import and subscribed to there; it needs an event loop only when something is published.

    Args:
        patience: seconds that a handler has to catch up, once more events wait for it than its `max_pending`.
    """

    def __init__(self, *, patience: float = _DEFAULT_PATIENCE) -> None:
        self._patience = patience
        self._subscriptions: list[Subscription] = []
        self._published = 0
        self._turns = Turns()

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
            max_pending: how many events may wait for a handler that does not catch up.

        Raises:
            ValidationFailedError: the pattern is not one, or `max_pending` is less than one.
        """
        segments = parse_pattern(pattern)
        if max_pending < 1:
            raise ValidationFailedError("max_pending must be 1 or more", "Leave it out.", operation="subscribe")

        def register(function: Handler) -> Subscription:
            subscription = Subscription(segments, function, max_pending, self._patience)
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
        return bool(self._listening(topic))

    async def publish(self, event_type: str, data: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Tell every subscriber of `event_type`; inside a transaction, once it is committed.

        Returns when the event is queued, not when it is handled.
        """
        event = Event(event_type, data, dict(metadata or {}))
        transaction = ambient.innermost(self)
        if transaction is None:
            self.deliver([event])
        else:
            transaction.keep(event)
        if self._turns.are_due():
            await asyncio.sleep(0)

    def deliver(self, events: Iterable[Event[Any]]) -> None:
        """Queue events for every subscriber, in their order and that of the calls."""
        listening: dict[str, list[Subscription]] = {}  # a bulk write has thousands of one topic
        for event in events:
            self._published += 1
            topic = event.event_type
            if topic not in listening:
                listening[topic] = self._listening(topic)
            for subscription in listening[topic]:
                subscription.offer(event)

    def _listening(self, topic: str) -> list[Subscription]:
        segments = tuple(topic.split("."))
        return [subscription for subscription in self._subscriptions if matches(subscription.pattern, segments)]

    async def settle(self) -> None:
        """Wait until every event published so far, and all that their handlers publish, has been handled."""
        current = asyncio.current_task()
        while working := [
            worker for s in self._subscriptions if (worker := s.worker()) is not None and worker is not current
        ]:
            await asyncio.wait(working)

    def stats(self) -> dict[str, int]:
        """How many events were published, and how many were dropped because a handler was too slow."""
        return {
            "published": self._published,
            "dropped": sum(subscription.dropped for subscription in self._subscriptions),
        }
