"""Counts every statement, and remembers the slow ones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cachetools import LRUCache

from soulspot_db.engine.base import Timing
from soulspot_db.monitoring.query_log import QueryLog

__all__ = ["SlowQuery", "StatementRecorder"]

Wonder: TypeAlias = Callable[[str, Sequence[Any]], None]
_MAX_SLOW = 100
_TOP = 10


@dataclass(slots=True)
class SlowQuery:
    """A statement that was slow at least once; of its slow runs."""

    query: str
    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    place: str | None = None
    """Where it was called the last time, `file:line`."""

    @property
    def average(self) -> float:
        """Seconds."""
        return self.seconds / self.count


class StatementRecorder:
    """The figures of statements behind `stats()`.

    Args:
        slow: seconds from which a statement counts as slow.
        log: told of each.
        wonder: called with the text and the values of a slow one, to find out why it is.
    """

    def __init__(self, *, slow: float, log: QueryLog, wonder: Wonder = lambda _sql, _values: None) -> None:
        self._slow = slow
        self._log = log
        self._wonder = wonder
        self.total = 0
        self.seconds = 0.0
        self.slow_total = 0
        self._slowest: LRUCache[str, SlowQuery] = LRUCache(_MAX_SLOW)

    def record(self, timings: Iterable[Timing]) -> None:
        """Count statements, each with its seconds."""
        logged = self._log.is_on
        for statement, seconds in timings:
            self.total += 1
            self.seconds += seconds
            if seconds >= self._slow:
                self.slow_total += 1
                self._remember(statement.sql, seconds)
                self._log.write(statement, seconds, slow=True)
                if statement.bulk is None:
                    self._wonder(statement.sql, statement.values)
            elif logged:
                self._log.write(statement, seconds, slow=False)

    def _remember(self, sql: str, seconds: float) -> None:
        found = self._slowest.get(sql)
        if found is None:
            found = self._slowest[sql] = SlowQuery(sql)
        found.count += 1
        found.seconds += seconds
        found.longest = max(found.longest, seconds)

    def called_at(self, sql: str, place: str) -> None:
        """Remember where a slow statement was called."""
        if (found := self._slowest.get(sql)) is not None:
            found.place = place

    def queries(self) -> dict[str, Any]:
        """The `queries` part of the statistics."""
        average = self.seconds / self.total * 1000 if self.total else 0.0
        return {"total": self.total, "slow_queries": self.slow_total, "average_time_ms": round(average, 3)}

    def slowest(self) -> list[SlowQuery]:
        """The slow statements, the slowest on average first."""
        return sorted(self._slowest.values(), key=lambda query: -query.average)[:_TOP]

    def top_slow_queries(self) -> list[dict[str, Any]]:
        """The `top_slow_queries` part of the statistics."""
        return [
            {"query": each.query, "count": each.count, "avg_time_ms": round(each.average * 1000, 3)}
            for each in self.slowest()
        ]
