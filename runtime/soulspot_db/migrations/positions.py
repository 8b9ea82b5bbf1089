"""A row's key as text, and back: where a loop over rows has come to."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from soulspot_db.errors import MigrationError

__all__ = ["dump_position", "load_position"]

_READERS: dict[str, Callable[[str], Any]] = {
    "uuid": UUID,
    "decimal": Decimal,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
}
_NAMES = ((UUID, "uuid"), (Decimal, "decimal"), (dt.datetime, "datetime"), (dt.date, "date"), (dt.time, "time"))


def dump_position(key: Sequence[Any]) -> str:
    """A key as text.

    Raises:
        MigrationError: a column of it is of a type that no loop can go by.
    """
    return json.dumps(list(map(_plain, key)))


def load_position(text: str) -> list[Any]:
    """The key again."""
    return [_READERS[part[0]](part[1]) if isinstance(part, list) else part for part in json.loads(text)]


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return [name, str(value)]
    raise MigrationError(
        f"a loop over batches cannot go by a key of the type {type(value).__name__}",
        "Name the primary key's columns in `key=`, text, numbers, uuids or times.",
        operation="migrate",
    )
