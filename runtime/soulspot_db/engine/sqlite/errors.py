"""From SQLite's error codes to ours."""

import re
import sqlite3
from pathlib import Path
from typing import Any

from soulspot_db.engine.errors import refused_by_constraint
from soulspot_db.errors import (
    CommitOutcomeUnknownError,
    ConnectionFailedError,
    ConstraintViolationError,
    DatabaseError,
    DiskFullError,
    LockedError,
    QueryFailedError,
    ValidationFailedError,
)

__all__ = ["locked_by_others", "translate"]

_CONSTRAINTS = {
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "primary key",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "primary key",
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "unique",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "foreign key",
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "not null",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "check",
}
_CONNECTION = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}
# How SQLite names a unique index over expressions, which has no columns to name.
_INDEX = re.compile(r"index '(?P<name>.*)'")
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def translate(error: BaseException, sql: str, path: str) -> DatabaseError:
    """The error to raise for what the driver raised while it ran `sql`."""
    extended = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR
    primary = extended & 0xFF
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return _constraint(error, extended)
    if primary in _BUSY:
        return locked_by_others(query=sql)
    if primary == sqlite3.SQLITE_FULL:
        return DiskFullError(
            "there is no room to write",
            f"Free space on the disk of {path}, then call again: nothing was written.",
            "If the disk has room, look for a quota, and for a full folder of temporary files.",
            database_path=path,
            query=sql,
        )
    if primary in _CONNECTION:
        return _unusable(error, primary, sql, path)
    if isinstance(error, (sqlite3.InterfaceError, sqlite3.ProgrammingError)) or primary == sqlite3.SQLITE_MISMATCH:
        return ValidationFailedError("a value cannot be stored", "Check the types of the values.", query=sql)
    return QueryFailedError(
        f"the statement failed: {error}",
        "If a table or column is missing, run `soulspot-db migrate` or `await db.create_table(...)`.",
        query=sql,
    )


def _unusable(error: BaseException, primary: int, sql: str, path: str) -> DatabaseError:
    if primary == sqlite3.SQLITE_IOERR and sql == "COMMIT":
        # In WAL mode the whole transaction is in the log before it is synced and made visible. If one of these fails, it
        # is not seen now; but whoever opens the file first after a crash finds it there, unless a later COMMIT has
        # overwritten it (`walFrames` and `walIndexRecover` in SQLite's wal.c).
        return CommitOutcomeUnknownError(
            f"the disk failed during COMMIT: {error}; the transaction may be stored, or nothing of it",
            f"Check the disk of {path}.",
            "Read what was to be written before you write it again.",
            database_path=path,
        )
    folder = Path(path).absolute().parent
    if primary == sqlite3.SQLITE_CANTOPEN and not folder.is_dir():
        return ConnectionFailedError(
            f"the folder {folder} does not exist",
            f"If that is where the database is to be: mkdir -p {folder}",
            "Otherwise correct DATABASE, in the environment or in .env.",
            database_path=path,
        )
    return ConnectionFailedError(
        f"the database file cannot be used: {error}",
        f"Check that {path} is a SQLite database and that its folder is writable.",
        "Restore a backup if the file is damaged.",
        database_path=path,
    )


def locked_by_others(**context: Any) -> LockedError:
    """The error for a lock that another process has kept."""
    return LockedError(
        "another process kept the database locked",
        "Find the other process that writes this file. One long transaction there, or very many short ones, keep others out.",
        "Raise DATABASE_POOL_TIMEOUT if it only needs longer.",
        **context,
    )


def _constraint(error: BaseException, extended: int) -> ConstraintViolationError:
    kind = _CONSTRAINTS.get(extended, "constraint")
    # The code says which kind it is; the columns or the constraint's name are to be had in the message alone.
    subject = str(error).partition(": ")[2]
    field = constraint = None
    index = _INDEX.fullmatch(subject)
    if index is not None:
        constraint = index["name"]
    elif kind == "check":
        constraint = subject or None
    elif subject:
        columns = [part.strip().rpartition(".") for part in subject.split(",")]
        field = ", ".join(column for _, _, column in columns)
        constraint = f"{kind} ({subject})"
    return refused_by_constraint(kind, subject, constraint=constraint, field=field)
