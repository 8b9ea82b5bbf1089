"""From SQLite's error codes to ours."""

import os
import re
import sqlite3
from pathlib import Path
from typing import Any, TypeVar

from soulspot_db.copies.names import newest_copy
from soulspot_db.engine.errors import refused_by_constraint
from soulspot_db.errors import (
    CommitOutcomeUnknownError,
    ConnectionFailedError,
    ConstraintViolationError,
    DatabaseError,
    DiskFullError,
    LockedError,
    PoolExhaustedError,
    QueryFailedError,
    ValidationFailedError,
)
from soulspot_db.settings import DatabaseSettings

__all__ = ["IS_DAMAGED", "locked_by_others", "no_reader", "no_writer", "translate", "with_newest_copy", "wrong_path"]

E = TypeVar("E", bound=BaseException)
_CONSTRAINTS = {
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "primary key",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "primary key",
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "unique",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "foreign key",
    # What ON DELETE RESTRICT is to SQLite, whose rules for foreign keys are triggers. Our tables have no others.
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: "foreign key",
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
_RESTORE = "soulspot-db restore"
IS_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""What SQLite says of a file that was damaged, or was never a database."""


def translate(error: BaseException, sql: str, path: str) -> DatabaseError:
    """The error to raise for what the driver raised while it ran `sql`."""
    extended = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR
    primary = extended & 0xFF
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return _constraint(error, extended)
    if primary in _BUSY:
        return locked_by_others(path, query=sql)
    if primary == sqlite3.SQLITE_FULL:
        return DiskFullError(
            "there is no room to write",
            f"Free space on the disk of {path}, then call again: this statement has stored nothing.",
            "If the disk has room, look for a quota, and for a full folder of temporary files.",
            database_path=path,
            query=sql,
        )
    if primary in _CONNECTION:
        return _unusable(error, extended, sql, path)
    if isinstance(error, (sqlite3.InterfaceError, sqlite3.ProgrammingError)) or primary == sqlite3.SQLITE_MISMATCH:
        return ValidationFailedError("a value cannot be stored", "Check the types of the values.", query=sql)
    return QueryFailedError(
        f"the statement failed: {error}",
        "If a table or column is missing, run `soulspot-db migrate` or `await db.create_table(...)`.",
        query=sql,
    )


def _unusable(error: BaseException, extended: int, sql: str, path: str) -> DatabaseError:
    primary = extended & 0xFF
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
    if primary == sqlite3.SQLITE_CANTOPEN and (wrong := wrong_path(path)):
        return wrong
    if primary == sqlite3.SQLITE_READONLY:
        return _read_only(extended, folder, path)
    if primary == sqlite3.SQLITE_CANTOPEN and Path(path).exists() and not os.access(folder, os.W_OK):
        return _read_only(sqlite3.SQLITE_READONLY_DIRECTORY, folder, path)
    if primary in IS_DAMAGED:
        return ConnectionFailedError(
            f"the database file is damaged, or no SQLite database: {error}",
            f"If {path} was never the database, correct DATABASE.",
            "Otherwise stop all programs that use it, and leave the file as it is, with its -wal and -shm.",
            database_path=path,
            damaged=True,
        )
    return ConnectionFailedError(
        f"the database file cannot be used: {error}",
        f"Check that {path} is a SQLite database and that its folder is writable.",
        "Check the disk: the system's log says what it could not read or write.",
        database_path=path,
    )


def with_newest_copy(error: E, settings: DatabaseSettings) -> E:
    """The same error; one that says that the file is damaged names the backup to restore, or that there is none."""
    if not isinstance(error, DatabaseError) or not error.context.get("damaged") or _RESTORE in error.resolution:
        return error
    newest = newest_copy(settings)
    if newest is not None:
        path, at = newest
        return error.with_step(f"Bring the newest backup back, of {at:%Y-%m-%d %H:%M} UTC: {_RESTORE} {path}")
    where = settings.backup_path or "DATABASE_BACKUP_PATH (unset)"
    return error.with_step(
        f"There is no backup in {where}, and none from before a migration beside the file. "
        f"If you have one elsewhere: {_RESTORE} FILE"
    )


def wrong_path(path: str) -> ConnectionFailedError | None:
    """The error for a path at which no file can be; None where there may be one."""
    folder, correct = Path(path).absolute().parent, "Correct DATABASE, in the environment or in .env."
    steps: tuple[str, ...]
    if Path(path).is_dir():
        steps = (f"{path} is a folder; the database is a file in it", f"Name it: DATABASE={Path(path, 'soulspot.db')}")
    elif folder.is_dir():
        return None
    elif file := next((part for part in (folder, *folder.parents) if part.is_file()), None):
        steps = (f"{file} is a file, and {path} would be in it", correct)
    else:
        host, _, name = path.partition("/")
        server = [f"If it is a PostgreSQL server: DATABASE={host}:5432/{name}"] if host and "/" not in name else []
        make = f"If that is where the database is to be: mkdir -p {folder}"
        steps = (f"the folder {folder} does not exist", make, *server, f"Otherwise: {correct}")
    return ConnectionFailedError(*steps, database_path=path)


def _read_only(extended: int, folder: Path, path: str) -> ConnectionFailedError:
    if extended == sqlite3.SQLITE_READONLY_DIRECTORY:
        return ConnectionFailedError(
            f"the folder {folder} is read-only, and SQLite needs two files in it to read {path}: its -wal and its -shm",
            "Give the user who runs this program the right to write to the folder.",
            "Or copy the file to a folder that can be written to, and open the copy.",
            database_path=path,
        )
    return ConnectionFailedError(
        f"the file {path} is read-only (permissions or mount)",
        f"Give the user who runs this program the right to write to it and to {folder}, or mount the disk writable.",
        "Then open the database again. Until then it can be read.",
        database_path=path,
    )


def locked_by_others(path: str, **context: Any) -> LockedError:
    """The error for a lock that another process has kept, for as long as `timeout` in the context if that is known."""
    waited = f" for longer than {context['timeout']:g} s" if "timeout" in context else ""
    return LockedError(
        f"another process kept the database locked{waited}: {path}",
        f"Find the other process that writes this file: fuser -v {path}. "
        "One long transaction there, or very many short ones, keep others out.",
        "Raise DATABASE_POOL_TIMEOUT if it only needs longer.",
        database_path=path,
        holder="another process",
        **context,
    )


def no_reader(timeout: float) -> PoolExhaustedError:
    """The error where no lane that reads was free within `timeout` seconds."""
    return PoolExhaustedError(
        f"no reader was free within {timeout:g} s",
        "End long read-only transactions sooner.",
        "Raise DATABASE_CONNECTION_POOL_SIZE or DATABASE_POOL_TIMEOUT.",
        timeout=timeout,
    )


def no_writer(timeout: float, holder: str, held: float) -> LockedError:
    """The error where the lane that writes was not free within `timeout` seconds; `holder` has had it for `held` seconds."""
    return LockedError(
        f"the writer was not free within {timeout:g} s; {holder} has held it for {held:.1f} s",
        "Keep transactions short: no network calls inside `async with db.transaction()`.",
        "Raise DATABASE_POOL_TIMEOUT if the work really takes that long.",
        timeout=timeout,
        holder=holder,
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
