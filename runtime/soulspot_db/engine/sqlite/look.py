"""A connection to a SQLite file for who looks at it from outside: nothing is created, changed or tidied up."""

import sqlite3
from pathlib import Path

from soulspot_db.engine.sqlite.errors import translate, wrong_path
from soulspot_db.errors import ConnectionFailedError

__all__ = ["connect_to_look"]


def connect_to_look(path: Path, *, patience: float) -> sqlite3.Connection:
    """A connection that refuses every write.

    Args:
        path: the database file.
        patience: seconds to wait for a lock.

    Raises:
        ConnectionFailedError: there is no such file, it cannot be read, or it is no database.
        LockedError: another process keeps it for itself.
    """
    # Who may write moves a log that was left into the file when it closes; who may not leaves behind the log that it had
    # to make. So one that is there is left alone, and one that is not goes as it came.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    if not path.exists() and wrong_path(str(path)) is None:
        raise ConnectionFailedError(
            f"there is no database {path}",
            "If it is a new one: soulspot-db migrate makes it.",
            "Otherwise set DATABASE to the file that SoulSpot uses.",
            database_path=str(path),
        )
    raw = None
    try:
        raw = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=patience, isolation_level=None
        )
        raw.execute("PRAGMA query_only = ON")
        raw.execute("SELECT count(*) FROM sqlite_master").fetchone()  # whether it is a database
    except sqlite3.Error as error:
        if raw is not None:
            raw.close()
        raise translate(error, "PRAGMA", str(path)) from error
    return raw
