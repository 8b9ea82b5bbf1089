"""Questions as keys: two calls have the same key only if they ask the same."""

import datetime as dt
import uuid
from collections.abc import Hashable, Sequence
from typing import Any

__all__ = ["question", "row_question", "statement_question", "typed"]

# Equal values of these are the same to every database. Not so those of subclasses, which may compare as they like, and of
# datetime, whose `fold` is left out when two are compared: what has other values is asked as SQL instead.
_EXACT = frozenset({str, int, bool, bytes, type(None), uuid.UUID, dt.date})


# What lists thousands of values is hardly asked twice, and would hold them all.
_LONGEST = 2000


def typed(value: Any) -> tuple[type, Any]:
    """A value with its type; the key of a row's entry where the row has this key and no other part."""
    kind = type(value)
    # A UUID is hashed by Python code, and each lookup does so several times; its number stands for it.
    return (kind, value.int if kind is uuid.UUID else value)


def row_question(key: tuple[Any, ...]) -> Hashable:
    """The key of a row's entry."""
    if len(key) == 1 and type(key[0]) in _EXACT:
        return typed(key[0])
    return ("row", *key)  # exact as well: a field that can be a key takes values of one type only


def question(operation: str, *arguments: Any) -> Hashable | None:
    """The key of a call with these arguments; None where it cannot be told from them alone.

    To Python 1, 1.0 and True are equal; to the database they need not be, so types are part of it.
    """
    parts: list[Any] = [operation]
    try:
        for argument in arguments:
            _add(argument, parts)
    except (TypeError, RecursionError):
        return None
    return tuple(parts) if len(parts) <= _LONGEST else None


def statement_question(sql: str, values: Sequence[Any]) -> Hashable | None:
    """The key of a statement with these values, which are as the database gets them; None where there are too many.

    What a call lists is one value to PostgreSQL and several to SQLite.
    """
    parts: list[Any] = [sql]
    for value in values:
        if type(value) is list:
            parts += (list, len(value))
            for item in value:
                parts += (type(item), item)
        else:
            parts += (type(value), value)
    return tuple(parts) if len(parts) <= _LONGEST + 1 else None


def _add(value: Any, parts: list[Any]) -> None:
    # Every value begins with its type, and every container says how many values follow: no two lists of parts are the same
    # unless all values are.
    kind = type(value)
    if kind in _EXACT:
        parts += typed(value)
    elif kind is float:
        parts += (kind, repr(value))  # 0.0 and -0.0 are equal, too, and differ as JSON
    elif kind is dict:
        parts += (kind, len(value))
        for name, item in value.items():
            if type(name) is not str:
                raise TypeError(name)
            parts.append(name)
            _add(item, parts)
    elif kind is list or kind is tuple:
        parts += (kind, len(value))
        for item in value:
            _add(item, parts)
    else:
        raise TypeError(kind)
