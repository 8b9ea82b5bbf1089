"""A look for damage that costs little, however large the file is."""

import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["sample"]

_SMALL = 32_000_000  # bytes that are looked through in a few dozen milliseconds
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def sample(path: Path) -> list[str]:
    """The first fault of a file, found by a connection that has read nothing yet; of a large one only its schema is read.

    Args:
        path: a database file, which others may use.

    Returns:
        The fault in SQLite's words; nothing where none was found, or where somebody keeps the file from being read now.
    """
    try:
        is_small = path.stat().st_size <= _SMALL
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
            if not is_small:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                return []
            found = [str(text) for (text,) in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as error:
        return [str(error)] if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED else []
    return [] if found == ["ok"] else found
