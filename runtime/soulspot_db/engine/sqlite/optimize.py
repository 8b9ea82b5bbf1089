"""What a SQLite file is given now and then: statistics for the planner, a short log, and its free pages back."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from soulspot_db.copies.files import megabytes, require_room, size_of
from soulspot_db.engine.sqlite.connection import connect
from soulspot_db.engine.sqlite.errors import translate
from soulspot_db.engine.sqlite.versions import has_wal_reset_bug
from soulspot_db.errors import LockedError
from soulspot_db.language.conditions import quoted

__all__ = ["optimize_file"]

_LIMIT = 1_000  # rows of each index that are looked at, which SQLite's documentation has as the most that is of use
_ALL_TABLES = "0x10002"  # analyse; and look at tables as well which this connection has not used
_INCREMENTAL = 2
_LEFT = (
    "log: left to the program that has the database open, because with "
    f"SQLite {sqlite3.sqlite_version} two that shorten it at once can damage the file"
)
_INDEXED = """
SELECT DISTINCT t.name FROM sqlite_master AS t JOIN sqlite_master AS i ON i.tbl_name = t.name AND i.type = 'index'
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""


def optimize_file(path: Path, *, patience: float, vacuum: bool, tell: Callable[[str], None]) -> None:
    """Bring a database file in order, while others go on using it.

    Args:
        path: the file.
        patience: seconds to wait for a lock.
        vacuum: write the file anew, without free pages; others cannot write meanwhile.
        tell: told of each step, in a line.

    Raises:
        LockedError: another process kept the lock.
        DiskFullError: there is no room to write it anew.
    """
    before = size_of(path)
    # Asked first: afterwards it would give up the locks of this process's own connection.
    is_left = has_wal_reset_bug(sqlite3.sqlite_version_info) and _is_used(path)
    # Without checkpoints of its own, which two connections must not make at once.
    with closing(connect(str(path), ("wal_autocheckpoint = 0",), patience=patience)) as connection:
        try:
            tell(_analyse(connection))
            tell(_give_back(connection, path, vacuum=vacuum))
            tell(_LEFT if is_left else _shorten_log(connection))
        except sqlite3.Error as error:
            raise translate(error, "optimize", str(path)) from error
    tell(f"{path}: {megabytes(size_of(path))}, before {megabytes(before)}")


def _is_used(path: Path) -> bool:
    from soulspot_db.engine.sqlite.replace import require_unused  # noqa: PLC0415 - not on every system

    try:
        require_unused(path)
    except LockedError:
        return True
    return False


def _analyse(connection: sqlite3.Connection) -> str:
    connection.execute(f"PRAGMA analysis_limit = {_LIMIT}").fetchall()
    known = _known(connection)
    connection.execute(f"PRAGMA optimize = {_ALL_TABLES}").fetchall()
    # SQLite older than 3.46 looks at no table that this connection has not used.
    for table in {str(table) for (table,) in connection.execute(_INDEXED)} - _known(connection):
        connection.execute(f"ANALYZE {quoted(table)}").fetchall()
    made = sorted(_known(connection) - known)
    return f"statistics: {'made for ' + ', '.join(made) if made else 'looked at, and none are missing'}"


def _known(connection: sqlite3.Connection) -> set[str]:
    """The tables of which the planner has statistics; of an empty one there are none."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone() is None:
        return set()
    return {str(table) for (table,) in connection.execute("SELECT DISTINCT tbl FROM sqlite_stat1")}


def _give_back(connection: sqlite3.Connection, path: Path, *, vacuum: bool) -> str:
    free = _free(connection)
    if vacuum:
        needs = 2 * size_of(path)  # a copy in the folder for temporary files, and one in the log
        require_room(path.absolute().parent, needs, f"to write {path} anew needs up to", operation="optimize")
        connection.execute("VACUUM").fetchall()
        return f"written anew: {megabytes(free)} were free in it"
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL:
        # As a script, because it has a step for each page and no column, and `execute` takes the first step alone.
        connection.executescript("PRAGMA incremental_vacuum")
        return f"free pages: {megabytes(free - _free(connection))} given back to the disk"
    hint = "; `soulspot-db optimize --vacuum` gives them back, and needs room for two copies" if free else ""
    return f"free pages: {megabytes(free)} are used again by what is written next{hint}"


def _free(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


def _shorten_log(connection: sqlite3.Connection) -> str:
    is_busy, pages, _done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        return "log: not shortened, because another connection reads or writes; it will be another time"
    return "log: there is none" if pages < 0 else "log: all of it is in the file"
