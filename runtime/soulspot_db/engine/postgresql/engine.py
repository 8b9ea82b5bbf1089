"""PostgreSQL: asyncpg, one round trip a statement."""

import asyncio
import contextvars
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Activity, Connections, Finish, Guard, Outcome, Rows, Statement, Timing
from soulspot_db.engine.errors import not_open
from soulspot_db.engine.lease import abandon_all
from soulspot_db.engine.postgresql.commits import CommitOrder, Place
from soulspot_db.engine.postgresql.connection import is_closed, terminate
from soulspot_db.engine.postgresql.errors import DRIVER_ERRORS, READ_ONLY, is_lost, outcome_unknown, translate
from soulspot_db.engine.postgresql.explained import explained
from soulspot_db.engine.postgresql.lease import PostgreSQLLease
from soulspot_db.engine.postgresql.pool import ConnectionPool
from soulspot_db.engine.postgresql.rows import RowTurns
from soulspot_db.engine.settled import settled
from soulspot_db.errors import DatabaseError
from soulspot_db.monitoring.open_blocks import OpenBlocks
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.settings import DatabaseSettings
from soulspot_db.trace import Trace

__all__ = ["PostgreSQLEngine"]

T = TypeVar("T")
_NAME = "SELECT current_database(), EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'pg_control_system')"
_NUMBER = "SELECT system_identifier FROM pg_control_system()"


