"""The copy of a database that is made before it is migrated, beside it, and kept."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from soulspot_db.copies.files import as_private_as, finish, megabytes, require_room, tidy, unfinished
from soulspot_db.copies.names import migration_names
from soulspot_db.engine.sqlite.copy import copy
from soulspot_db.settings import DatabaseSettings

__all__ = ["back_up", "has_tables", "newest_backup"]


def has_tables(connection: Connection) -> bool:
    """Whether there is anything to lose."""
    found = (
        "SELECT 1 FROM sqlite_master WHERE type = 'table'"
        if connection.dialect.name == "sqlite"
        else "SELECT 1 FROM pg_tables WHERE schemaname = current_schema()"
    )
    return connection.exec_driver_sql(found).first() is not None


def back_up(settings: DatabaseSettings, connection: Connection, revision: str | None) -> Path:
    """Copy the database.

    Args:
        settings: which database.
        connection: one that has the write lock and has written nothing yet, so that the copy is what is migrated.
        revision: where it is, for the name.

    Returns:
        The copy: `soulspot.before-migration.<revision>.<time, UTC>.db`.

    Raises:
        DiskFullError: there is no room for the copy and for the migration after it.
    """
    path = settings.database_path
    size = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    size *= connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    # Once for the copy, once for the tables that are rebuilt: the migration must not fill the disk of a running system.
    require_room(
        path.parent,
        2 * size,
        f"{path} has {megabytes(size)}; a backup and the migration need",
        f"Free space on the disk of {path}, then migrate again: nothing was changed.",
        "Or copy the database to another disk yourself, and run: soulspot-db migrate --no-backup",
        operation="migrate",
    )
    final = _unused(path, revision)
    tidy(path.parent, migration_names(path))
    with unfinished(final) as copied:
        as_private_as(path, copied)  # before anything is in it
        copy(path, copied, patience=settings.pool_timeout)
        finish(copied, final)
    return final


def newest_backup(path: Path, revisions: Collection[str]) -> Path | None:
    """The newest copy beside a database that was made while it was at one of these revisions; "none" is before the first."""
    found = [
        (match[2], int(match[3] or 1), other)
        for other in path.absolute().parent.iterdir()
        if (match := re.fullmatch(migration_names(path), other.name)) and match[1] in revisions
    ]
    return max(found)[-1] if found else None


def _unused(path: Path, revision: str | None) -> Path:
    # Only one process at a time comes here, because it has the database's write lock.
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"{path.stem}.before-migration.{revision or 'none'}.{time}"
    names = (f"{stem}{f'-{number}' if number > 1 else ''}{path.suffix}" for number in range(1, 1000))
    return next(found for name in names if not (found := path.with_name(name)).exists())
