"""SQLite: one lane writes, several read. Writes that wait together are committed together."""

import asyncio
import logging
import os.path
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Activity, Connections, Finish, Guard, Looked, Outcome, Rows, Statement, Timing
from soulspot_db.engine.errors import in_another_loop, not_open
from soulspot_db.engine.lease import abandon_all
from soulspot_db.engine.settled import settled
from soulspot_db.engine.sqlite.connection import Connection, Look
from soulspot_db.engine.sqlite.damage import MetDamage
from soulspot_db.engine.sqlite.errors import locked_by_others, no_reader, no_writer, with_newest_copy, wrong_path
from soulspot_db.engine.sqlite.explained import explained
from soulspot_db.engine.sqlite.group import LookJob, UpkeepJob, WriteQueue, commit_group
from soulspot_db.engine.sqlite.inline import InlineReads
from soulspot_db.engine.sqlite.lane import Job, Lane
from soulspot_db.engine.sqlite.lease import BeginJob, Done, SQLiteLease, serve_lease
from soulspot_db.engine.sqlite.upkeep import Upkeep
from soulspot_db.engine.sqlite.versions import OLDEST, warn_of_company
from soulspot_db.errors import (
    ConfigurationError,
    DatabaseError,
    LockedError,
    PoolExhaustedError,
)
from soulspot_db.monitoring.open_blocks import OpenBlocks
from soulspot_db.monitoring.quiet import log_quietly
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.settings import DatabaseSettings
from soulspot_db.trace import Trace

__all__ = ["SQLiteEngine"]

T = TypeVar("T")
# Seconds at least between two looks that reads ask for, so that these hardly cost the writer anything.
_LOOKS_APART = 0.05
_log = logging.getLogger("soulspot_db.monitoring")


