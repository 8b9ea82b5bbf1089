"""The tables at the end of the demo."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from demo_parts.proof import Counts, wrong

__all__ = ["print_proof", "print_statistics"]


def print_proof(console: Console, wanted: Counts, found: Mapping[str, Counts]) -> None:
    """What must be there beside what is, one column for each way of counting."""
    differing = wrong(wanted, found)
    table = Table(title="Expected and found", title_justify="left")
    table.add_column("")
    for heading in ("expected", *found):
        table.add_column(heading, justify="right")
    table.add_column("")
    for what, number in wanted.items():
        cells = [_text(counts.get(what, "")) for counts in found.values()]
        table.add_row(what, _text(number), *cells, "[bold red]WRONG" if what in differing else "[green]ok")
    console.print(table)


def print_statistics(console: Console, stats: Mapping[str, Any]) -> None:
    """What `db.stats()` says."""
    connections, memory, queries = stats["connections"], stats["cache"]["memory"], stats["queries"]
    table = Table(title="Statistics", title_justify="left", show_header=False)
    table.add_row("connections", f"{connections['total']} open, of which {connections['max_pool_size']} read")
    table.add_row(
        "cache", f"{memory['hit_rate']:.0%} hits, {memory['size']:,} entries of at most {memory['max_size']:,}"
    )
    table.add_row("statements", f"{queries['total']:,} in {queries['average_time_ms']:.2f} ms on average")
    table.add_row("slow statements", f"{queries['slow_queries']:,}")
    console.print(table)


def _text(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"
