"""Names in Redis: of stamps and of answers. The same in every program, and they show nothing of what they are about."""

import datetime as dt
from collections.abc import Collection, Sequence
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any
from uuid import UUID

from soulspot_db.cache.tags import Tag, bulk, is_row, table

__all__ = ["EVERYTHING", "answer_name", "stamp_names", "touched_names"]

_SIZE = 16
# Of more rows of one table, the bulk tag stands for all: it may drop more than was written, never less.
_MOST_ROWS = 1000
# Written by Python itself, and differently for values that differ. Not so those of subclasses.
_PRINTED = frozenset({str, bytes, int, bool, float, type(None), UUID, dt.date, dt.time})


def _add(value: Any, parts: list[str]) -> None:
    kind = type(value)
    if kind is tuple or kind is list:
        parts.append(f"{kind.__name__} {len(value)}")
        for item in value:
            _add(item, parts)
    elif kind in _PRINTED:
        # Not as it is printed: which characters are, depends on the version of Python.
        parts.append(ascii(value))
    elif kind is Decimal:
        parts.append(f"decimal {value.normalize()}")  # 1.5 and 1.50 are one number
    elif kind is dt.datetime:
        parts.append(repr(value if value.tzinfo is None else value.astimezone(dt.UTC)))
    else:
        raise TypeError(kind)


def _digest(letter: str, *values: Any) -> bytes:
    parts: list[str] = []
    for value in values:
        _add(value, parts)
    text = ",".join(parts).encode()
    return f"{letter}{blake2b(text, digest_size=_SIZE).hexdigest()}".encode()


EVERYTHING = _digest("s", "everything")
"""The stamp that every answer depends on: dropped, it voids all of them."""


@lru_cache(1 << 14)
def _stamp_name(tag: Tag) -> bytes:
    return _digest("s", tag)


def stamp_names(tags: Collection[Tag]) -> tuple[bytes, ...]:
    """The stamps that an answer depends on.

    Raises:
        TypeError: a key is made of values that other programs may write in another way.
    """
    return (EVERYTHING, *map(_stamp_name, tags))


def touched_names(tags: Collection[Tag]) -> set[bytes]:
    """The stamps to drop because `tags` were written."""
    rows: dict[str, list[Tag]] = {}
    names: set[bytes] = set()
    for tag in tags:
        if is_row(tag):
            rows.setdefault(tag[0], []).append(tag)
        else:
            names.add(_stamp_name(tag))
    for name, some in rows.items():
        try:
            names.update(map(_stamp_name, some if len(some) <= _MOST_ROWS else _whole(name)))
        except (
            TypeError
        ):  # a key that others may write in another way: whatever it is called there, it is a row of this table
            names.update(map(_stamp_name, _whole(name)))
    return names


def _whole(name: str) -> tuple[Tag, Tag]:
    return bulk(name), table(name)


def answer_name(schema: bytes, sql: str, values: Sequence[Any]) -> bytes | None:
    """The place of the rows that a statement finds, for those who read rows by this schema; None where it has none."""
    try:
        return _digest("v", schema, sql, tuple(values))
    except TypeError:
        return None
