"""A look into a SQLite file without opening a database: no lanes, no WAL, nothing created."""

import sqlite3
from contextlib import closing
from pathlib import Path

from soulspot_db.engine.base import Rows
from soulspot_db.engine.sqlite_errors import translate

__all__ = ["peek", "require_usable"]


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


def require_usable(path: Path, *, timeout: float) -> None:
    """Make sure that the file at `path` can be opened, or made.

    Raises:
        ConnectionFailedError: the folder is missing, or the file is not a database.
    """
    sql = "SELECT 1 FROM sqlite_master"
    try:
        with closing(sqlite3.connect(path, timeout=timeout)) as connection:
            connection.execute(sql).fetchone()
    except sqlite3.Error as error:
        raise translate(error, sql, str(path)) from error
