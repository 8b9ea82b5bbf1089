"""The line in which events wait to be handed on: in the order of the commits, and few in one turn of the loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from soulspot_db.events.event import Event
from soulspot_db.events.rows import Told, flattened
from soulspot_db.events.worker import Worker
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["Line", "Slot"]

_log = logging.getLogger("soulspot_db.events")
_AT_ONCE = 100  # events in one turn of the loop: half a millisecond with one subscriber


class Slot:
    """A place in the line, taken at a commit. What stands behind it waits until it is released.

    `with line.reserve() as slot:` gives the place up, without events, if the block does not come to release it.
    """

    __slots__ = ("_line", "events")

    def __init__(self, line: "Line") -> None:
        self._line = line
        self.events: Iterator[Event[Any]] | None = None

    def release(self, told: Iterable[Told] = ()) -> None:
        """Have events handed on when those ahead have been. Only the first call counts."""
        if self.events is None:
            self.events = flattened(told)
            self._line.advance()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Line:
    """Hands events on in the order in which their slots were reserved.

    A few are handed on by whoever releases them. The rest of a bulk write, and what comes after it, is left to a task
    that lets the loop turn; until then it is as small as the rows' keys.

    Args:
        hand_on: called with every event; must not wait.
    """

    def __init__(self, hand_on: Callable[[Event[Any]], None]) -> None:
        self._hand_on = hand_on
        self._slots: deque[Slot] = deque()
        self._worker = Worker(self._work, "soulspot-db events")
        self._advanced: asyncio.Future[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything has been handed on."""
        return not self._slots

    def reserve(self) -> Slot:
        """The place behind all others."""
        slot = Slot(self)
        self._slots.append(slot)
        return slot

    def advance(self) -> None:
        """Called when a slot has been released."""
        if self._advanced is not None and not self._advanced.done():
            self._advanced.set_result(None)
        if self._worker.is_at_work:
            return
        self._take(_AT_ONCE)
        if self._is_released:
            self._worker.start()

    def hand_on_all(self) -> None:
        """Hand on everything that is released, however long that takes."""
        while self._is_released:
            self._take(_AT_ONCE)

    def moving(self) -> asyncio.Future[None] | None:
        """Done when the line has moved on; None where it is empty."""
        if not self._slots:
            return None
        if self._is_released:
            return self._worker.start()
        if self._advanced is None or self._advanced.done():
            self._advanced = asyncio.get_running_loop().create_future()
        return self._advanced

    @property
    def _is_released(self) -> bool:
        return bool(self._slots) and self._slots[0].events is not None

    def _take(self, most: int) -> None:
        for _ in range(most):
            if not self._slots or (events := self._slots[0].events) is None:
                return
            try:
                event = next(events, None)
                if event is None:
                    self._slots.popleft()
                else:
                    self._hand_on(event)
            except Exception:  # noqa: BLE001 - logged; the write is stored, and what stands behind it must not be stuck
                log_quietly(_log, logging.ERROR, "an event could not be handed on", exc_info=True)

    async def _work(self) -> None:
        while True:
            self._take(_AT_ONCE)
            # No turn after the last, so that a write that finds the line empty is told of at once.
            if not self._is_released:
                return
            await asyncio.sleep(0)
