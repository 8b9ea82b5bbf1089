"""Whether the answer to an SQL text depends on more than the tables and its parameters: on the clock, on chance, on the server."""

import re
from collections.abc import Sequence

from soulspot_db.language.sql_statement import SqlStatement
from soulspot_db.language.sql_tokens import Token

__all__ = ["is_timed", "reads_times"]

_WORDS = frozenset(
    {"current_timestamp", "current_time", "current_date", "localtime", "localtimestamp", "now", "age", "timeofday"}
    | {"clock_timestamp", "statement_timestamp", "transaction_timestamp"}
    | {"random", "randomblob", "random_normal", "gen_random_uuid", "gen_random_bytes", "uuidv4", "uuidv7"}
    | {"nextval", "currval", "lastval", "changes", "total_changes", "last_insert_rowid"}
    | {
        "current_user",
        "session_user",
        "current_role",
        "current_schema",
        "current_schemas",
        "current_setting",
        "tablesample",
    }
    | {"txid_current", "inet_client_addr", "inet_client_port", "inet_server_addr", "inet_server_port"}
)
_STRING = re.compile(r"(?:[eE]?'|\$\w*\$)\s*(\w+)(?:\s+(?:allballs|\d[\d:.]*))?\s*(?:'|\$\w*\$)", re.IGNORECASE)
_STRINGS = frozenset({"now", "today", "tomorrow", "yesterday", "subsec", "subsecond", "localtime", "utc"})
# Of these, SQLite takes the time of the clock for an argument that is not given.
_LEAST = {"date": 1, "time": 1, "datetime": 1, "julianday": 1, "unixepoch": 1, "timediff": 1, "strftime": 2}


def is_timed(statement: SqlStatement) -> bool:
    """Whether the same text with the same values may find something else in the same rows."""
    marks = statement.marks
    if statement.dialect == "postgresql" and "user" in statement.words:  # who is asking; elsewhere a column
        return True
    return any(
        _is_moving(_called(marks, at)) or _is_moving_text(mark) or _lacks_time(marks, at)
        for at, mark in enumerate(marks)
    )


def _is_moving(name: str) -> bool:
    return name in _WORDS or name.startswith("pg_")


def _called(marks: Sequence[Token], at: int) -> str:
    """A word, or the name of a function, which may be quoted."""
    is_function = at + 1 < len(marks) and marks[at + 1].text == "("
    return marks[at].name.lower() if is_function else marks[at].word


def _is_moving_text(mark: Token) -> bool:
    """Whether it may be read as a time of the clock: 'now', 'today 10:00'."""
    found = _STRING.fullmatch(mark.text) if mark.kind == "string" else None
    return found is not None and found[1].lower() in _STRINGS


def reads_times(statement: SqlStatement) -> bool:
    """Whether it reads text as a time, which the text 'now' is as well."""
    return any(_called(statement.marks, at) in _LEAST for at in range(len(statement.marks)))


def _lacks_time(marks: Sequence[Token], at: int) -> bool:
    """Whether a function is called without the argument for which SQLite then takes the time of the clock."""
    least, inside = _LEAST.get(_called(marks, at), 0), marks[at + 2 :]
    if not least or at + 1 >= len(marks) or marks[at + 1].text != "(":
        return False
    depth = marks[at].depth
    end = next((place for place, mark in enumerate(inside) if mark.depth == depth), len(inside))
    given = sum(mark.text == "," and mark.depth == depth + 1 for mark in inside[:end]) + bool(end)
    return given < least
