"""Answers as Redis keeps them: MessagePack of the rows as the database returned them, and of the stamps they were read with.

Rows stay in their stored form, so what is encrypted stays so, and reading them passes the model's validator as ever.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, cast
from uuid import UUID

import msgpack

from soulspot_db.engine.base import Rows

__all__ = ["Kept", "pack", "unpack"]

_MOST_ROWS = 1000
_LARGEST = 1 << 20
# By number: the type, as what it is written, and how it is read again.
_TYPES: dict[int, tuple[type, Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    1: (UUID, lambda value: value.bytes, lambda data: UUID(bytes=data)),
    2: (Decimal, lambda value: str(value).encode(), lambda data: Decimal(data.decode())),
    3: (dt.datetime, lambda value: value.isoformat().encode(), lambda data: dt.datetime.fromisoformat(data.decode())),
    4: (dt.date, lambda value: value.isoformat().encode(), lambda data: dt.date.fromisoformat(data.decode())),
    5: (dt.time, lambda value: value.isoformat().encode(), lambda data: dt.time.fromisoformat(data.decode())),
}


class Kept(NamedTuple):
    """Rows, and the stamps, by name, that they were read with."""

    names: tuple[bytes, ...]
    stamps: tuple[bytes, ...]
    rows: Rows


def _extended(value: Any) -> Any:
    for number, (kind, write, _) in _TYPES.items():
        if isinstance(value, kind):
            return msgpack.ExtType(number, write(value))
    raise TypeError(type(value))


def _plain(number: int, data: bytes) -> Any:
    return _TYPES[number][2](data)


def pack(names: Sequence[bytes], stamps: Sequence[bytes], rows: Rows) -> bytes | None:
    """What is written; None for what is too much, or of a type or size that MessagePack does not know."""
    if len(rows) > _MOST_ROWS:
        return None
    try:
        packed = msgpack.packb([list(names), list(stamps), [[*row] for row in rows]], default=_extended)
    except (OverflowError, TypeError, ValueError):
        return None
    data = cast("bytes", packed)
    return data if len(data) <= _LARGEST else None


def unpack(data: bytes) -> Kept | None:
    """What was written; None for what we have not written."""
    try:
        names, stamps, rows = msgpack.unpackb(data, ext_hook=_plain, use_list=False)
        kept = Kept(tuple(names), tuple(stamps), [tuple(row) for row in rows])
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        return None
    return kept if len(kept.names) == len(kept.stamps) and _are_bytes(kept) else None


def _are_bytes(kept: Kept) -> bool:
    return all(type(part) is bytes for part in (*kept.names, *kept.stamps))
