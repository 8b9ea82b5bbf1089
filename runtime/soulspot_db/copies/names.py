"""What copies of a database are called, and which of them is the newest."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from soulspot_db.settings import DatabaseSettings

__all__ = [
    "backup_name",
    "backup_names",
    "is_named_as_copy",
    "last_backup",
    "migration_names",
    "newest_copy",
    "stem_of",
]

_TIME = "%Y%m%dT%H%M%S.%fZ"


def stem_of(settings: DatabaseSettings) -> tuple[str, str]:
    """How the names of backups begin and end."""
    is_file = settings.database_type == "sqlite"
    return (settings.database_path.stem, ".db") if is_file else (settings.servers.name, ".dump")


def backup_name(settings: DatabaseSettings) -> str:
    """What a backup that is made now is called."""
    stem, end = stem_of(settings)
    return f"{stem}.{datetime.now(UTC):{_TIME}}{end}"


def backup_names(settings: DatabaseSettings) -> str:
    """A pattern for the names of this database's backups; its first group is the time."""
    stem, end = stem_of(settings)
    return rf"{re.escape(stem)}\.(\d{{8}}T\d{{6}}\.\d{{6}}Z){re.escape(end)}"


def migration_names(path: Path) -> str:
    """A pattern for copies made before a migration, beside the database: groups are revision, time and a number."""
    return rf"{re.escape(path.stem)}\.before-migration\.(\w+)\.(\d{{8}}T\d{{6}}Z)(?:-(\d+))?{re.escape(path.suffix)}"


def is_named_as_copy(settings: DatabaseSettings, file: Path) -> bool:
    """Whether a file has a name that `backup` or a migration has given it for this database."""
    patterns = (backup_names(settings), migration_names(settings.database_path))
    return any(re.fullmatch(pattern, file.name) for pattern in patterns)


def newest_copy(settings: DatabaseSettings) -> tuple[Path, datetime] | None:
    """The newest backup in `backup_path`, or the newest copy made before a migration, whichever is newer, and its time.

    It is told by the names: nothing is opened. A folder that cannot be read has none.
    """
    found = [*_backups(settings), *_before_migrations(settings)]
    return max(found, key=lambda copy: copy[1]) if found else None


def last_backup(settings: DatabaseSettings) -> tuple[Path, datetime] | None:
    """The newest backup in `backup_path`; where that is not set, the newest copy made before a migration.

    Where backups are to be made, a migration's copy on the disk of the database is none.
    """
    found = [*(_before_migrations(settings) if settings.backup_path is None else _backups(settings))]
    return max(found, key=lambda copy: copy[1]) if found else None


def _backups(settings: DatabaseSettings) -> Iterator[tuple[Path, datetime]]:
    if settings.backup_path is not None:
        for path, match in _matching(settings.backup_path, backup_names(settings)):
            yield path, datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)


def _before_migrations(settings: DatabaseSettings) -> Iterator[tuple[Path, datetime]]:
    if settings.database_type == "sqlite":
        database = settings.database_path.absolute()
        for path, match in _matching(database.parent, migration_names(database)):
            # The number tells apart those of one second.
            at = datetime.strptime(match[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC, microsecond=int(match[3] or 0))
            yield path, at


def _matching(folder: Path, pattern: str) -> Iterator[tuple[Path, re.Match[str]]]:
    try:
        paths = list(folder.iterdir())
    except OSError:  # who asks is told of copies, not of folders
        return
    for path in paths:
        if (match := re.fullmatch(pattern, path.name)) is not None:
            yield path, match
