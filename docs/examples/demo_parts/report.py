"""The tables at the end of the demo."""

from collections.abc import Mapping, Sequence
from typing import Any

from demo_parts.proof import Check
from rich.console import Console
from rich.table import Table

__all__ = ["print_checks", "print_statistics"]


def print_checks(console: Console, sources: Mapping[str, Sequence[Check]]) -> None:
    """Expected and actual, by where the actual number comes from."""
    table = Table(title="Nothing lost, nothing locked", title_justify="left")
    table.add_column("counted in")
    table.add_column("what")
    table.add_column("expected", justify="right")
    table.add_column("actual", justify="right")
    table.add_column("")
    for source, checks in sources.items():
        for check in checks:
            verdict = "[green]ok" if check.holds else "[bold red]WRONG"
            table.add_row(source, check.what, _text(check.expected), _text(check.actual), verdict)
        table.add_section()
    console.print(table)


def print_statistics(console: Console, stats: Mapping[str, Any]) -> None:
    """What `db.stats()` says, group by group."""
    table = Table(title="db.stats()", title_justify="left", show_header=False)
    memory, queries, connections = stats["cache"]["memory"], stats["queries"], stats["connections"]
    table.add_row("connections", f"{connections['total']} open, pool of {connections['max_pool_size']}")
    table.add_row("cache", f"{memory['hit_rate']:.0%} hits, {memory['size']:,} of {memory['max_size']:,} entries")
    table.add_row("statements", f"{queries['total']:,}, {queries['average_time_ms']:.2f} ms on average")
    table.add_row("slow statements", f"{queries['slow_queries']:,}")
    console.print(table)


def _text(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
