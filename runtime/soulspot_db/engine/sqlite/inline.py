"""Point reads on the event loop: a row that an index finds costs less than the way to a thread and back."""

import itertools
import sqlite3
import time
from collections.abc import Callable

from soulspot_db.engine.base import Rows, Statement
from soulspot_db.engine.sqlite.connection import connect

__all__ = ["InlineReads"]

# Steps of SQLite's virtual machine: looking up a row takes dozens, so who needs more than this is reading a table.
_BUDGET = 4_000
# The handler is called every so many steps of a prepared statement, counted over all its runs: the first call after a
# statement's start may come at once. Counting calls from the start, the budget is right to within one of them.
_BETWEEN = 500
_SLOW = 0.001  # seconds
_PAUSE = 1.0  # seconds for which the disk is taken to be slow


def _counter_of_waits() -> Callable[[], int]:
    """What counts how often this thread has waited for something, and not only for a processor.

    Where the system does not say it, every count is another one: then whatever takes long has waited.
    """
    try:
        from resource import RUSAGE_THREAD, getrusage  # noqa: PLC0415 - Linux alone has both
    except ImportError:
        return itertools.count().__next__
    return lambda: getrusage(RUSAGE_THREAD).ru_nvcsw


_waits = _counter_of_waits()


class InlineReads:
    """One read-only connection, used on the event loop alone.

    A statement must not keep the loop waiting: it is stopped at its budget and never waits for a lock, and after one that
    waited for the disk and took longer than a millisecond, nothing is read here for a second. So a cold or slow disk
    stalls the loop once a second, not each time. On a busy machine a statement may take as long because others have the
    processor: a lane would not be any faster then.

    Args:
        path: the database file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._raw: sqlite3.Connection | None = None
        self._calls = 0
        self._again_at = 0.0

    def open(self) -> None:
        """Connect; called in a thread, because opening a file may take long.

        Raises:
            DatabaseError: what prevents it.
        """
        pragmas = ("foreign_keys = ON", "query_only = ON")
        self._raw = connect(self._path, pragmas, patience=0, check_same_thread=False)
        self._raw.set_progress_handler(self._is_over_budget, _BETWEEN)

    def close(self) -> None:
        """Disconnect. Closing twice is safe."""
        if self._raw is not None:
            self._raw.close()
            self._raw = None

    @property
    def is_ready(self) -> bool:
        """Whether statements are run here at the moment."""
        return self._raw is not None and time.perf_counter() >= self._again_at

    def rows(self, statement: Statement) -> tuple[Rows, float] | None:
        """The rows and the seconds they took; None where a reader lane has to answer, which also tells what is wrong."""
        started = time.perf_counter()
        if self._raw is None or started < self._again_at:
            return None
        self._calls, waits = 0, _waits()
        try:
            rows = self._raw.execute(statement.sql, statement.values).fetchall()
        except sqlite3.Error:
            rows = None
        now = time.perf_counter()
        if now - started > _SLOW and _waits() != waits:
            self._again_at = now + _PAUSE
        return None if rows is None else (rows, now - started)

    def _is_over_budget(self) -> bool:
        self._calls += 1
        return self._calls > _BUDGET // _BETWEEN
