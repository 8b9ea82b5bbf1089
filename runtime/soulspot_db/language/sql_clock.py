"""Whether the answer to an SQL text depends on more than the tables and its parameters: on the clock, on chance, on the server."""

from collections.abc import Sequence

from soulspot_db.language.sql_statement import SqlStatement
from soulspot_db.language.sql_tokens import Token

__all__ = ["is_timed", "reads_times"]

_WORDS = frozenset(
    {"current_timestamp", "current_time", "current_date", "localtime", "localtimestamp", "now", "age", "timeofday"}
    | {"clock_timestamp", "statement_timestamp", "transaction_timestamp"}
    | {"random", "randomblob", "random_normal", "gen_random_uuid", "gen_random_bytes", "uuidv4", "uuidv7"}
    | {"nextval", "currval", "lastval", "changes", "total_changes", "last_insert_rowid"}
    | {"current_user", "session_user", "current_setting", "tablesample"}
)
_STRINGS = frozenset({"now", "today", "tomorrow", "yesterday", "subsec", "subsecond", "localtime", "utc"})
# Of these, SQLite takes the time of the clock for an argument that is not given.
_LEAST = {"date": 1, "time": 1, "datetime": 1, "julianday": 1, "unixepoch": 1, "timediff": 1, "strftime": 2}


def is_timed(statement: SqlStatement) -> bool:
    """Whether the same text with the same values may find something else in the same rows."""
    marks = statement.marks
    return any(
        mark.word in _WORDS
        or mark.word.startswith("pg_")
        or (mark.kind == "string" and mark.text.strip("eE'").strip().lower() in _STRINGS)
        or _lacks_time(marks, at)
        for at, mark in enumerate(marks)
    )


def reads_times(statement: SqlStatement) -> bool:
    """Whether it reads text as a time, which the text 'now' is as well."""
    return not _LEAST.keys().isdisjoint(statement.words)


def _lacks_time(marks: Sequence[Token], at: int) -> bool:
    """Whether a function is called without the argument for which SQLite then takes the time of the clock."""
    least, inside = _LEAST.get(marks[at].word, 0), marks[at + 2 :]
    if not least or at + 1 >= len(marks) or marks[at + 1].text != "(":
        return False
    depth = marks[at].depth
    end = next((place for place, mark in enumerate(inside) if mark.depth == depth), len(inside))
    given = sum(mark.text == "," and mark.depth == depth + 1 for mark in inside[:end]) + bool(end)
    return given < least
