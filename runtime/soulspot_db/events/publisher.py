"""What stands between a commit and the bus: keeps the order, and makes room for buses that are not ours."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from soulspot_db.events.bus import Event, EventBus
from soulspot_db.events.queue import EventQueue

__all__ = ["Publisher", "PublishesEvents"]


class PublishesEvents(Protocol):
    """What a bus of the application's own must offer to stand in for ours."""

    async def publish(self, event_type: str, data: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Tell whoever listens."""
        ...


class Publisher:
    """Publishes committed events in commit order; called on the event loop, never waits."""

    def __init__(self, bus: PublishesEvents) -> None:
        self.bus = bus
        # Ours has a queue for each handler. Another is awaited by a task of its own: the write is committed, and a bus
        # that fails must not make it look otherwise.
        self._outgoing = EventQueue(
            lambda event: bus.publish(event.event_type, event.data, event.metadata), "the event bus"
        )

    def wanted(self, topic: str) -> bool:
        """Whether an event of this topic needs to be made at all."""
        return not isinstance(self.bus, EventBus) or self.bus.wanted(topic)

    def publish(self, events: Iterable[Event[Any]]) -> None:
        """Hand events on."""
        if isinstance(self.bus, EventBus):
            self.bus.deliver(events)
            return
        for event in events:
            self._outgoing.put(event)

    async def settle(self) -> None:
        """Wait until everything has been handed on and, where the bus is ours, handled."""
        while (worker := self._outgoing.worker()) is not None and worker is not asyncio.current_task():
            await asyncio.wait([worker])
        if isinstance(self.bus, EventBus):
            await self.bus.settle()
