"""A copy of a SQLite file as it is at one moment, whoever reads and writes it meanwhile."""

import sqlite3
from contextlib import closing
from pathlib import Path

from soulspot_db.engine.sqlite.connection import connect
from soulspot_db.engine.sqlite.errors import translate

__all__ = ["copy"]


def copy(source: Path, target: Path, *, patience: float) -> None:
    """Copy all that is committed in `source`, from its write-ahead log too, over `target`.

    Args:
        source: a database file.
        target: a file that nobody else uses.
        patience: seconds to wait for a lock.

    Raises:
        DatabaseError: what prevents it.
    """
    with (
        closing(connect(str(source), (), patience=patience)) as old,
        closing(connect(str(target), (), patience=0)) as new,
    ):
        try:
            old.backup(new)
        except sqlite3.Error as error:
            raise translate(error, "backup", str(target)) from error
