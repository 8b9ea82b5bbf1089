"""The last ten minutes, ten seconds at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

__all__ = ["History", "Totals"]

_STEP = 10.0  # seconds
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Totals:
    """What has been counted so far."""

    queries: int
    hits: int
    misses: int
    errors: int
    waiting: float
    """Seconds."""


class History:
    """Looks at the totals every ten seconds, so that no operation has to look at the clock for it.

    Args:
        look: the totals at this moment.
    """

    def __init__(self, look: Callable[[], Totals]) -> None:
        self._look = look
        self._steps: deque[dict[str, Any]] = deque(maxlen=_STEPS)
        self._timer: asyncio.TimerHandle | None = None
        self._since = (monotonic(), look())

    def start(self) -> None:
        """Begin, in this loop."""
        self.stop()
        self._since = (monotonic(), self._look())
        self._timer = asyncio.get_running_loop().call_later(_STEP, self._turn)

    def stop(self) -> None:
        """No loop need wait for the next look. Stopping twice is safe."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        self._steps.append(self._step())
        self._since = (monotonic(), self._look())
        self._timer = asyncio.get_running_loop().call_later(_STEP, self._turn)

    def _step(self) -> dict[str, Any]:
        began, before = self._since
        # The clock on the wall may be set back; how long it was does not depend on it.
        queries, hits, misses, errors, waiting = (
            now - then for now, then in zip(astuple(self._look()), astuple(before), strict=True)
        )
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(monotonic() - began, 3),
            "queries": queries,
            "hits": hits,
            "misses": misses,
            "errors": errors,
            "waiting_ms": round(waiting * 1000, 3),
        }

    @property
    def steps(self) -> list[dict[str, Any]]:
        """What was counted in each, the oldest first; the last one has not ended yet."""
        return [*self._steps, self._step()][-_STEPS:]
