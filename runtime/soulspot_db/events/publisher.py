"""What stands between a commit and the bus: keeps the order, and makes room for buses that are not ours."""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from soulspot_db.events.bus import Event, EventBus, is_cancelled

__all__ = ["Publisher", "PublishesEvents"]

_log = logging.getLogger("soulspot_db.events")


class PublishesEvents(Protocol):
    """What a bus of the application's own must offer to stand in for ours."""

    async def publish(self, event_type: str, data: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Tell whoever listens."""
        ...


class Publisher:
    """Publishes committed events in commit order; called on the event loop, never waits."""

    def __init__(self, bus: PublishesEvents) -> None:
        self.bus = bus
        self._pending: deque[Event[Any]] = deque()
        self._worker: asyncio.Task[None] | None = None

    def wanted(self, topic: str) -> bool:
        """Whether an event of this topic needs to be made at all."""
        return not isinstance(self.bus, EventBus) or self.bus.wanted(topic)

    def publish(self, events: Iterable[Event[Any]]) -> None:
        """Hand events on; ours queues them at once, another bus is awaited by a task of its own."""
        if isinstance(self.bus, EventBus):
            for event in events:
                self.bus.deliver(event)
            return
        self._pending.extend(events)
        if self._pending and self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())

    async def _work(self) -> None:
        try:
            while self._pending:
                event = self._pending.popleft()
                try:
                    await self.bus.publish(event.event_type, event.data, event.metadata)
                except (Exception, asyncio.CancelledError):
                    # The write is committed; a bus that fails must not make it look otherwise.
                    if is_cancelled():
                        raise
                    _log.exception("the event bus failed on %s", event.event_type)
        finally:
            self._worker = None

    async def settle(self) -> None:
        """Wait until everything has been handed on and, where the bus is ours, handled."""
        while self._worker is not None:
            await asyncio.wait([self._worker])
        if isinstance(self.bus, EventBus):
            await self.bus.settle()
