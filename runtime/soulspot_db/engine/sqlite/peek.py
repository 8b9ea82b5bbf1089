"""A look into a SQLite file without opening a database: no lanes, no WAL, nothing created."""

import sqlite3
from contextlib import closing
from pathlib import Path

from soulspot_db.engine.base import Rows

__all__ = ["MAGIC", "peek"]

MAGIC = b"SQLite format 3\0"
"""How a database file begins."""


def peek(path: Path, sql: str, *, timeout: float) -> Rows:
    """The rows that `sql` finds in the file at `path`; none where there is no such file, table or database.

    Args:
        path: the database file; it is opened read-only.
        sql: a SELECT.
        timeout: seconds to wait for a lock.
    """
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout)) as connection:
            return connection.execute(sql).fetchall()
    except sqlite3.Error:
        # Whoever opens the database next says what is wrong with it.
        return []
