"""Rows as text in columns, for a terminal."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["as_json", "as_table", "cell"]

_MOST = 80  # characters of a cell; all of a value is in `--json`


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The lines of a table: names, a rule, rows; numbers to the right."""
    texts = [[cell(value) for value in row] for row in rows]
    heads = [cell(name) for name in columns]
    widths = [max(map(_width, column)) for column in zip(heads, *texts, strict=True)]
    is_number = [_are_numbers([row[number] for row in rows]) for number in range(len(heads))]
    yield "  ".join(map(_padded, heads, widths, is_number)).rstrip()
    yield "  ".join("-" * width for width in widths)
    for line in texts:
        yield "  ".join(map(_padded, line, widths, is_number)).rstrip()


def as_json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The rows as a list of objects; columns of one name are told apart by a number."""
    seen: Counter[str] = Counter()
    names = []
    for name in columns:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}:{seen[name]}")
    return json.dumps(
        [dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False, default=_plain, indent=1
    )


def cell(value: Any) -> str:
    """A value on one line; what could move the cursor or colour the terminal is escaped."""
    text = "NULL" if value is None else str(_plain(value) if isinstance(value, bytes) else value)
    text = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text[: _MOST + 1])
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, (bytes, bytearray, memoryview)) else str(value)


def _are_numbers(values: Sequence[Any]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, (int, float)) for value in given)


def _width(text: str) -> int:
    """Columns of a terminal, of which many signs of East Asia take two, and marks above others none."""
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _padded(text: str, width: int, is_number: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if is_number else text + blanks
