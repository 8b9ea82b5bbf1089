"""One SQLite connection, used by one thread: its pragmas, its timeout, its errors."""

import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from soulspot_db.engine.base import Guard, Outcome, Rows, Statement, Timing
from soulspot_db.engine.errors import ran_too_long
from soulspot_db.engine.sqlite.errors import locked_by_others, translate
from soulspot_db.engine.sqlite.identity import OpenedFile
from soulspot_db.engine.sqlite.lane import Job
from soulspot_db.engine.sqlite.upkeep import tend
from soulspot_db.errors import DatabaseError, LockedError
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["TO_WAL", "Connection", "Look", "connect"]

Look = tuple[float, bool, int]
"""When the connection looked for commits of others, whether there were any, and how often there have been any so far."""

_log = logging.getLogger("soulspot_db.monitoring")
# How many steps of SQLite's virtual machine lie between two looks at the clock: well under a millisecond of work.
_STEPS = 10_000
TO_WAL = "journal_mode = WAL"
_PAUSE = (0.0005, 0.005)  # seconds between two tries to get the lock
# Seconds of transactions one after another, after which other processes get their chance: without and with any known.
_STINT, _STINT_IN_COMPANY = 1.0, 0.05
_GAP = 1.2 * _PAUSE[1]  # who waits for the lock tries at least once in it


def connect(
    path: str, pragmas: Iterable[str], *, patience: float, check_same_thread: bool = True
) -> sqlite3.Connection:
    """A connection on which nothing begins a transaction by itself.

    Args:
        path: the database file, made if need be.
        pragmas: what to set on it.
        patience: seconds to wait for a lock, now and later.
        check_same_thread: whether it refuses to be used in another thread than that which opened it.

    Raises:
        DatabaseError: what prevents it.
    """
    raw = None
    try:
        raw = sqlite3.connect(
            path, timeout=patience, isolation_level=None, cached_statements=512, check_same_thread=check_same_thread
        )
        for pragma in pragmas:
            _set(raw, pragma, patience)
    except sqlite3.Error as error:
        if raw is not None:
            raw.close()
        raise translate(error, "PRAGMA", path) from error
    return raw


