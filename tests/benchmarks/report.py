"""The results as tables: on the terminal, and in docs/benchmarks.md between the markers of their part."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine import machine
from mixed import Mixed
from plot import plot
from rich.console import Console
from rich.table import Table
from targets import MIXED_FASTER, OURS, TARGETS

__all__ = ["Results", "markdown", "show", "write"]

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "benchmarks.md"
Rows = list[list[str]]


@dataclass
class Results:
    """One run: seconds of an operation by workload and contestant, and the mixed workload by contestant."""

    kind: str
    version: str
    names: Sequence[str]
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    mixed: dict[str, Mixed] = field(default_factory=dict)


def duration(seconds: float) -> str:
    """A time that a person can read."""
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def times(results: Results) -> Rows:
    """By workload: the time of the first, and how many times as long each peer takes."""
    first, *peers = results.names
    rows = [["workload", first, *peers]]
    for workload, found in results.seconds.items():
        base = found.get(first)
        cells = [duration(base) if base else ""]
        for peer in peers:
            spent = found.get(peer)
            cells.append("" if spent is None else f"{spent / base:.3g}x" if base else duration(spent))
        rows.append([workload, *cells])
    return rows


def mixed(results: Results) -> Rows:
    """The mixed workload."""
    rows = [["SoulSpot at work", "operations a second", "p50", "p99", "errors"]]
    for name, found in results.mixed.items():
        errors = ", ".join(f"{count} {kind}" for kind, count in found.errors.most_common()) or "0"
        median, slow = duration(found.percentile(50)), duration(found.percentile(99))
        rows.append([name, f"{found.per_second:,.0f}", median, slow, errors])
    return rows


def targets(results: Results) -> Rows:
    """What was to be reached, beside what was; nothing where soulspot-db did not take part."""
    judged = [(target, target.reached(results.seconds)) for target in TARGETS[results.kind]]
    rows = [
        [target.workload, target.text(), reached[0], "yes" if reached[1] else "no"]
        for target, reached in judged
        if reached
    ]
    ours, before = results.mixed.get(OURS), results.mixed.get("ORM as SoulSpot 2")
    if ours and before:
        ratio = ours.per_second / before.per_second
        good = ratio >= MIXED_FASTER and not ours.errors
        asked = f"{MIXED_FASTER}x the operations of the ORM as SoulSpot 2 sets it up, 0 errors"
        rows.append(["SoulSpot at work", asked, f"{ratio:.1f}x, {ours.errors.total()} errors", "yes" if good else "no"])
    return [["workload", "target", "reached", "enough"], *rows] if rows else []


def show(results: Results, console: Console) -> None:
    """Print everything."""
    for title, rows in (("time", times(results)), ("mixed", mixed(results)), ("targets", targets(results))):
        if rows:
            table = Table(*rows[0], title=f"{results.version}: {title}")
            for row in rows[1:]:
                table.add_row(*row)
            console.print(table)


def markdown(results: Results) -> str:
    """The part of the page."""
    tables = "\n\n".join(_table(rows) for rows in (times(results), mixed(results), targets(results)) if rows)
    picture = f"![How many times as long as {results.names[0]} each peer takes](benchmarks-{results.kind}.svg)"
    return f"{results.version}; {machine()}.\n\n{picture}\n\n{tables}"


def _table(rows: Rows) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def write(results: Results) -> None:
    """Put the part into the page and its plot beside it; raises ValueError where the page lacks the markers."""
    begin, end = (f"<!-- {word} of {results.kind}, written by the benchmarks -->" for word in ("begin", "end"))
    page, count = re.subn(
        f"{begin}.*{end}", lambda _: f"{begin}\n\n{markdown(results)}\n\n{end}", PAGE.read_text(), flags=re.DOTALL
    )
    if not count:
        raise ValueError(f"{PAGE} has no place for this part: add the lines {begin!r} and {end!r}")
    PAGE.write_text(page)
    DOCS.joinpath(f"benchmarks-{results.kind}.svg").write_text(plot(results.names, results.seconds))
