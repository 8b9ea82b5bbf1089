"""The disk that a SQLite file is on."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok

__all__ = ["file_system", "kind_of", "space"]

_LEAST = 100_000_000  # bytes
_MOUNTS = Path("/proc/self/mounts")
# As Linux names them. Memory that processes on several machines share there is none, and locks are kept by some of them.
_NETWORK = re.compile(
    r"(nfs|cifs|smb|9p|afs|ceph|coda|davfs|glusterfs|lustre|gpfs|beegfs|ncp)\w*"
    r"|fuse\.(sshfs|rclone|s3fs|davfs|glusterfs|ceph|curlftpfs|smbnetfs|goofys|gcsfuse|juicefs|vmhgfs).*"
)


def space(case: Case) -> Iterator[Finding]:
    """Whether there is room to go on, and for a copy."""
    folder = case.settings.database_path.absolute().parent
    size = sum(file.stat().st_size for file in case.files if not file.name.endswith("-shm"))
    free = shutil.disk_usage(folder).free
    told = f"{free / 1e6:,.1f} MB are free in {folder}"
    if free < _LEAST:
        yield must(f"{told}: soon nothing more can be written", "Free space, or enlarge the volume.")
    elif free < 2 * size:
        # One for the copy, one for the tables that are made anew.
        lacks = "a backup there or a migration" if free < size else "a migration with its backup"
        yield note(
            f"{told}, and the database has {size / 1e6:,.1f} MB: there is no room for {lacks}",
            "Free space, or enlarge the volume, before the next upgrade.",
        )
    else:
        yield ok(told)


def file_system(case: Case) -> Iterator[Finding]:
    """Whether the disk is in this machine: a write-ahead log needs memory that all processes share."""
    folder = case.settings.database_path.absolute().parent
    if not _MOUNTS.exists():
        yield note(
            "this system does not say what kind of disk it is", f"Make sure that {folder} is on a disk of this machine."
        )
        return
    kind = kind_of(folder.resolve(), _MOUNTS.read_text("utf-8", errors="surrogateescape"))
    if _NETWORK.fullmatch(kind):
        yield must(
            f"{folder} is on {kind}, a network file system, on which SQLite's write-ahead log does not work: the file can be damaged",
            "Stop SoulSpot, and move the database to a disk of this machine.",
            "Or use PostgreSQL: DATABASE=host:5432/soulspot",
        )
    else:
        yield ok(kind)


def kind_of(folder: Path, mounts: str) -> str:
    """The kind of the file system that a folder is on.

    Args:
        folder: without symbolic links.
        mounts: as the kernel lists them: device, folder, kind; later ones lie over those before.
    """
    found = (Path("/"), "of unknown kind")
    for line in mounts.splitlines():
        _device, place, kind, *_rest = line.split(" ")
        at = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place))
        if folder.is_relative_to(at) and len(at.parts) >= len(found[0].parts):
            found = (at, kind)
    return found[1]
