"""What the writer does when nobody waits for it: statistics for the planner, in moments too short to be noticed."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable

__all__ = ["Upkeep", "tend"]

_FIRST = 60.0  # seconds after opening: what was read by then is known
_EVERY = 6 * 3600.0
_AGAIN = 60.0  # where somebody was at work
_MOST = 0.1  # seconds
_STEPS = 1_000  # of SQLite's virtual machine between two looks at whether somebody waits
_OPTIMIZE = "PRAGMA optimize = 0x10002"  # also of tables that this connection has not used
_RENEW = _OPTIMIZE if sqlite3.sqlite_version_info >= (3, 46) else "ANALYZE"  # older ones look only at what it has used


class Upkeep:
    """Asks for it soon after opening and then every few hours, when the writer has nothing to do.

    Args:
        ask: has the writer do it.
        is_idle: whether it has nothing to do.
    """

    def __init__(self, ask: Callable[[], None], is_idle: Callable[[], bool]) -> None:
        self._ask = ask
        self._is_idle = is_idle
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_FIRST, self._look)

    def _look(self) -> None:
        is_idle = self._is_idle()
        if is_idle:
            self._ask()
        self._timer = self._loop.call_later(_EVERY if is_idle else _AGAIN, self._look)

    def stop(self) -> None:
        """Ask no more."""
        self._timer.cancel()


def tend(raw: sqlite3.Connection, is_wanted: Callable[[], bool], *, at_close: bool = False) -> None:
    """Renew the planner's statistics where they are old, in a tenth of a second at most; else nothing is changed.

    What fails is left for another time: a lock, a full disk, a damaged page. Whoever needs the database is told.

    Args:
        raw: the writer's connection, outside of a transaction. Its progress handler is replaced.
        is_wanted: whether somebody waits for the writer, who then has it at once.
        at_close: look only at what SQLite takes to be worth it.
    """
    end = time.monotonic() + _MOST
    raw.set_progress_handler(lambda: time.monotonic() > end or is_wanted(), _STEPS)
    _run(raw, ("PRAGMA analysis_limit = 400", _OPTIMIZE if at_close else _RENEW))


def _run(raw: sqlite3.Connection, statements: Iterable[str]) -> None:
    try:
        for statement in statements:
            raw.execute(statement).fetchall()
    except sqlite3.Error:
        if raw.in_transaction:
            raw.rollback()
