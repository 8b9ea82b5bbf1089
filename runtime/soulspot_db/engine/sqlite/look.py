"""A connection to a SQLite file for who looks at it from outside: nothing is created, changed or tidied up."""

import sqlite3
from pathlib import Path

from soulspot_db.copies.files import real_file
from soulspot_db.engine.sqlite.errors import translate, wrong_path
from soulspot_db.errors import ConnectionFailedError, DatabaseError

__all__ = ["connect_to_look"]

_NO_PLACE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


def connect_to_look(path: Path, *, patience: float, check_same_thread: bool = True) -> sqlite3.Connection:
    """A connection that refuses every write.

    Args:
        path: the database file, or a link to it.
        patience: seconds to wait for a lock.
        check_same_thread: whether it refuses to be used in another thread than that which opened it.

    Raises:
        ConnectionFailedError: there is no such file, it cannot be read, or it is no database.
        LockedError: another process keeps it for itself.
    """
    if not path.exists() and wrong_path(str(path)) is None:
        raise ConnectionFailedError(
            f"there is no database {path}",
            "If it is a new one: soulspot-db migrate makes it.",
            "Otherwise set DATABASE to the file that SoulSpot uses.",
            database_path=str(path),
        )
    # SQLite keeps its log beside the file itself, and not beside a link to it.
    file = real_file(path)
    log = file.with_name(f"{file.name}-wal")
    # Who may write moves a log that was left into the file when it closes; who may not leaves behind the log that it had
    # to make. So one that is there is left alone, and one that is not goes as it came.
    mode = "mode=ro" if log.exists() else "mode=rw"
    try:
        return _opened(file, mode, patience, check_same_thread=check_same_thread)
    except DatabaseError as error:
        code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
        if code not in _NO_PLACE or (log.exists() and log.stat().st_size):
            raise
    # Where nothing can be made beside it, such as on a disk that is read-only, nobody writes it at the same time either. Only
    # there: read so, no lock is waited for, and what another one writes meanwhile would be half in it.
    return _opened(file, "immutable=1", patience, check_same_thread=check_same_thread)


def _opened(file: Path, how: str, patience: float, *, check_same_thread: bool) -> sqlite3.Connection:
    raw = None
    try:
        raw = sqlite3.connect(
            f"{file.as_uri()}?{how}",
            uri=True,
            timeout=patience,
            isolation_level=None,
            check_same_thread=check_same_thread,
        )
        raw.execute("PRAGMA query_only = ON")
        raw.execute("SELECT count(*) FROM sqlite_master").fetchone()  # whether it is a database
    except sqlite3.Error as error:
        if raw is not None:
            raw.close()
        raise translate(error, "PRAGMA", str(file)) from error
    return raw
