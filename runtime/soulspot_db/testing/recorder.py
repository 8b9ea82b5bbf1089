"""Records what a bus delivers, so that a test can wait for an event and say which ones came."""

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from soulspot_db.events.bus import Event, EventBus
from soulspot_db.events.patterns import matches, parse_pattern

__all__ = ["RecordedEvents"]

_UNBOUNDED = 10**9  # a bulk write publishes many events in one step, and none may be missing


class RecordedEvents:
    """The events of one bus, in the order they were published: `with RecordedEvents(db.events) as events`.

    Args:
        bus: the bus to listen to.
    """

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._seen: list[Event[Any]] = []
        self._unread: list[Event[Any]] = []
        self._arrived = asyncio.Event()
        self._subscription = bus.subscribe("**", self._record, max_pending=_UNBOUNDED)

    def _record(self, event: Event[Any]) -> None:
        self._seen.append(event)
        self._unread.append(event)
        self._arrived.set()

    async def next(self, pattern: str = "**", timeout: float = 1.0) -> Event[Any]:  # noqa: ASYNC109 - how tests say it
        """The first event that matches and has not been returned by `next` yet; waits until there is one.

        Args:
            pattern: a topic, where `*` stands for one segment and a final `**` for the rest.
            timeout: seconds to wait.

        Raises:
            AssertionError: none came in time; the message lists those that did come.
            ValidationFailedError: the pattern is not one.
        """
        wanted = parse_pattern(pattern)
        try:
            async with asyncio.timeout(timeout):
                while (found := self._take(wanted)) is None:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(self._missing(pattern, timeout)) from None
        return found

    def _take(self, wanted: tuple[str, ...]) -> Event[Any] | None:
        for position, event in enumerate(self._unread):
            if _matches(wanted, event):
                return self._unread.pop(position)
        return None

    def _missing(self, pattern: str, seconds: float) -> str:
        unread = {id(event) for event in self._unread}
        came = [
            f"  {event.event_type} {event.data!r}{'' if id(event) in unread else ' (returned before)'}"
            for event in self._seen
        ]
        return "\n".join(
            [f"no event {pattern!r} within {seconds:g} s; " + ("these came:" if came else "none came"), *came]
        )

    def all(self, pattern: str = "**") -> list[Event[Any]]:
        """Every event that matches, whether or not `next` has returned it.

        Raises:
            ValidationFailedError: the pattern is not one.
        """
        wanted = parse_pattern(pattern)
        return [event for event in self if _matches(wanted, event)]

    def __iter__(self) -> Iterator[Event[Any]]:
        # What was published in this very step of the loop, or by a large write, has not been handed to us yet.
        self._bus.hand_on_all()
        return iter([*self._seen, *self._subscription.pending])

    def __len__(self) -> int:
        self._bus.hand_on_all()
        return len(self._seen) + len(self._subscription.pending)

    def clear(self) -> None:
        """Forget everything so far, as after a test has set its scene."""
        self._bus.hand_on_all()
        self._subscription.stop()
        self._seen.clear()
        self._unread.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.unsubscribe(self._subscription)


def _matches(wanted: tuple[str, ...], event: Event[Any]) -> bool:
    return matches(wanted, tuple(event.event_type.split(".")))
