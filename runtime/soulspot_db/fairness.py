"""Fairness on the event loop: work that never waits would keep everybody else waiting."""

import asyncio
import time

__all__ = ["Turns"]

_SLICE = 0.001  # seconds


class Turns:
    """Asked at every step of such work; says when it is time to let the loop turn, with `await asyncio.sleep(0)`."""

    def __init__(self) -> None:
        self._began: float | None = None

    def are_due(self) -> bool:
        """Whether a millisecond has passed since the first step that the loop has not turned after."""
        now = time.perf_counter()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._turned)
            return False
        return now - self._began >= _SLICE

    def _turned(self) -> None:
        self._began = None
