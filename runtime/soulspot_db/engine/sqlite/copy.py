"""A copy of a SQLite file as it is at one moment, whoever reads and writes it meanwhile; and whether a file is sound."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from soulspot_db.engine.sqlite.connection import connect
from soulspot_db.engine.sqlite.errors import IS_DAMAGED, translate
from soulspot_db.engine.sqlite.look import connect_to_look

__all__ = ["copy", "damage", "orphans"]

_PAGES = 2_000  # between two words of progress
_MOST = 3  # what is damaged is told by its first faults


def copy(
    source: Path, target: Path, *, patience: float, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> None:
    """Copy all that is committed in `source`, from its write-ahead log too, over `target`.

    Args:
        source: a database file.
        target: a file that nobody else uses.
        patience: seconds to wait for a lock.
        progress: told now and then how many pages of how many are copied.

    Raises:
        DatabaseError: what prevents it.
    """
    with (
        closing(connect_to_look(source, patience=patience)) as old,
        closing(connect(str(target), (), patience=0)) as new,
    ):
        try:
            # What others commit while the pages are copied would have SQLite begin again, and under steady writes never end.
            old.execute("BEGIN")
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            raise translate(error, "backup", str(source)) from error
        try:
            old.backup(new, pages=_PAGES, progress=lambda _status, left, total: progress(total - left, total))
        except sqlite3.Error as error:
            raise translate(error, "backup", str(target)) from error


def damage(path: Path) -> list[str]:
    """What is wrong with a file, its first faults; nothing where it is sound. It reads the whole file.

    Raises:
        DatabaseError: what prevents it.
    """
    with closing(connect(str(path), (), patience=0)) as connection:
        try:
            found = [str(text) for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST})")]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in IS_DAMAGED:
                raise translate(error, "backup", str(path)) from error
            found = [str(error)]
    return [] if found == ["ok"] else found


def orphans(path: Path) -> list[str]:
    """The tables of a sound file that have rows which refer to rows that are not there."""
    with closing(connect(str(path), (), patience=0)) as connection:
        try:
            return sorted({str(table) for table, *_ in connection.execute("PRAGMA foreign_key_check")})
        except sqlite3.Error as error:
            raise translate(error, "backup", str(path)) from error