class SQLiteEngine:
    """One database file.

    Args:
        settings: where the file is, how many connections and how long to wait.
        record: told of every statement and its seconds, on the event loop.
        looked: told of every look for the commits of others.
    """

    def __init__(self, settings: DatabaseSettings, record: Callable[[Iterable[Timing]], None], looked: Looked) -> None:
        self._settings = settings
        self._record = record
        self._looked = looked
        self._guard: Guard | None = None
        self._writer: Connection | None = None
        self._finds_told = 0
        self._look_asked = float("-inf")
        self._has_company = False
        self._path = str(settings.database_path)
        self._inline = InlineReads(self._path)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writes: SimpleQueue[Any] = SimpleQueue()
        self._reads: SimpleQueue[Any] = SimpleQueue()
        self._lanes: list[Lane] = []  # also those that are being stopped
        self._is_open = False
        self._leases: set[SQLiteLease] = set()
        self._blocks = OpenBlocks(settings.slow_transaction_threshold)
        self._holder: tuple[str, float] | None = None
        self._upkeep: Upkeep | None = None
        self._damage = MetDamage(settings)

    @property
    def met_damage(self) -> str | None:
        """What the last statement that met a damaged page has said since the file was opened; None where none has."""
        return self._damage.said

    async def open(self, guard: Guard | None = None) -> None:
        """Open the file, creating it if need be.

        Args:
            guard: asked by the writer whenever others have written; what it refuses, every call raises from then on.

        Raises:
            ConnectionFailedError: the folder is missing, or the file is not a usable database.
            ConfigurationError: SQLite itself is too old.
        """
        self._check()
        self._guard = guard
        self._damage = MetDamage(self._settings)
        self._loop = asyncio.get_running_loop()
        self._finds_told = 0
        self._look_asked = time.monotonic()
        self._writes, self._reads = SimpleQueue(), SimpleQueue()  # a closed engine leaves stops in its queues
        # The writer first: it turns the file to WAL, which readers then find.
        await self._start("soulspot-db writer", self._writes, self._serve_writes, read_only=False)
        for number in range(self._settings.connection_pool_size):
            await self._start(f"soulspot-db reader {number + 1}", self._reads, self._serve_reads, read_only=True)
        if self._writer is not None and self._writer.is_read_only:
            message = "the file %s is read-only (permissions or mount): it can be read, and every write will be refused"
            log_quietly(_log, logging.WARNING, message, self._path)
        if self._settings.inline_reads:
            # To its end, also if cancelled: what is connected after `close` would stay so.
            await settled(asyncio.ensure_future(asyncio.to_thread(self._inline.open)))
        self._upkeep = Upkeep(
            lambda: self._writes.put(UpkeepJob()), lambda: self._writes.empty() and not self._lanes[0].busy
        )
        self._is_open = True

    async def identity(self) -> str:
        """The path of the file. Where it has several, programs that use others are told of by the file itself."""
        return await asyncio.to_thread(os.path.realpath, self._path)

    def _check(self) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old",
                "Use a Python that brings SQLite 3.37 or newer; older ones have no STRICT tables.",
            )
        if wrong := wrong_path(self._path):
            raise wrong

    async def _start(
        self,
        name: str,
        queue: "SimpleQueue[Any]",
        serve: Callable[[Lane, Connection], None],
        *,
        read_only: bool,
    ) -> None:
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def tell(error: BaseException | None) -> None:
            if opened.done():  # whoever opened the database has been cancelled
                return
            if error is None:
                opened.set_result(None)
            else:
                opened.set_exception(error)

        def run(lane: Lane) -> None:
            try:
                connection = self._connect(read_only=read_only)
            except BaseException as error:  # noqa: BLE001 - not swallowed: `open` raises it
                self._on_loop(tell, with_newest_copy(error, self._settings))
                return
            if not read_only:
                self._writer = connection
            self._on_loop(tell, None)
            try:
                serve(lane, connection)
            finally:
                connection.close()

        lane = Lane(name, queue, run)
        self._lanes.append(lane)
        lane.start()
        await opened

    def _connect(self, *, read_only: bool) -> Connection:
        return Connection(
            self._path,
            read_only=read_only,
            busy_timeout=self._settings.pool_timeout,
            query_timeout=self._settings.query_timeout,
            synchronous=self._settings.synchronous,
            guard=None if read_only else self._guard,
        )

    async def close(self) -> None:
        """Roll back open transactions, finish what is queued, disconnect."""
        self._is_open = False
        self._writer = None
        if self._upkeep is not None:
            self._upkeep.stop()
        self._inline.close()
        abandon_all(self._leases)
        self._blocks.stop()
        # The writer last: the last connection to close takes the WAL file with it.
        for group in (self._lanes[1:], self._lanes[:1]):
            for lane in group:
                lane.stop()
            for lane in group:
                await lane.ended()
        self._lanes = []
        for queue in (self._writes, self._reads):
            while not queue.empty():
                job = queue.get()
                if job is not None and job.claim():
                    job.deliver(Outcome(error=not_open(database_path=self._path)))

    @property
    def reads_now(self) -> bool:
        """Whether point reads are run on the event loop at the moment."""
        return self._inline.is_ready

    def read_now(self, statement: Statement, trace: Trace | None = None) -> Rows | None:
        """Run one that finds at most one row, by a unique index, on the event loop, unless that could keep it waiting."""
        if self._refusal() is not None or (found := self._inline.rows(statement)) is None:
            return None
        self._look_if_due()
        rows, seconds = found
        if trace is not None:
            trace.ran(seconds)
        self._recorded([(statement, seconds)])
        return rows

    async def read(self, statement: Statement, trace: Trace | None = None) -> Rows:
        """Run one statement that changes nothing.

        Raises:
            PoolExhaustedError: no reader was free in time.
            QueryTimeoutError: the statement ran too long.
        """
        job: Job[Rows] = Job([statement], lambda outcome: outcome.result()[0], read=True, trace=trace)
        self._put(self._reads, job)
        rows = await job.result_within(self._settings.pool_timeout, self._no_reader)
        self._look_if_due()
        return rows

    async def write(
        self,
        statements: Sequence[Statement],
        finish: Finish[T],
        tags: Collection[Tag] = (),  # noqa: ARG002 - one lane commits, so all is in order
        trace: Trace | None = None,
    ) -> T:
        """Commit statements, all or none, with those of other callers where they wait together.

        Raises:
            LockedError: the writer was not free in time.
            ConstraintViolationError: a row was refused.
        """
        job = Job(statements, finish, trace=trace)
        self._put(self._writes, job)
        return await job.result_within(self._settings.pool_timeout, self._no_writer)

    async def begin(self, *, read_only: bool, holder: str, latest: bool = False) -> SQLiteLease:  # noqa: ARG002 - as engines have it
        """Start a transaction: BEGIN IMMEDIATE on the writer, or a snapshot on a reader.

        Args:
            read_only: take a reader.
            holder: which transaction it is, in words; told to those who wait for the writer in vain.
            latest: nothing here, where nobody else writes meanwhile.

        Raises:
            LockedError: the writer was not free in time.
            PoolExhaustedError: no reader was free in time.
        """
        lease = SQLiteLease(holder, self._blocks, self._leases.discard)
        self._leases.add(lease)
        job = BeginJob(lease, read_only=read_only)
        self._put(self._reads if read_only else self._writes, job)
        try:
            await job.result_within(self._settings.pool_timeout, self._no_reader if read_only else self._no_writer)
        except BaseException:  # above all a cancellation: if it has begun, there is nobody to end it; raised again
            lease.abandon()
            raise
        if lease.is_over:
            raise not_open(database_path=self._path)  # closed while it waited for its turn
        lease.begun()
        if read_only:
            self._look_if_due()
        return lease

    def look(self) -> None:
        """Have the writer look whether others have written, unless it keeps them from it at this moment."""
        writer, now = self._writer, time.monotonic()
        self._look_asked = now
        if writer is not None and writer.ousted is not None:
            return  # what is in memory is believed no more, so reads come here and are refused
        # What its BEGIN has found is all that there can be as long as it lasts.
        if writer is not None and writer.is_exclusive and writer.finds == self._finds_told:
            self._looked(now, False)
        elif self._is_open:
            self._writes.put(LookJob())

    def _look_if_due(self) -> None:
        """Have it look for those as well who read past the cache, which asks for a look by itself."""
        if time.monotonic() - self._look_asked > max(self._settings.cache_recheck, _LOOKS_APART):
            self.look()

    def connections(self) -> Connections:
        """How busy the lanes are."""
        return Connections(
            sum(lane.busy for lane in self._lanes), len(self._lanes), self._settings.connection_pool_size
        )

    def activity(self) -> Activity:
        """Which transactions are open, and who has the writer."""
        holder = self._holder
        return Activity(sum(lease.has_begun for lease in tuple(self._leases)), None if holder is None else holder[0])

    async def explained(self, statement: Statement, tables: Mapping[str, Known]) -> str | None:
        """Which index would help a statement, in a sentence, or None; asked beside the lanes.

        Raises:
            DatabaseError: the file cannot be read.
        """
        return await explained(self._path, statement, tables)

    def _put(self, queue: "SimpleQueue[Any]", job: Job[Any]) -> None:
        error = self._refusal()
        if error is None:
            queue.put(job)
        elif job.claim():
            job.deliver(Outcome(error=error))

    def _refusal(self) -> DatabaseError | None:
        """Why nothing can be asked."""
        if not self._is_open:
            return not_open(database_path=self._path)
        if asyncio.get_running_loop() is not self._loop:
            return in_another_loop(database_path=self._path)
        return None if self._writer is None else self._writer.ousted

    # In the threads.

    def _serve_reads(self, lane: Lane, connection: Connection) -> None:
        while (job := self._reads.get()) is not None:
            lane.busy = True
            if isinstance(job, BeginJob):
                done = serve_lease(connection, job, self._post)
            else:
                done = [(job, connection.attempt(job))] if job.claim() else []
            lane.busy = False  # before the caller can look
            self._post(connection, done)

    def _serve_writes(self, lane: Lane, connection: Connection) -> None:
        queue = WriteQueue(self._writes)
        while group := queue.take():
            lane.busy = True
            first = group[0]
            done: Done = []
            if isinstance(first, UpkeepJob):
                connection.tend(lambda: not self._writes.empty())
            elif isinstance(first, LookJob):
                connection.look()
            elif isinstance(first, BeginJob):
                self._holder = (first.lease.holder, time.monotonic())
                done = serve_lease(connection, first, self._post)
            else:
                self._holder = (f"a group of {len(group)} writes", time.monotonic())
                done = commit_group(connection, group)
            self._holder = None
            lane.busy = False
            self._post(connection, done)
        connection.tend(lambda: False, at_close=True)

    def _post(self, connection: Connection, done: Done) -> None:
        if any(outcome.error is not None for _job, outcome in done):
            done = [(job, self._damage.told(outcome)) for job, outcome in done]
        self._on_loop(self._deliver, done, connection.take_timings(), connection.take_look())

    def _on_loop(self, call: Callable[..., Any], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)  # type: ignore[union-attr]
        except RuntimeError:
            # The loop ended without closing the database; there is nobody left to tell.
            return

    # On the loop.

    def _deliver(self, done: Done, timings: list[Timing], look: Look | None) -> None:
        if look is not None:
            at, others, self._finds_told = look
            self._looked(at, others)  # first: who is answered may read at once
            if not self._has_company and self._writer is not None and self._writer.has_company:
                self._has_company = True
                warn_of_company(self._path)
        for job, outcome in done:
            job.deliver(outcome)
        self._recorded(timings)

    def _recorded(self, timings: list[Timing]) -> None:
        try:
            self._record(timings)
        except Exception:  # noqa: BLE001 - logged; what only watches must not cost callers anything
            log_quietly(_log, logging.ERROR, "statements could not be recorded", exc_info=True)

    def _no_reader(self) -> PoolExhaustedError:
        return no_reader(self._settings.pool_timeout)

    def _no_writer(self) -> LockedError:
        if self._writer is not None and self._writer.waits_since is not None:
            return locked_by_others(self._path, timeout=self._settings.pool_timeout)
        holder, since = self._holder or ("nobody", time.monotonic())
        return no_writer(self._settings.pool_timeout, holder, time.monotonic() - since)
