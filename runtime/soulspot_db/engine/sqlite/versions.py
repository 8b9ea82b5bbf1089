"""What SQLite's own versions are known for."""

import logging
import sqlite3

from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["HERE", "OLDEST", "Version", "has_wal_reset_bug", "warn_of_company"]

Version = tuple[int, int, int]
HERE: Version = sqlite3.sqlite_version_info
"""The one that this Python brings."""
OLDEST = (3, 37)
"""The first with STRICT tables."""

_log = logging.getLogger("soulspot_db.monitoring")
_FIRST, _MENDED = (3, 7, 0), (3, 51, 3)
_MENDED_AS_WELL = ((3, 44, 6), (3, 50, 7))  # older lines that have been given the repair


def has_wal_reset_bug(version: Version) -> bool:
    """Whether two connections that write or checkpoint at the same moment can damage the file.

    See "The WAL-Reset Bug" in SQLite's page on write-ahead logging.
    """
    mended = any(version[:2] == line[:2] and version >= line for line in _MENDED_AS_WELL)
    return _FIRST <= version < _MENDED and not mended


def warn_of_company(path: str, version: Version = HERE) -> None:
    """Log that others write the same file, where this version of SQLite does not stand that.

    Args:
        path: the database file.
        version: of SQLite.
    """
    if not has_wal_reset_bug(version):
        return
    log_quietly(
        _log,
        logging.WARNING,
        "another connection writes to %s; with SQLite %s, two that write at the same moment can damage the file, which is rare. "
        "Let one process write at a time, or use a Python that brings SQLite 3.51.3 or newer, 3.50.7 or 3.44.6. "
        "See https://docs.soulspot.app/troubleshooting/locks",
        path,
        ".".join(map(str, version)),
    )
