"""The figures of a running program, for a terminal."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["Screen"]

_OPERATIONS = 15
_SLOW = 5
_WIDTH = 100  # characters of a statement


class Screen:
    """Draws figures; of two in a row it knows how many statements a second there were."""

    def __init__(self) -> None:
        self._before: tuple[float, int] | None = None

    def drawn(self, figures: Mapping[str, Any]) -> RenderableType:
        """Everything on one screen."""
        parts: list[RenderableType] = [self._summary(figures), _operations(figures)]
        if figures["slow_queries"]:
            parts.append(_slow(figures))
        return Group(*parts)

    def _summary(self, figures: Mapping[str, Any]) -> RenderableType:
        grid = Table.grid(padding=(0, 3))
        connections, cache, latency = figures["connections"], figures["cache"], figures["latency"]
        redis = cache["redis"]
        rate = self._rate(figures["queries"]["total"])
        tiers = f"{cache['memory']['hit_rate']:.0%} memory" + (f", {redis['hit_rate']:.0%} Redis" if redis else "")
        rows = [
            ("database", f"{figures['database']['type']}  {figures['database']['address']}"),
            ("connections", f"{connections['active']} at work, {connections['idle']} idle"),
            ("statements", f"{figures['queries']['total']:,}" + ("" if rate is None else f"  ({rate:,.0f} a second)")),
            ("latency", f"p50 {latency['p50_ms']:g} ms  p95 {latency['p95_ms']:g} ms  p99 {latency['p99_ms']:g} ms"),
            ("cache hits", tiers),
            ("waited", f"{figures['locks']['waited']:,} times, {figures['locks']['waited_ms']:,.0f} ms"),
            ("events", f"{figures['events']['pending']} pending, {figures['events']['failed']} failed"),
        ]
        if holder := figures["locks"]["holder"]:
            rows.append(("the writer", holder))
        for name, value in rows:
            grid.add_row(Text(name, style="bold"), Text(value))
        return grid

    def _rate(self, total: int) -> float | None:
        now, before = monotonic(), self._before
        self._before = (now, total)
        return None if before is None else max(total - before[1], 0) / max(now - before[0], 0.001)


def _operations(figures: Mapping[str, Any]) -> Table:
    table = Table(title="operations, by the time they took together", title_justify="left")
    table.add_column("entity")
    table.add_column("operation")
    for name in ("calls", "hits", "errors", "p50 ms", "p95 ms", "max ms", "waited ms"):
        table.add_column(name, justify="right")
    for row in figures["operations"][:_OPERATIONS]:
        numbers = (row["count"], row["hits"], row["errors"])
        times = (row["p50_ms"], row["p95_ms"], row["max_ms"], row["waiting_ms"])
        cells = [row["entity"], row["operation"], *(f"{number:,}" for number in numbers), *(f"{ms:g}" for ms in times)]
        table.add_row(*map(Text, cells))  # as they are: brackets of a name are no markup
    return table


def _slow(figures: Mapping[str, Any]) -> Table:
    table = Table(title="slow statements", title_justify="left")
    table.add_column("times", justify="right")
    table.add_column("average ms", justify="right")
    table.add_column("statement, and what would help")
    for row in figures["slow_queries"][:_SLOW]:
        query = row["query"] if len(row["query"]) <= _WIDTH else f"{row['query'][:_WIDTH]}..."
        told = Text("\n".join(part for part in (query, row["place"], row["advice"]) if part))
        table.add_row(Text(f"{row['count']:,}"), Text(f"{row['avg_time_ms']:g}"), told)
    return table
