"""How SQLite finds the rows of a statement, to compare what the generator explains with what the runtime sends."""

import re
import sqlite3

__all__ = ["plan"]

_ACCESS = re.compile(r"(SCAN|SEARCH) \S+")
_NUMBER = re.compile(r"(?<=SUBQUERY) \d+")
_VALUE = re.compile(r"'(?:[^']|'')*'|\?|(?<= = )[01]\b")


def plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    """What is read and sorted, in what order: with no value known, whatever tables are called and whichever columns are read."""
    rows = connection.execute(f"EXPLAIN QUERY PLAN {_VALUE.sub(':given', sql)}", {"given": None}).fetchall()
    # What looks into a list or a JSON value reads no table of ours, nor does a subquery that does nothing else.
    left = [row for row in rows if "VIRTUAL TABLE" not in row[3]]
    parents = {parent for _, parent, *_ in left}
    left = [row for row in left if "SUBQUERY" not in row[3] or row[0] in parents]
    return [_NUMBER.sub("", _ACCESS.sub(r"\1", row[3]).replace("COVERING ", "")) for row in left]
