"""A small curve of the last ten minutes, as the path of an SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Sparkline", "sparkline"]

_WIDTH, _HEIGHT = 120, 28
_SLOTS = 60  # steps of ten seconds
_MARGIN = 1.5  # so that the stroke is not cut


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Paths of numbers alone, and what they show in words."""

    line: str
    area: str
    label: str
    width: int = _WIDTH
    height: int = _HEIGHT


def sparkline(values: Sequence[float | None], *, top: float, label: str) -> Sparkline | None:
    """The curve of values, the newest at the right end; None where there are fewer than two.

    Args:
        values: the oldest first; None where nothing happened, which leaves a gap.
        top: the value at the upper edge; the lower one is 0.
        label: what it shows, for those who do not see it.
    """
    shown = values[-_SLOTS:]
    runs = _runs(shown, top or 1.0)
    if sum(map(len, runs)) < 2:
        return None
    lines, areas = [], []
    for run in runs:
        first, last = run[0][0], run[-1][0]
        along = " ".join(f"{x:g},{y:g}" for x, y in run)
        lines.append(f"M{along}" if len(run) > 1 else f"M{along} h0.01")  # a round end makes a dot of it
        areas.append(f"M{first:g},{_HEIGHT} L{along} L{last:g},{_HEIGHT} Z")
    return Sparkline(" ".join(lines), " ".join(areas), label)


def _runs(values: Sequence[float | None], top: float) -> list[list[tuple[float, float]]]:
    """Points of values that follow each other without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    step = (_WIDTH - 2 * _MARGIN) / (_SLOTS - 1)
    for position, value in enumerate(values, _SLOTS - len(values)):
        if value is None:
            runs.append([])
        else:
            share = min(max(value / top, 0.0), 1.0)
            runs[-1].append(
                (round(_MARGIN + position * step, 2), round(_MARGIN + (1 - share) * (_HEIGHT - 2 * _MARGIN), 2))
            )
    return [run for run in runs if run]
