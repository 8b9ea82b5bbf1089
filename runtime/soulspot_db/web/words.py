"""Numbers, times and foreign text as the card prints them."""

import unicodedata
from datetime import UTC, datetime

__all__ = ["ago", "duration", "milliseconds", "number", "percent", "printable", "size"]

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # control, direction, halves of pairs, private, line ends
_MOST = 20_000


def number(value: float) -> str:
    """A count, or a rate with one decimal where it is small."""
    return f"{value:,.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"


def percent(share: float) -> str:
    """A share of 1 in per cent; only all is 100."""
    return f"{min(share * 100, 99.9) if share < 1 else 100:.1f}"


def milliseconds(value: float) -> str:
    """A duration in the unit in which it is read best."""
    if value >= 1000:
        return f"{value / 1000:,.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"


def duration(seconds: float) -> str:
    """A span of time, in its largest unit."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            return f"{seconds // length:,.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def ago(moment: str) -> str:
    """How long ago a moment was, which is written as in ISO 8601."""
    return f"{duration((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())} ago"


def size(length: int) -> str:
    """Bytes in the unit in which they are read best."""
    value = float(length)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def printable(text: str, most: int = _MOST) -> str:
    """Text of at most so many characters in which nothing is hidden: what has no glyph, or turns the direction, is spelt out."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(_spelt(character) for character in cut)


def _spelt(character: str) -> str:
    if character in "\n\t":
        return character
    return f"\\u{ord(character):04x}" if unicodedata.category(character) in _HIDDEN else character
