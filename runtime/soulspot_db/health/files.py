"""The file of a SQLite database: its pages, its write-ahead log, the disk under it."""

import shutil
from pathlib import Path

from soulspot_db.engine.sqlite.sample import sample
from soulspot_db.health.finding import Finding, failed, fine, warned

__all__ = ["disk", "soundness", "write_ahead_log"]

_MB = 1_000_000
_NO_ROOM = 10 * _MB  # less than SQLite needs for one large transaction
_LITTLE_ROOM = 200 * _MB
_LARGE_WAL = 256 * _MB  # sixty times what SQLite lets it grow to where nothing prevents a checkpoint


def disk(path: Path) -> Finding:
    """How much room is left beside the file."""
    free = shutil.disk_usage(path.absolute().parent).free
    message = f"{_size(free)} are free"
    if free < _NO_ROOM:
        return failed(f"{message}: writes will be refused")
    needed = max(_LITTLE_ROOM, _length(path))  # for a copy before the next migration
    return warned(f"{message}, less than a backup needs") if free < needed else fine(message)


def write_ahead_log(path: Path) -> Finding:
    """How large the write-ahead log is; it grows while a transaction keeps a checkpoint from ending."""
    size = _length(path.with_name(f"{path.name}-wal"))
    if size > _LARGE_WAL:
        return warned(f"{_size(size)}: a transaction that stays open keeps it from being emptied")
    return fine(_size(size))


def soundness(path: Path, met: str | None) -> Finding:
    """Whether the file can be read from the disk, past everything that is kept in memory; `met` is what a statement has met."""
    if met is not None:
        return failed(f"{met}; restore a backup")
    faults = sample(path)
    return failed(f"the file is damaged: {faults[0]}; restore a backup") if faults else fine("no fault was found")


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _size(length: int) -> str:
    return f"{length / _MB:,.1f} MB" if length < 1_000 * _MB else f"{length / _MB / 1_000:,.1f} GB"
