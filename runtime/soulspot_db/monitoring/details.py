"""What `stats(detail="full")` says beside the figures of `stats()`."""

from collections.abc import Callable, Iterable
from typing import Any

from soulspot_db.monitoring.figures import OperationFigures
from soulspot_db.monitoring.latencies import Latencies
from soulspot_db.monitoring.recorder import SlowQuery

__all__ = ["operations", "overall", "slow_queries"]

_MOST = 200


def operations(figures: Iterable[OperationFigures]) -> list[dict[str, Any]]:
    """One row for each operation, those that took most time together first."""
    called = [each for each in figures if each.count]
    called.sort(key=lambda each: (-(each.waiting + each.running), each.entity_type, each.operation))
    return [
        {
            "entity": each.entity_type,
            "operation": each.operation,
            "count": each.count,
            "hits": each.hits,
            "errors": each.errors,
            "rows": each.rows,
            **Latencies.percentiles([each.latencies]),
            "waiting_ms": _average(each.waiting, each.timed),
            "running_ms": _average(each.running, each.timed),
        }
        for each in called[:_MOST]
    ]


def overall(figures: Iterable[OperationFigures]) -> dict[str, float]:
    """The percentiles of all entities' operations together."""
    return Latencies.percentiles(each.latencies for each in figures if each.entity_type)


def slow_queries(slowest: Iterable[SlowQuery], advice: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """The slow statements, with where they were called and what would help."""
    return [
        {
            "query": each.query,
            "count": each.count,
            "avg_time_ms": round(each.average * 1000, 3),
            "max_time_ms": round(each.longest * 1000, 3),
            "place": each.place,
            "advice": advice(each.query),
        }
        for each in slowest
    ]


def _average(seconds: float, count: int) -> float:
    return round(seconds / count * 1000, 3) if count else 0.0
