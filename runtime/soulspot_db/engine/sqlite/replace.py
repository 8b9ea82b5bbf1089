"""Another file in the place of a database, while nobody uses that; what was there is kept, whenever this is killed."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soulspot_db.copies.files import BESIDE, finish, to_disk, unfinished
from soulspot_db.errors import ConnectionFailedError, LockedError

__all__ = ["put_in_place", "require_unused"]

# The bytes that SQLite locks, beyond the end of any file: PENDING, RESERVED and SHARED. In WAL mode every connection that has
# read or written keeps a lock on one of them until it is closed.
_FIRST, _LENGTH = 0x40000000, 512
_HEADER = 100  # bytes, without which nobody takes a file for a database


def require_unused(path: Path) -> None:
    """Return if no other process has the database open.

    Raises:
        LockedError: one has.
    """
    if path.exists():
        with _alone(path):
            pass


def put_in_place(new: Path, path: Path, kept: Path) -> bool:
    """Make `new` the database, and keep what was there.

    Killed at any point, it leaves the old database or the new one, and the old one in any case.

    Args:
        new: a whole file in the same folder that nobody uses; it is gone afterwards.
        path: the database; there may be none.
        kept: what the old one is called then; its log is kept beside it as it is, and SQLite reads both together.

    Returns:
        Whether there was anything to keep.

    Raises:
        LockedError: another process has the database open.
    """
    if not path.exists():
        has_left = _keep_logs(path, kept)
        finish(new, path)
        return has_left
    with _alone(path) as handle:
        _keep_logs(path, kept)
        with unfinished(kept) as copied:
            shutil.copystat(path, copied)
            # Through this handle alone: to close another one of the same file would give up the lock.
            with open(handle, "rb", closefd=False) as source, copied.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            finish(copied, kept)
        # Before the new file is there, which they would be taken to belong to.
        for end in BESIDE:
            _beside(path, end).unlink(missing_ok=True)
        finish(new, path)
        if os.fstat(handle).st_nlink == 0:
            # Who has opened the old file and waits for the lock must not go on with it, because it has no name any more.
            os.pwrite(handle, bytes(_HEADER), 0)
    return True


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """A handle on the file, and nobody else reads or writes it; not to be used where this process has it open as a database."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError as error:
        raise ConnectionFailedError(
            f"{path} cannot be opened: {os.strerror(error.errno or 0)}",
            "Run this as the user that runs SoulSpot.",
            database_path=str(path),
        ) from error
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, _LENGTH, _FIRST)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise
            raise _in_use(path) from error
        yield handle
    finally:
        os.close(handle)


def _in_use(path: Path) -> LockedError:
    return LockedError(
        f"another process has the database open: {path}",
        f"Stop SoulSpot, and whatever else uses it: fuser -v {path}",
        "Then run this again: nothing was changed.",
        database_path=str(path),
        holder="another process",
    )


def _keep_logs(path: Path, kept: Path) -> bool:
    """Copy the logs, under the names by which SQLite finds them beside `kept`."""
    found = [
        end for end in BESIDE if end != "-shm" and _beside(path, end).exists() and _beside(path, end).stat().st_size
    ]
    for end in found:
        final = _beside(kept, end)
        with unfinished(final) as copied:
            shutil.copy2(_beside(path, end), copied)
            finish(copied, final)
    if found and not path.exists():
        for end in BESIDE:
            _beside(path, end).unlink(missing_ok=True)
        to_disk(path.parent)
    return bool(found)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f"{path.name}{end}")
