"""Files that are whole or not there: written under a name that promises nothing, and renamed once they are on the disk."""

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soulspot_db.errors import ConnectionFailedError, DiskFullError

__all__ = [
    "BESIDE",
    "as_private_as",
    "begins_with",
    "files_of",
    "files_tell",
    "finish",
    "is_abandoned",
    "left_unfinished",
    "megabytes",
    "named",
    "real_file",
    "require_room",
    "size_of",
    "tidy",
    "to_disk",
    "unfinished",
]

BESIDE = ("-journal", "-wal", "-shm")
"""How the files end that SQLite keeps beside a database."""
_OLD = 86_400  # seconds after which nobody is still at work on a file


@contextmanager
def files_tell(operation: str) -> Iterator[None]:
    """Have what the system says of files in this block be an error of ours.

    Raises:
        DiskFullError: there is no room.
        ConnectionFailedError: whatever else it says.
    """
    try:
        yield
    except OSError as error:
        said = f"{error.filename or 'a file'}: {error.strerror or error}"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError(said, "Free space there, then run this again.", operation=operation) from error
        raise ConnectionFailedError(
            said, "Run this as a user who may read and write there, or name another place.", operation=operation
        ) from error


def begins_with(path: Path, magic: bytes) -> bool:
    """Whether it is a file, and one that begins so."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


@contextmanager
def unfinished(final: Path) -> Iterator[Path]:
    """An empty file of one's own beside `final`; what is left of it at the end is removed. A killed process leaves it."""
    path = final.with_name(f"{final.name}.{secrets.token_hex(4)}.unfinished")
    try:
        path.touch(mode=0o600, exist_ok=False)
        yield path
    finally:
        for end in ("", *BESIDE):
            path.with_name(f"{path.name}{end}").unlink(missing_ok=True)


def finish(path: Path, final: Path) -> None:
    """Give a whole file its name, in place of what has it; neither is lost if the power fails."""
    to_disk(path)
    path.replace(final)
    to_disk(final.parent)


def to_disk(path: Path) -> None:
    """Wait until what was written to a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tidy(folder: Path, names: str) -> None:
    """Remove what those who were killed have left of files with such names."""
    for left in left_unfinished(folder, names):
        left.unlink(missing_ok=True)  # another one removes it as well


def left_unfinished(folder: Path, names: str) -> list[Path]:
    """What those who were killed have left of files with such names; nobody is at work on it after a day."""
    found = named(folder, rf"(?:{names})\.[0-9a-f]{{8}}\.unfinished(-journal|-wal|-shm)?")
    return [left for left in found if is_abandoned(left)]


def is_abandoned(left: Path) -> bool:
    """Whether an unfinished file is there, and nobody is at work on it any more."""
    try:
        return time.time() - left.stat().st_mtime > _OLD
    except FileNotFoundError:
        return False


def named(folder: Path, names: str) -> list[Path]:
    """The files whose names are such, the oldest first where the time is in them."""
    return sorted(path for path in folder.iterdir() if re.fullmatch(names, path.name))


def size_of(path: Path) -> int:
    """Bytes of a database file and of what SQLite keeps beside it; 0 where there is none."""
    return sum(file.stat().st_size for file in files_of(path))


def real_file(path: Path) -> Path:
    """The file itself, where `path` is a link: SQLite keeps its log beside that. Of links in a circle one of them."""
    return Path(os.path.realpath(path))


def files_of(path: Path) -> list[Path]:
    """A database file and those that SQLite keeps beside it, of which there are any."""
    file = real_file(path)
    return [each for end in ("", *BESIDE) if (each := file.with_name(f"{file.name}{end}")).is_file()]


def as_private_as(source: Path, path: Path) -> None:
    """Let nobody read a new file who cannot read `source`; its owner writes it, whatever that is."""
    path.chmod(stat.S_IMODE(source.stat().st_mode) | 0o600)


def require_room(folder: Path, size: int, what: str, *steps: str, operation: str) -> None:
    """Refuse to begin what would fill the disk.

    Args:
        folder: where it is to be written.
        size: bytes.
        what: what needs them, as in "a backup needs up to".
        steps: what to do.
        operation: for the error.

    Raises:
        DiskFullError: there are fewer.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DiskFullError(
            f"{what} {megabytes(size)}, and {megabytes(free)} are free in {folder}",
            *steps,
            operation=operation,
            database_path=str(folder),
        )


def megabytes(size: int) -> str:
    """A size in words."""
    return f"{size / 1_000_000:,.1f} MB"