class PostgreSQLEngine:
    """One database on a PostgreSQL server, or on several of which one takes writes.

    Args:
        settings: where it is, how many connections and how long to wait.
        record: told of every statement and its seconds.
    """

    def __init__(self, settings: DatabaseSettings, record: Callable[[Iterable[Timing]], None]) -> None:
        self._settings = settings
        self._record = record
        self.address = settings.address
        self._pool = ConnectionPool(settings)
        self._turns = RowTurns(settings.pool_timeout)
        self._order = CommitOrder()
        self._leases: set[PostgreSQLLease] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._blocks = OpenBlocks(settings.slow_transaction_threshold)

    async def open(self, guard: Guard | None = None) -> None:  # noqa: ARG002 - nobody tells what others have written
        """Connect.

        Raises:
            ConnectionFailedError: the server cannot be reached, or refuses the user.
        """
        # A loop that ended without closing may have left commits and locks in the old ones.
        self._order, self._turns = CommitOrder(), RowTurns(self._settings.pool_timeout)
        await self._pool.open()

    async def close(self) -> None:
        """Roll back open transactions, finish what was asked, disconnect."""
        abandon_all(self._leases)
        self._blocks.stop()
        await self._pool.close()

    async def identity(self) -> str:
        """The name of the database, and the identifier that its server has got with its first files.

        An address would not do: programs may know the same server by different names. Where servers have no such identifier,
        being only compatible with PostgreSQL, the name is all there is.

        Raises:
            QueryFailedError: the server has one, and does not tell it to this user, though perhaps to others.
        """
        rows = await self.read(Statement(_NAME))
        has_identifier = rows[0][1]
        number = (await self.read(Statement(_NUMBER)))[0][0] if has_identifier else "a server without a number"
        return f"{rows[0][0]} of {number}"

    @property
    def reads_now(self) -> bool:
        """False: every answer is waited for."""
        return False

    @property
    def met_damage(self) -> str | None:
        """Nothing: a server says so in its own log, to those who look after it."""
        return None

    def read_now(self, statement: Statement, trace: Trace | None = None) -> Rows | None:  # noqa: ARG002 - as the protocol has it
        """None: every answer is waited for."""
        return None

    async def read(self, statement: Statement, trace: Trace | None = None) -> Rows:
        """Run one statement that changes nothing.

        Raises:
            PoolExhaustedError: no connection was free in time.
            QueryTimeoutError: the statement ran too long.
        """
        connection = await self._taken(trace)
        try:
            rows = await self.fetch(connection, statement, trace)
        except DatabaseError:
            await self._pool.give_back(connection)
            raise
        except BaseException:  # above all a cancellation: the connection must be given back clean; raised again
            self.begin_task(self._put_right(connection))
            raise
        await self._pool.give_back(connection)
        return rows

    async def _taken(self, trace: Trace | None, since: float | None = None) -> Any:
        """A connection; the trace is told how long it was waited for, from `since` on if that was earlier."""
        started = time.perf_counter() if since is None else since
        connection = await self._pool.take()
        if trace is not None:
            trace.ran(0.0, time.perf_counter() - started)
        return connection

    async def fetch(self, connection: Any, statement: Statement, trace: Trace | None = None) -> Rows:
        """Run a statement on a connection, and record how long it took."""
        started = time.perf_counter()
        try:
            if statement.bulk is not None:
                bulk = statement.bulk
                await connection.copy_records_to_table(bulk.table, columns=bulk.columns, records=bulk.rows)
                return []
            return cast("Rows", await connection.fetch(statement.sql, *statement.values))
        except DRIVER_ERRORS as error:
            raise await self._told(error, connection, statement.sql) from error
        finally:
            self._ran(statement, started, trace)

    def _ran(self, statement: Statement, started: float, trace: Trace | None) -> None:
        seconds = time.perf_counter() - started
        if trace is not None:
            trace.ran(seconds)
        self._record([(statement, seconds)])

    async def write(
        self, statements: Sequence[Statement], finish: Finish[T], tags: Collection[Tag] = (), trace: Trace | None = None
    ) -> T:
        """Commit statements, all or none; those that write one row, and the same one, in the order in which they are asked.

        Args:
            statements: what to do.
            finish: told of the outcome.
            tags: what may be touched.
            trace: told how long it took.

        Raises:
            PoolExhaustedError: no connection was free in time.
            LockedError: another transaction kept a row locked.
            ConstraintViolationError: a row was refused.
        """
        has_begun, asked = False, time.perf_counter()
        try:
            async with self._turns.turn(tags):
                connection = await self._taken(trace, asked)
                has_begun = True
                return await settled(self.begin_task(self._write(connection, statements, finish, tags, trace)))
        except BaseException as error:  # a cancellation too: what hangs on the end is told, and raises it
            if has_begun:
                raise
            return finish(Outcome(error=error))

    def begin_task(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Do something that is finished whoever waits for it; in an empty context, so that it leads back to nobody."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _write(
        self,
        connection: Any,
        statements: Sequence[Statement],
        finish: Finish[T],
        tags: Collection[Tag],
        trace: Trace | None,
    ) -> T:
        run, place = self._run_one if len(statements) == 1 else self._run_all, self.place(tags)
        try:
            try:
                outcome = Outcome(await run(connection, statements, place, trace))
            except BaseException as error:  # noqa: BLE001 - not swallowed: `finish` gives it to the caller
                outcome = Outcome(error=error)
            return finish(outcome)  # at once, so that it comes before what hangs on a later commit
        finally:
            place.leave()
            await self._pool.give_back(connection)

    async def _run_one(
        self, connection: Any, statements: Sequence[Statement], place: Place, trace: Trace | None
    ) -> Sequence[Rows]:
        try:
            rows = await self.fetch(connection, statements[0], trace)
        except DatabaseError as error:
            if is_lost(error.__cause__):
                raise outcome_unknown(self.address) from error  # each statement is its own COMMIT
            raise
        await place.turn()
        return [rows]

    async def _run_all(
        self, connection: Any, statements: Sequence[Statement], place: Place, trace: Trace | None
    ) -> Sequence[Rows]:
        await self.command(connection, "BEGIN", trace)
        try:
            rows = [await self.fetch(connection, statement, trace) for statement in statements]
        except BaseException:  # whatever it was, half of it must not be left open on the connection; raised again
            await self.roll_back(connection)
            raise
        await self.commit(connection, place, trace)
        return rows

    def place(self, tags: Collection[Tag]) -> Place:
        """A place for a commit that touches `tags`."""
        return self._order.place(tags)

    async def command(self, connection: Any, sql: str, trace: Trace | None = None) -> None:
        """Run what begins or ends a transaction or a savepoint."""
        started = time.perf_counter()
        try:
            await connection.execute(sql)
        except DRIVER_ERRORS as error:
            raise await self._told(error, connection, sql) from error
        finally:
            self._ran(Statement(sql), started, trace)

    async def commit(self, connection: Any, place: Place, trace: Trace | None = None) -> None:
        """COMMIT, and wait until what hangs on those before it is done.

        Raises:
            CommitOutcomeUnknownError: the connection was lost before the answer came.
        """
        place.take()
        try:
            await self.command(connection, "COMMIT", trace)
        except DatabaseError as error:
            if is_lost(error.__cause__):
                raise outcome_unknown(self.address) from error
            raise
        await place.turn()

    async def roll_back(self, connection: Any) -> None:
        """ROLLBACK; where that cannot be said, the server does it by itself when the connection ends."""
        if not is_closed(connection):
            try:
                await self.command(connection, "ROLLBACK")
            except DatabaseError:
                terminate(connection)

    async def _put_right(self, connection: Any) -> None:
        """Give back a connection on which a statement was stopped.

        One that was stopped between Parse and Execute leaves the server in a transaction that asyncpg does not know of.
        """
        await self.roll_back(connection)
        await self._pool.give_back(connection)

    async def begin(self, *, read_only: bool, holder: str, latest: bool = False) -> PostgreSQLLease:
        """Start a transaction that sees one moment of the database.

        Args:
            read_only: nothing can be written in it.
            holder: which transaction it is, in words.
            latest: each statement sees a moment of its own: for those who lock first, and then read what others have left.

        Raises:
            PoolExhaustedError: no connection was free in time.
        """
        connection = await self._pool.take()
        level = "READ COMMITTED" if latest else "REPEATABLE READ"
        lease = PostgreSQLLease(self, connection, holder, self._blocks, self._leases.discard)
        self._leases.add(lease)
        try:
            # With READ COMMITTED, PostgreSQL's own default, who reads, computes and writes loses what others wrote meanwhile.
            await lease.begin(f"BEGIN ISOLATION LEVEL {level} {'READ ONLY' if read_only else 'READ WRITE'}")
        except BaseException:  # above all a cancellation: the connection must be given back; raised again
            lease.abandon()
            raise
        if not self._pool.is_open:  # closed while it waited for a connection, or for BEGIN
            lease.abandon()
            raise not_open(database_path=self.address)
        lease.begun()
        return lease

    async def give_back(self, connection: Any) -> None:
        """Take a connection back from a lease."""
        await self._pool.give_back(connection)

    def look(self) -> None:
        """Nothing: without Redis, nobody tells one program what others write."""

    def connections(self) -> Connections:
        """How busy the connections are."""
        return self._pool.figures()

    def activity(self) -> Activity:
        """Which transactions are open."""
        return Activity(sum(lease.has_begun for lease in tuple(self._leases)))

    async def explained(self, statement: Statement, tables: Mapping[str, Known]) -> str | None:
        """Which index would help a statement, in a sentence, or None; asked beside the pool.

        Raises:
            DatabaseError: the server cannot be reached, or does not explain it.
        """
        return await explained(self._settings, statement, tables)

    async def _told(self, error: BaseException, connection: Any, sql: str) -> DatabaseError:
        """Our error for the driver's."""
        if isinstance(error, asyncio.TimeoutError):
            # Giving it back would wait as long once more, for a server that has not even stopped the statement.
            terminate(connection)
        elif getattr(error, "sqlstate", None) == READ_ONLY:
            # The server has become a standby: what is connected to it must not be used for the next call.
            await self._pool.expire()
        return translate(error, sql, self._settings)
