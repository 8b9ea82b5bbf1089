"""Copies of a database for the person who runs SoulSpot: made while it is in use, looked at, and whole or not there."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from soulspot_db.engine.postgresql.dump import dump
from soulspot_db.engine.sqlite.copy import copy, damage
from soulspot_db.errors import ConfigurationError, ConnectionFailedError, DiskFullError
from soulspot_db.settings import DatabaseSettings

__all__ = ["Progress", "back_up_to"]

Progress = Callable[[int, int], None]
"""Told now and then how much of how much is copied."""
_OLD = 86_400  # seconds after which nobody is still at work on a file


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
        target: a file, which is replaced as a whole; or a folder, in which the copy gets a name with the time in it.
        keep: how many copies of this database stay in the folder; older ones are removed once the new one is there.
        progress: told of it, on SQLite.

    Returns:
        The copy: a database file, or on PostgreSQL an archive for `pg_restore`.

    Raises:
        ConfigurationError: the target cannot be one, or `pg_dump` is missing.
        ConnectionFailedError: the database cannot be read, or is damaged.
        DiskFullError: there is no room.
    """
    is_file = settings.database_type == "sqlite"
    stem, kind = (settings.database_path.stem, ".db") if is_file else (settings.servers.name, ".dump")
    is_folder = target.is_dir()
    final = target / f"{stem}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{kind}" if is_folder else target
    _check(settings, final, is_folder=is_folder, keep=keep)
    names = rf"{re.escape(stem)}\.\d{{8}}T\d{{6}}\.\d{{6}}Z{re.escape(kind)}" if is_folder else re.escape(final.name)
    _tidy(final.parent, names)
    with _unfinished(final) as path:
        if is_file:
            _copy(settings, path, progress)
        else:
            dump(settings, path)
        _to_disk(path)
        path.replace(final)
        _to_disk(final.parent)
    if keep is not None:
        for old in _named(final.parent, names)[:-keep]:
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
        return
    source = settings.database_path
    if not source.is_file():
        raise ConnectionFailedError(
            f"there is no database {source}", "Set DATABASE to the file that SoulSpot uses.", operation="backup"
        )
    if final.exists() and final.samefile(source):
        raise ConfigurationError(f"{final} is the database itself", "Name another file, or a folder.")


def _copy(settings: DatabaseSettings, path: Path, progress: Progress) -> None:
    source = settings.database_path
    size = sum(file.stat().st_size for file in (source, source.with_name(f"{source.name}-wal")) if file.exists())
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise DiskFullError(
            f"a backup of {source} needs up to {size / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free in {path.parent}",
            "Free space there, or name a folder on another disk.",
            operation="backup",
        )
    shutil.copymode(source, path)  # before anything is in it
    copy(source, path, patience=settings.pool_timeout, progress=progress)
    if faults := damage(path):
        raise ConnectionFailedError(
            f"{source} is damaged: {'; '.join(faults)}. No backup was made",
            "Stop SoulSpot, keep the file as it is, and put the newest backup in its place.",
            operation="backup",
        )


@contextmanager
def _unfinished(final: Path) -> Iterator[Path]:
    """An empty file of one's own beside `final`, under a name that promises nothing: the process may be killed."""
    path = final.with_name(f"{final.name}.{secrets.token_hex(4)}.unfinished")
    try:
        path.touch(mode=0o600, exist_ok=False)
        yield path
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            path.with_name(f"{path.name}{end}").unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tidy(folder: Path, names: str) -> None:
    """Remove what those who were killed have left; nobody is at work on it after a day."""
    for left in _named(folder, rf"{names}\.[0-9a-f]{{8}}\.unfinished(-journal|-wal|-shm)?"):
        with suppress(FileNotFoundError):  # another one removes it as well
            if time.time() - left.stat().st_mtime > _OLD:
                left.unlink()


def _named(folder: Path, names: str) -> list[Path]:
    """The files whose names are such, the oldest first where the time is in them."""
    return sorted(path for path in folder.iterdir() if re.fullmatch(names, path.name))
