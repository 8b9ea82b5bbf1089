"""A copy of a database brought back: looked at first, and put in place as a whole; what was there is kept."""

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from soulspot_db.copies.files import (
    as_private_as,
    begins_with,
    files_tell,
    require_room,
    size_of,
    tidy,
    to_disk,
    unfinished,
)
from soulspot_db.copies.names import is_named_as_copy
from soulspot_db.engine.postgresql.driver import driver_missing
from soulspot_db.engine.postgresql.dump import revision_in, undump
from soulspot_db.engine.sqlite.copy import copy, damage, orphans
from soulspot_db.engine.sqlite.peek import MAGIC, peek
from soulspot_db.errors import ConfigurationError, ConnectionFailedError, SchemaAheadError
from soulspot_db.maintenance.backup import Progress
from soulspot_db.migrations.version import REVISION, VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["Restored", "restore_from"]

_ANY_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table'"
_TABLES = """SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What `restore_from` has done.

    `kept` is the database that was there before, if there was one; `revision` where the database is now, and `pending` how many
    revisions are to be applied to it.
    """

    kept: Path | None
    revision: str | None
    pending: int


def restore_from(
    settings: DatabaseSettings,
    file: Path,
    migrations: Callable[[], Path],
    progress: Progress = lambda _done, _total: None,
) -> Restored:
    """Make a copy the database again. Not to be called in a process that has the database open.

    On SQLite the old database is kept beside it. On PostgreSQL the database must be empty.

    Args:
        settings: which database.
        file: made by `back_up_to` or before a migration.
        migrations: finds the migrations folder; asked where the copy has a revision.
        progress: told of it, on SQLite.

    Raises:
        ConfigurationError: the file cannot be it, or `pg_restore` is missing, or the database is not empty.
        ConnectionFailedError: the file is damaged.
        SchemaAheadError: its revision is not known to the code.
        LockedError: another process has the database open.
        DiskFullError: there is no room.
    """
    with files_tell("restore"):
        if not file.is_file():
            raise ConfigurationError(f"there is no file {file}", "Name a copy that `soulspot-db backup` has made.")
        if settings.database_type == "sqlite":
            return _restore_file(settings, file, migrations, progress)
        revision = revision_in(settings, file, VERSION_TABLE)
        pending = _pending(file, revision, migrations)
        _require_empty(settings)
        undump(settings, file)
        return Restored(None, revision, pending)


def _restore_file(
    settings: DatabaseSettings, file: Path, migrations: Callable[[], Path], progress: Progress
) -> Restored:
    from soulspot_db.engine.sqlite.replace import put_in_place, require_unused  # noqa: PLC0415 - not on every system

    path = settings.database_path.resolve()  # a link stays one
    kept = path.with_name(f"{path.stem}.before-restore.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{path.suffix}")
    _require_other(file, path)
    require_unused(path)
    tidy(path.parent, rf"{re.escape(path.name)}|{re.escape(path.stem)}\.before-restore\..*")
    require_room(
        path.parent,
        size_of(file) + size_of(path),
        f"{file}, and a copy of what is there now, need up to",
        "Free space there: nothing was changed.",
        operation="restore",
    )
    with unfinished(path) as new:
        _give_to_owner(new, path if path.exists() else path.parent)
        as_private_as(path if path.exists() else file, new)  # before anything is in it
        _copy(file, new, settings, progress)
        revision = _sound(file, new)
        if revision is None and not is_named_as_copy(settings, file):
            _require_no_revision(file, path)
        pending = _pending(file, revision, migrations)
        to_disk(new)
        was_there = put_in_place(new, path, kept)
    return Restored(kept if was_there else None, revision, pending)


def _require_other(file: Path, path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigurationError(f"there is no folder {path.parent}", "Make it, or correct DATABASE.")
    if path.exists() and file.samefile(path):
        raise ConfigurationError(f"{file} is the database itself", "Name a copy that `soulspot-db backup` has made.")
    if not begins_with(file, MAGIC):
        raise _unfit(f"{file} is not a SQLite database")


def _give_to_owner(new: Path, of: Path) -> None:
    """Let the user who owns the database own the new one, where root restores it for another."""
    owner, own = of.stat(), new.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (own.st_uid, own.st_gid):
        os.chown(new, owner.st_uid, owner.st_gid)


def _copy(file: Path, new: Path, settings: DatabaseSettings, progress: Progress) -> None:
    try:
        copy(file, new, patience=settings.pool_timeout, progress=progress)
    except ConnectionFailedError as error:
        if not error.context.get("damaged"):
            raise
        raise _unfit(f"{file} is damaged: {error.__cause__}") from error


def _sound(file: Path, new: Path) -> str | None:
    """The revision of a copy in which nothing is wrong."""
    if faults := damage(new):
        raise _unfit(f"{file} is damaged: {'; '.join(faults)}")
    if tables := orphans(new):
        raise _unfit(f"{file} has rows that refer to rows which are not there, in {', '.join(tables)}")
    found = peek(new, REVISION, timeout=0)
    return str(found[0][0]) if found else None


def _require_no_revision(file: Path, path: Path) -> None:
    """Refuse the database of another program: one that no migration has made, in the place of one that they have."""
    # An empty file is not looked into: SQLite would remove the log beside it.
    has_tables = path.exists() and path.stat().st_size and peek(path, _ANY_TABLE, timeout=0)
    if has_tables and not peek(path, REVISION, timeout=0):
        return  # a program without migrations, whose copy has none, too
    raise ConfigurationError(
        f"{file} is a database, and not one of soulspot-db: no migration was applied to it",
        "Name a copy that `soulspot-db backup` has made of this database.",
        "Nothing was changed.",
        operation="restore",
    )


def _pending(file: Path, revision: str | None, migrations: Callable[[], Path]) -> int:
    """How many revisions are to be applied to a copy."""
    if revision is None:
        return 0
    from soulspot_db.migrations.revisions import compare, open_revisions  # noqa: PLC0415 - Alembic, where it is needed

    state = compare(open_revisions(migrations()), revision)
    if state.ahead:
        raise SchemaAheadError(
            f"{file} is at revision {revision}, which this version of the code does not know",
            "Install the version that wrote it, or a newer one, and restore it then.",
            "Nothing was changed.",
            current=revision,
            head=state.head,
            operation="restore",
        )
    return len(state.pending)


def _require_empty(settings: DatabaseSettings) -> None:
    try:
        from soulspot_db.engine.postgresql.peek import peek_server  # noqa: PLC0415 - only who uses it has its driver
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise driver_missing() from error
    ((tables,),) = asyncio.run(peek_server(settings, _TABLES))
    if tables:
        name = settings.servers.name
        raise ConfigurationError(
            f"the database {settings.address} has {tables} table{'' if tables == 1 else 's'}; it is restored into an empty one",
            f"Make another one, `createdb {name}_restored`, and name it in DATABASE.",
            f"Or keep this one under another name first: ALTER DATABASE {name} RENAME TO {name}_old; then `createdb {name}`.",
            "Nothing was changed.",
            operation="restore",
        )


def _unfit(message: str) -> ConnectionFailedError:
    return ConnectionFailedError(message, "Name another copy.", "Nothing was changed.", operation="restore")
