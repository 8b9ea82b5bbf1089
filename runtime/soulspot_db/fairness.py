"""Fairness on the event loop: work that never waits would keep everybody else waiting."""

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from soulspot_db.home import Home

__all__ = ["Turns", "spread"]

T = TypeVar("T")
R = TypeVar("R")

_SLICE = 0.001  # seconds
_STEPS = 16  # items between two looks at the clock


class Turns:
    """Asked at every step of such work; says when it is time to let the loop turn, with `await asyncio.sleep(0)`.

    Args:
        home: the loop whose turns they are; by default that which asks.
    """

    def __init__(self, home: Home | None = None) -> None:
        self._home = home or Home()
        self._began: float | None = None

    def are_due(self) -> bool:
        """Whether a millisecond has passed since the first step that the loop has not turned after."""
        now = time.perf_counter()
        if self._began is None:
            loop = asyncio.get_running_loop()
            if not self._home.admits(loop):
                return True  # nothing may be had without waiting, so that everything is asked for, and refused
            self._began = now
            loop.call_soon(self._turned)
            return False
        return now - self._began >= _SLICE

    def start_anew(self) -> None:
        """A loop that ended in the middle of a turn never comes to its end."""
        self._began = None

    def _turned(self) -> None:
        self._began = None


async def spread(items: Iterable[T], make: Callable[[T], R], turns: Turns) -> list[R]:
    """`[make(item) for item in items]`, letting the loop turn every millisecond; `items` must stay as they are meanwhile."""
    making = map(make, items)
    made: list[R] = []
    while step := list(islice(making, _STEPS)):
        made += step
        # The last step is nobody's first: few items need not look at the clock.
        if len(step) == _STEPS and turns.are_due():
            await asyncio.sleep(0)
    return made
