"""Counts every statement, remembers the slow ones, writes the query log."""

import logging
from collections.abc import Iterable
from typing import Any

from cachetools import LRUCache

from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["StatementRecorder"]

_log = logging.getLogger("soulspot_db.query")
_MAX_SLOW = 100
_TOP = 10


class StatementRecorder:
    """The figures behind `stats()`.

    Args:
        slow: seconds from which a statement counts as slow.
        log: whether each statement is logged, at DEBUG; slow ones are logged at WARNING either way.
    """

    def __init__(self, *, slow: float, log: bool) -> None:
        self._slow = slow
        self._log = log
        self._total = 0
        self._seconds = 0.0
        self._slow_total = 0
        self._slowest: LRUCache[str, tuple[int, float]] = LRUCache(_MAX_SLOW)

    def record(self, timings: Iterable[tuple[str, float]]) -> None:
        """Count statements: text without values, and seconds."""
        logged = self._log and _log.isEnabledFor(logging.DEBUG)
        for sql, seconds in timings:
            self._total += 1
            self._seconds += seconds
            if seconds >= self._slow:
                self._slow_total += 1
                count, spent = self._slowest.get(sql, (0, 0.0))
                self._slowest[sql] = (count + 1, spent + seconds)
                log_quietly(_log, logging.WARNING, "slow statement, %.0f ms: %s", seconds * 1000, _one_line(sql))
            elif logged:
                log_quietly(_log, logging.DEBUG, "%.3f ms: %s", seconds * 1000, _one_line(sql))

    def queries(self) -> dict[str, Any]:
        """The `queries` part of the statistics."""
        average = self._seconds / self._total * 1000 if self._total else 0.0
        return {"total": self._total, "slow_queries": self._slow_total, "average_time_ms": round(average, 3)}

    def top_slow_queries(self) -> list[dict[str, Any]]:
        """The slow statements, the slowest on average first."""
        rows: list[dict[str, Any]] = [
            {"query": sql, "count": count, "avg_time_ms": round(spent / count * 1000, 3)}
            for sql, (count, spent) in self._slowest.items()
        ]
        return sorted(rows, key=lambda row: -row["avg_time_ms"])[:_TOP]


def _one_line(sql: str) -> str:
    return " ".join(sql.split())
