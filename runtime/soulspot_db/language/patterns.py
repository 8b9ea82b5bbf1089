"""Text that is like a pattern, on both databases alike: exactly, or with ASCII letters of either case."""

import re
from typing import Literal

from soulspot_db.language.text import ascii_lower

__all__ = ["ESCAPE", "TEXT_OPERATORS", "matches", "pattern", "symbol"]

_AROUND = {"starts_with": ("", "%"), "ends_with": ("%", ""), "contains": ("%", "%")}
_WILD = re.compile(r"[%_\\]")
_PART = re.compile(r"\\(.)|(.)", re.DOTALL)
_GLOB = {"%": "*", "_": "?"}
_REGEX = {"%": ".*", "_": "."}

ESCAPE = "\\"
"""Takes the meaning of the character that follows; SQLite has to be told so each time."""

TEXT_OPERATORS = frozenset({"ieq", "trimmed_ieq", "like", "ilike", *_AROUND, *(f"i{name}" for name in _AROUND)})


def symbol(operator: str, dialect: Literal["sqlite", "postgresql"]) -> str:
    """The operator of SQL, but for `ieq`, which is `lower(...) =`, and `trimmed_ieq`, which is `lower(trim(...)) =`.

    SQLite's LIKE takes letters of either case for the same, its GLOB does not. Columns compare by code point, for which
    PostgreSQL's ILIKE folds ASCII alone, as SQLite's LIKE always does.
    """
    folds = operator.startswith("i")
    if dialect == "sqlite":
        return "LIKE" if folds else "GLOB"
    return "ILIKE" if folds else "LIKE"


def pattern(operator: str, text: str, dialect: Literal["sqlite", "postgresql"]) -> str:
    """What stands on the right of it; a backslash takes the meaning of the character that follows."""
    if operator == "ieq":
        return ascii_lower(text)
    if operator == "trimmed_ieq":
        return ascii_lower(text.strip(" "))
    around = _AROUND.get(operator.removeprefix("i"))
    if around is not None:
        text = around[0] + _WILD.sub(r"\\\g<0>", text) + around[1]
    return _glob(text) if symbol(operator, dialect) == "GLOB" else text


def _glob(like: str) -> str:
    parts = _PART.findall(like)
    return "".join(_plain(escaped) if escaped else _GLOB.get(other, _plain(other)) for escaped, other in parts)


def _plain(character: str) -> str:
    return f"[{character}]" if character in "*?[" else character


def matches(operator: str, text: str, wanted: str) -> bool:
    """Whether `text` is like `wanted`, told without a database."""
    if operator == "ieq":
        return ascii_lower(text) == ascii_lower(wanted)
    if operator == "trimmed_ieq":
        return ascii_lower(text.strip(" ")) == ascii_lower(wanted.strip(" "))
    like = pattern(operator, wanted, "postgresql")
    if operator.startswith("i"):
        text, like = ascii_lower(text), ascii_lower(like)
    regex = "".join(_REGEX.get(other) or re.escape(escaped or other) for escaped, other in _PART.findall(like))
    return re.fullmatch(regex, text, re.DOTALL) is not None
