"""What stands between a commit and the bus: keeps the order, and makes room for buses that are not ours."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from soulspot_db.events.bus import Event, EventBus
from soulspot_db.events.line import Slot
from soulspot_db.events.tally import Watcher
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["Publisher", "PublishesEvents"]

_log = logging.getLogger("soulspot_db.events")
_GRACE = 1.0  # seconds for what is cancelled to end


class PublishesEvents(Protocol):
    """What a bus of the application's own must offer to stand in for ours."""

    async def publish(self, event_type: str, data: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Tell whoever listens."""
        ...


class Publisher:
    """Publishes committed events in commit order; called on the event loop, never waits.

    Args:
        bus: where.
        is_shared: whether others may use the bus too.
    """

    def __init__(self, bus: PublishesEvents, *, is_shared: bool = False) -> None:
        self.bus = bus
        self._is_shared = is_shared and isinstance(bus, EventBus)
        self._ours = bus if isinstance(bus, EventBus) else _in_front_of(bus)

    def wanted(self, topic: str) -> bool:
        """Whether an event of this topic needs to be made at all."""
        return self._ours.wanted(topic)

    def reserve(self) -> Slot:
        """The place of a commit among all others, to be taken as soon as it is known; see `Slot`."""
        return self._ours.reserve()

    def watch(self, watcher: Watcher) -> None:
        """Have somebody told of every handler that has ended."""
        self._ours.watch(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Tell somebody no more. Doing it twice is harmless."""
        self._ours.unwatch(watcher)

    def stats(self) -> dict[str, int]:
        """What became of events; see `EventBus.stats`."""
        return self._ours.stats()

    async def settle(self) -> None:
        """Wait until everything has been handed on and, where the bus is ours, handled."""
        await self._ours.settle()

    async def drain(self, seconds: float | None) -> None:
        """Settle for so long; what is not handled then is dropped, except on a bus that others may use.

        Args:
            seconds: None for as long as handlers need.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.settle()
        except TimeoutError:
            if self._is_shared:
                pending = self._ours.stats()["pending"]
                log_quietly(_log, logging.WARNING, "closing without waiting for %d events of a shared bus", pending)
            else:
                await self._ours.drop(grace=_GRACE)


def _in_front_of(bus: PublishesEvents) -> EventBus:
    """A bus of ours whose only handler publishes on `bus`.

    The write is committed: a bus that fails or hangs must not make it look otherwise, nor keep anybody waiting.
    """

    async def publish(event: Event[Any]) -> None:
        await bus.publish(event.event_type, event.data, event.metadata)

    publish.__qualname__ = f"{type(bus).__qualname__}.publish"  # its name in the log
    ours = EventBus()
    ours.subscribe("**", publish)
    return ours
