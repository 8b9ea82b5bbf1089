"""How SQLite finds the rows of a statement, to compare what the generator explains with what the runtime sends."""

import re
import sqlite3

__all__ = ["plan"]

_ACCESS = re.compile(r"(SCAN|SEARCH) \S+")
_VALUE = re.compile(r"'(?:[^']|'')*'|\?")


def plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    """What is read and sorted, in what order: with no value known, whatever tables are called and whichever columns are read."""
    rows = connection.execute(f"EXPLAIN QUERY PLAN {_VALUE.sub(':given', sql)}", {"given": None})
    return [_ACCESS.sub(r"\1", row[3]).replace("COVERING ", "") for row in rows if "json_each" not in row[3]]
