"""Copies of a database for the person who runs SoulSpot: made while it is in use, looked at, and whole or not there."""

import re
from collections.abc import Callable
from pathlib import Path

from soulspot_db.copies.files import (
    BESIDE,
    as_private_as,
    begins_with,
    files_tell,
    finish,
    named,
    require_room,
    size_of,
    tidy,
    unfinished,
)
from soulspot_db.copies.names import backup_name, backup_names
from soulspot_db.engine.postgresql.dump import ARCHIVE, dump
from soulspot_db.engine.sqlite.copy import copy, damage
from soulspot_db.engine.sqlite.peek import MAGIC, peek
from soulspot_db.errors import ConfigurationError, ConnectionFailedError
from soulspot_db.migrations.version import REVISION
from soulspot_db.settings import DatabaseSettings

__all__ = ["Progress", "back_up_to"]

Progress = Callable[[int, int], None]
"""Told now and then how much of how much is copied."""


def back_up_to(
    settings: DatabaseSettings,
    target: Path,
    *,
    keep: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Path:
    """Copy the database as it is at one moment, while others go on reading and writing.

    Args:
        settings: which database.
        target: a file, and where it is an older copy, that is replaced as a whole; or a folder, in which the copy gets a
            name with the time in it.
        keep: how many copies of this database stay in the folder; older ones are removed once the new one is there.
        progress: told of it, on SQLite.

    Returns:
        The copy: a database file, or on PostgreSQL an archive for `pg_restore`.

    Raises:
        ConfigurationError: the target cannot be one, or `pg_dump` is missing.
        ConnectionFailedError: the database cannot be read, or is damaged.
        DiskFullError: there is no room.
    """
    with files_tell("backup"):
        return _back_up(settings, target, keep, progress)


def _back_up(settings: DatabaseSettings, target: Path, keep: int | None, progress: Progress) -> Path:
    is_folder = target.is_dir()
    final = target / backup_name(settings) if is_folder else target
    _check(settings, final, is_folder=is_folder, keep=keep)
    names = backup_names(settings) if is_folder else re.escape(final.name)
    tidy(final.parent, names)
    with unfinished(final) as path:
        if settings.database_type == "sqlite":
            _copy(settings, path, progress)
            # Of a copy that was there, and that somebody wrote to: SQLite would take its log for one of the new file.
            for end in BESIDE:
                final.with_name(f"{final.name}{end}").unlink(missing_ok=True)
        else:
            dump(settings, path)
        finish(path, final)
    if keep is not None:
        # By their names, which are times, but for the one that was made now: the clock may have been ahead before.
        others = [copy for copy in named(final.parent, names) if copy != final]
        for old in others[: max(len(others) - keep + 1, 0)]:
            old.unlink(missing_ok=True)
    return final


def _check(settings: DatabaseSettings, final: Path, *, is_folder: bool, keep: int | None) -> None:
    if keep is not None and not is_folder:
        raise ConfigurationError(
            f"--keep is for a folder, and {final} is none", "Name a folder that exists, or leave --keep out."
        )
    if not final.parent.is_dir():
        raise ConfigurationError(f"there is no folder {final.parent}", "Make it, or name another one.")
    if settings.database_type != "sqlite":
        _require_copy(final, is_copy=begins_with(final, ARCHIVE))
        return
    source = settings.database_path
    if not source.is_file():
        raise ConnectionFailedError(
            f"there is no database {source}", "Set DATABASE to the file that SoulSpot uses.", operation="backup"
        )
    if final.exists() and final.samefile(source):
        raise ConfigurationError(f"{final} is the database itself", "Name another file, or a folder.")
    # A program without migrations has none in its copies either.
    is_alike = not peek(source, REVISION, timeout=0) or bool(peek(final, REVISION, timeout=0))
    _require_copy(final, is_copy=begins_with(final, MAGIC) and is_alike)


def _require_copy(final: Path, *, is_copy: bool) -> None:
    """Refuse to replace what is no copy: arguments in the wrong order must not cost anybody a file."""
    if not is_copy and final.exists() and final.stat().st_size:
        raise ConfigurationError(
            f"{final} is there, and no copy of this database",
            "Name another file, or a folder. If nobody needs it, remove it first.",
            operation="backup",
        )


def _copy(settings: DatabaseSettings, path: Path, progress: Progress) -> None:
    source = settings.database_path
    require_room(
        path.parent,
        size_of(source),
        f"a backup of {source} needs up to",
        "Free space there, or name a folder on another disk.",
        operation="backup",
    )
    as_private_as(source, path)  # before anything is in it
    copy(source, path, patience=settings.pool_timeout, progress=progress)
    if faults := damage(path):
        raise ConnectionFailedError(
            f"{source} is damaged: {'; '.join(faults)}. No backup was made",
            "Stop SoulSpot, keep the file as it is, and bring the newest backup back: soulspot-db restore FILE",
            operation="backup",
        )
