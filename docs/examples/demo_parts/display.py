"""What the demo shows while it works: moving bars in a terminal, and their last state alone in a log."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Display"]


class Display:
    """One bar for each thing that is counted.

    Args:
        console: where to draw.
        totals: what is counted, and how far.
    """

    def __init__(self, console: Console, totals: dict[str, int]) -> None:
        # Without a terminal, rich draws once, at the end.
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._bars: dict[str, TaskID] = {name: self._progress.add_task(name, total=n) for name, n in totals.items()}

    def advance(self, name: str, steps: int = 1) -> None:
        """Some more is done."""
        self._progress.advance(self._bars[name], steps)

    def show(self, name: str, done: int) -> None:
        """So much is done."""
        self._progress.update(self._bars[name], completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
