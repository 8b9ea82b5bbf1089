"""Lines, and below them a bar that shows how far something is, where there is a terminal to show it on."""

import sys
from time import monotonic
from types import TracebackType
from typing import Self

import click

__all__ = ["Bar"]

_WIDTH = 30
_SECONDS = 10  # between two lines in a log file


class Bar:
    """Prints lines, and a bar that is gone when the block ends.

    Args:
        unit: what is counted.
    """

    def __init__(self, unit: str = "rows") -> None:
        self._unit = unit
        self._shows = sys.stdout.isatty()
        self._drawn = False
        self._told = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        self._clear()
        click.echo(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far `what` is; a log file is told from time to time, and of the end."""
        if self._shows:
            filled = _WIDTH * min(done, total) // max(total, 1)
            bar = f"{'#' * filled}{'.' * (_WIDTH - filled)}"
            click.echo(f"\r\033[K{what} [{bar}] {done:,} of {total:,} {self._unit}", nl=False, color=True)
            self._drawn = True
        elif done >= total:
            click.echo(f"{what}: {done:,} {self._unit}")
            self._told = monotonic()
        elif monotonic() - self._told >= _SECONDS:
            click.echo(f"{what}: {done:,} of {total:,} {self._unit}")
            self._told = monotonic()

    def _clear(self) -> None:
        if self._drawn:
            click.echo("\r\033[K", nl=False, color=True)
            self._drawn = False
