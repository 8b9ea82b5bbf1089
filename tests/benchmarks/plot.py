"""The times as a picture: a row for each workload, a dot for each contestant, on a scale of powers of ten."""

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["plot"]

COLOURS = ("#111", "#c0392b", "#e67e22", "#b8860b", "#8e44ad", "#2980b9", "#16a085", "#7f8c8d", "#d35fb7", "#5d6d2e")
LEFT, WIDTH, ROW, TOP = 210, 880, 26, 64
PAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
{marks}
</svg>
"""


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """Words at a place."""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def dot(x: float, y: float, colour: str, title: str = "") -> str:
    """A dot, with words for who points at it."""
    return f'<circle cx="{x:.1f}" cy="{y:.0f}" r="5" fill="{colour}"><title>{escape(title)}</title></circle>'


def line(x: float, height: float, colour: str) -> str:
    """A line from top to bottom."""
    return f'<path d="M{x:.1f} {TOP}V{height:.0f}" stroke="{colour}"/>'


def plot(names: Sequence[str], seconds: Mapping[str, Mapping[str, float]]) -> str:
    """An SVG.

    Args:
        names: the contestants; the first is 1 on the scale.
        seconds: by workload and contestant.
    """
    first = names[0]
    ratios = {
        workload: {name: spent / found[first] for name, spent in found.items()}
        for workload, found in seconds.items()
        if first in found
    }
    every = [ratio for found in ratios.values() for ratio in found.values()]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    bottom = TOP + ROW * len(ratios)

    def place(ratio: float) -> float:
        return LEFT + (WIDTH - LEFT - 30) * (math.log10(ratio) - low) / max(high - low, 1)

    colours = dict(zip(names, COLOURS, strict=False))
    marks = []
    for n, (name, colour) in enumerate(colours.items()):
        x, y = LEFT + n % 5 * 130, 14 + n // 5 * 18
        marks += [dot(x, y, colour), text(x + 9, y + 4, name)]
    for power in range(low, high + 1):
        x = place(10**power)
        marks += [line(x, bottom, "#111" if power == 0 else "#ddd"), text(x, bottom + 16, f"{10**power:g}x", "middle")]
    for n, (workload, found) in enumerate(ratios.items()):
        y = TOP + ROW * n + ROW / 2
        marks.append(text(LEFT - 12, y + 4, workload, "end"))
        marks += [dot(place(ratio), y, colours[name], f"{name}: {ratio:.3g}x") for name, ratio in found.items()]
    return PAGE.format(width=WIDTH, height=bottom + 26, marks="\n".join(marks))