def _set(raw: sqlite3.Connection, pragma: str, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            raw.execute(f"PRAGMA {pragma}").fetchall()
        except sqlite3.OperationalError as error:
            if pragma == TO_WAL and error.sqlite_errorcode == sqlite3.SQLITE_READONLY:
                return  # it can be read in any mode; whoever opens it to write is told by `is_read_only`
            # Of several processes that open a new file at once one turns it to WAL; the others are told at once that it
            # is locked, whatever the busy timeout says.
            if pragma != TO_WAL or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


class Connection:
    """Runs statements and says how long each took.

    Args:
        path: the database file.
        read_only: refuse every write on this connection.
        busy_timeout: seconds to wait for other processes.
        query_timeout: seconds after which a statement is stopped.
        synchronous: FULL or NORMAL.
        guard: asked where others have written; what it refuses, `ousted` tells, and that the file is another one.
    """

    def __init__(
        self,
        path: str,
        *,
        read_only: bool,
        busy_timeout: float,
        query_timeout: float,
        synchronous: str,
        guard: Guard | None = None,
    ) -> None:
        self._path = path
        self._absolute = str(Path(path).absolute())  # the program may go to another folder, and connect anew there
        self._read_only = read_only
        self._pragmas = ["foreign_keys = ON", "query_only = ON"]
        if not read_only:
            self._pragmas = ["foreign_keys = ON", TO_WAL, f"synchronous = {synchronous}"]
        self._busy_timeout = busy_timeout
        self._query_timeout = query_timeout
        self._guard = guard
        self.ousted: DatabaseError | None = None
        self._deadline = float("inf")
        self._job: Job[object] | None = None
        self._timed_out = False
        self.timings: list[Timing] = []
        # Read by the event loop while the thread works. Nobody else can commit at this moment; and how often commits of
        # others were found, which tells whether the loop knows of all of them.
        self.is_exclusive = False
        self.finds = 0
        # Since when it waits for another process that has the lock; read by the loop as well.
        self.waits_since: float | None = None
        # Others write to the file as well: have committed, or had the lock when we wanted it.
        self.has_company = False
        self.is_read_only = False  # it was to write, and cannot: permissions, or how the disk is mounted
        self._file: OpenedFile | None = None
        self._released = self._stint_began = 0.0
        self._version: int | None = None
        self._look: Look | None = None
        self._raw: sqlite3.Connection | None = self._connect()
        if not read_only:
            self._file = OpenedFile(path)
            self.is_read_only = self._cannot_write(self._raw)
        self.look()  # before anything is read, so that later looks can be compared with this one
        self.take_look()

    def _connect(self) -> sqlite3.Connection:
        if (loss := self._loss()) is not None:
            raise loss  # SQLite would make a new file
        raw = connect(self._absolute, self._pragmas, patience=self._busy_timeout)
        if not self._read_only:
            # Who writes waits for the lock in `begin_when_free`, where waiting can end; after that nothing is locked.
            raw.execute("PRAGMA busy_timeout = 0").fetchall()
        raw.set_progress_handler(self._should_stop, _STEPS)
        self._version = None  # that of the connection before cannot be compared with
        return raw

    @staticmethod
    def _cannot_write(raw: sqlite3.Connection) -> bool:
        try:
            # SQLite begins it on a file that it cannot write as well, and refuses what would change something.
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("PRAGMA user_version = 0")
        except sqlite3.Error as error:
            # Whatever else is wrong, such as a lock of another process, the first write meets again and tells.
            return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
        return False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; SQLite may have ended it because of an error."""
        return self._raw is not None and self._raw.in_transaction

    def begin(self) -> None:
        """Open a transaction that reads; its snapshot is taken with the first statement."""
        self._execute(Statement("BEGIN DEFERRED"))

    def begin_when_free(self, wanted: Callable[[], bool]) -> bool:
        """Open a transaction that writes, as soon as no other process has the lock.

        Args:
            wanted: whether anybody still waits for it.

        Returns:
            False where nobody wants it any more.

        Raises:
            LockedError: another process kept the lock for as long as `busy_timeout`.
            DatabaseError: the guard refuses what another process has made of the database.
        """
        self._leave_a_gap()
        began = time.monotonic()
        try:
            while wanted():
                try:
                    self._execute(Statement("BEGIN IMMEDIATE"))
                except LockedError as error:
                    self.timings.pop()  # not a statement that ran
                    self.waits_since, self.has_company = began, True
                    if time.monotonic() - began >= self._busy_timeout:
                        raise locked_by_others(self._path, timeout=self._busy_timeout) from error.__cause__
                    # At random, so that processes that wait for each other do not meet again.
                    time.sleep(random.uniform(*_PAUSE))  # noqa: S311 - nothing to guess here
                else:
                    # On a file that it cannot write, SQLite has begun to read, and others may write.
                    self.is_exclusive = self.look() and not self.is_read_only
                    if self.ousted is not None:
                        self.rollback()
                        raise self.ousted
                    return True
            return False
        finally:
            self.waits_since = None

    def _leave_a_gap(self) -> None:
        """Let other processes have the lock, which they would hardly ever find free between our transactions."""
        now = time.monotonic()
        if now - self._released > _GAP:
            self._stint_began = now
        elif now - self._stint_began > (_STINT_IN_COMPANY if self.has_company else _STINT):
            time.sleep(_GAP)
            self._stint_began = time.monotonic()

    def commit(self) -> None:
        """Commit; if that fails, nothing of the transaction stays on this connection.

        Raises:
            CommitOutcomeUnknownError: the disk failed, so it may still be in the file.
            ConnectionFailedError: the file has been removed or replaced.
        """
        self.is_exclusive = False  # before it is true
        try:
            if (loss := self._loss()) is not None:
                raise loss  # noqa: TRY301 - undone like a COMMIT that fails
            self._execute(Statement("COMMIT"))
            self._released = time.monotonic()
        except BaseException:  # whatever it was, the lane's next job must not find a transaction; raised again
            self.rollback()
            raise

    def rollback(self) -> None:
        """Undo the open transaction, if it is still there; nothing of it is on this connection afterwards."""
        self.is_exclusive = False
        if self._raw is None or not self._raw.in_transaction:
            return
        try:
            self._raw.execute("ROLLBACK")
            self._released = time.monotonic()
        except sqlite3.Error:
            # What cannot be rolled back must not meet the next caller's statements. Closing undoes it; the next
            # statement opens the file anew, and tells its caller if that fails.
            self._raw.close()
            self._raw = None

    def run(self, job: Job[object]) -> list[Rows]:
        """Run a job's statements, all or none: one undoes itself when it fails, several need a savepoint."""
        self._job, started = job, time.perf_counter()
        try:
            alone = len(job.statements) == 1 and job.statements[0].bulk is None
            if alone or not self.in_transaction:
                return [self._execute(statement) for statement in job.statements]
            return self._run_in_savepoint(job.statements)
        finally:
            self._job = None
            job.ran(started, time.perf_counter())

    def attempt(self, job: Job[Any]) -> Outcome:
        """Run a job; its error is part of the outcome, whatever it is, because it must not end the thread."""
        try:
            return Outcome(self.run(job))
        except BaseException as error:  # noqa: BLE001 - not swallowed: it is the caller's
            return Outcome(error=error)

    def _run_in_savepoint(self, statements: Sequence[Statement]) -> list[Rows]:
        self._execute(Statement("SAVEPOINT job"))
        try:
            rows = [self._execute(statement) for statement in statements]
        except BaseException:  # whatever it was, half of a job must not be committed with the group; raised again
            if self.in_transaction:
                self._execute(Statement("ROLLBACK TO job"))
                self._execute(Statement("RELEASE job"))
            raise
        self._execute(Statement("RELEASE job"))
        return rows

    def _execute(self, statement: Statement) -> Rows:
        started = time.perf_counter()
        self._deadline = time.monotonic() + self._query_timeout
        self._timed_out = False
        try:
            if self._raw is None:
                self._raw = self._connect()
            if statement.bulk is not None:
                return self._raw.executemany(statement.sql, statement.bulk.rows).fetchall()
            return self._raw.execute(statement.sql, statement.values).fetchall()
        except sqlite3.Error as error:
            if not self.in_transaction:
                self.is_exclusive = False  # SQLite has ended it
            if self._timed_out:
                raise ran_too_long(self._query_timeout, statement.sql) from error
            raise translate(error, statement.sql, self._path) from error
        finally:
            self._deadline = float("inf")
            self.timings.append((statement, time.perf_counter() - started))

    def _should_stop(self) -> bool:
        self._timed_out = time.monotonic() > self._deadline
        if self._timed_out:
            # What is stopped may take the transaction with it, and others are first to notice. Where a full disk ends it, the
            # same is known only when SQLite has returned.
            self.is_exclusive = False
        return self._timed_out or (self._job is not None and self._job.stopped)

    def look(self) -> bool:
        """Look whether other connections, of this process or another, have committed since the last look.

        `PRAGMA data_version` changes with their commits and not with our own.

        Returns:
            Whether it could look.
        """
        at = time.monotonic()
        if self._loss() is not None:
            return True
        try:
            if self._raw is None:
                self._raw = self._connect()
            (version,) = self._raw.execute("PRAGMA data_version").fetchone()
        except (sqlite3.Error, DatabaseError):
            return False  # who asks for data gets the error
        found = version != self._version
        # On a file that it cannot write, SQLite may find another version each time, though nobody has written.
        self.has_company = self.has_company or (found and self._version is not None and not self.is_read_only)
        if found and self._guard is not None:
            self._oust(self._guard(lambda sql: self._execute(Statement(sql))))
        self._version = version
        self.finds += found
        self._look = (at, found or (self._look is not None and self._look[1]), self.finds)
        return True

    def _oust(self, reason: DatabaseError | None) -> None:
        """Refuse everything from now on, for this reason, and say so once; or nothing any more."""
        if reason is not None and self.ousted is None:
            log_quietly(_log, logging.ERROR, "%s", reason)
        self.ousted = reason

    def _loss(self) -> DatabaseError | None:
        """Whether the file is no longer where it was opened; if so, nobody believes any more what is in memory."""
        loss = None if self._file is None else self._file.lost()
        if loss is not None:
            self._oust(loss)
            self.finds += 1
            self._look = (time.monotonic(), True, self.finds)
        return loss

    def tend(self, is_wanted: Callable[[], bool], *, at_close: bool = False) -> None:
        """Renew the planner's statistics, which nobody has asked for: not where the file is lost, nor read-only.

        Args:
            is_wanted: whether somebody waits for this connection.
            at_close: do only what SQLite takes to be worth it.
        """
        if self._raw is None or self.is_read_only or self.ousted is not None or self._loss() is not None:
            return
        try:
            tend(self._raw, is_wanted, at_close=at_close)
        finally:
            self._raw.set_progress_handler(self._should_stop, _STEPS)

    def take_look(self) -> Look | None:
        """What was seen since the last call."""
        look, self._look = self._look, None
        return look

    def take_timings(self) -> list[Timing]:
        """The timings since the last call."""
        timings, self.timings = self.timings, []
        return timings

    def close(self) -> None:
        """Undo what is open and disconnect."""
        self.rollback()
        if self._raw is not None:
            self._raw.close()
