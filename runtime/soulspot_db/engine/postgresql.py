"""PostgreSQL: asyncpg's pool, one round trip a statement."""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import asyncpg

from soulspot_db.engine.base import Connections, Finish, Guard, Outcome, Rows, Statement
from soulspot_db.engine.postgresql_connection import PooledConnection, connect_options
from soulspot_db.engine.postgresql_errors import DRIVER_ERRORS, is_lost, outcome_unknown, translate
from soulspot_db.engine.postgresql_lease import PostgreSQLLease
from soulspot_db.engine.settled import settled
from soulspot_db.errors import ConnectionFailedError, DatabaseError, PoolExhaustedError
from soulspot_db.monitoring.open_blocks import OpenBlocks
from soulspot_db.settings import DatabaseSettings

__all__ = ["PostgreSQLEngine"]

T = TypeVar("T")
Timing = tuple[str, float]


class PostgreSQLEngine:
    """One database on a PostgreSQL server, or on several of which one takes writes.

    Args:
        settings: where it is, how many connections and how long to wait.
        record: told of every statement's text and seconds.
    """

    def __init__(self, settings: DatabaseSettings, record: Callable[[Iterable[Timing]], None]) -> None:
        self._settings = settings
        self._record = record
        self.address = settings.address
        self._pool: asyncpg.Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leases: set[PostgreSQLLease] = set()
        self._writes: set[asyncio.Task[Any]] = set()
        self._blocks = OpenBlocks(settings.slow_transaction_threshold)
        self._guard: Guard | None = None

    async def open(self, guard: Guard | None = None) -> None:
        """Connect once, to see that it works; the other connections are made when they are needed.

        Raises:
            ConnectionFailedError: the server cannot be reached, or refuses the user.
        """
        self._loop = asyncio.get_running_loop()
        self._guard = guard
        settings = self._settings
        pool = asyncpg.create_pool(
            min_size=1,
            max_size=settings.connection_pool_size + settings.max_overflow,
            max_inactive_connection_lifetime=60.0,
            connection_class=PooledConnection,
            **connect_options(settings),
        )
        try:
            await pool
        except DRIVER_ERRORS as error:
            raise self.told(error, "connect") from error
        self._pool = pool

    async def close(self) -> None:
        """Roll back open transactions, finish what has begun, disconnect."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for lease in tuple(self._leases):
            lease.abandon()
        self._blocks.stop()
        if self._writes:
            await asyncio.wait(self._writes)
        try:
            async with asyncio.timeout(self._settings.query_timeout):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    @property
    def reads_now(self) -> bool:
        """False: every answer is waited for."""
        return False

    def read_now(self, statement: Statement) -> Rows | None:  # noqa: ARG002 - as the protocol has it
        """None: every answer is waited for."""
        return None

    async def read(self, statement: Statement) -> Rows:
        """Run one statement that changes nothing.

        Raises:
            PoolExhaustedError: no connection was free in time.
            QueryTimeoutError: the statement ran too long.
        """
        async with self._connection() as connection:
            return await self.fetch(connection, statement)

    async def fetch(self, connection: Any, statement: Statement) -> Rows:
        """Run a statement on a connection, and record how long it took."""
        started = time.perf_counter()
        try:
            if statement.bulk is not None:
                bulk = statement.bulk
                await connection.copy_records_to_table(bulk.table, columns=bulk.columns, records=bulk.rows)
                return []
            return cast("Rows", await connection.fetch(statement.sql, *statement.values))
        except DRIVER_ERRORS as error:
            raise self.told(error, statement.sql) from error
        finally:
            self._record([(statement.sql, time.perf_counter() - started)])

    async def write(self, statements: Sequence[Statement], finish: Finish[T]) -> T:
        """Commit statements, all or none.

        Raises:
            PoolExhaustedError: no connection was free in time.
            ConstraintViolationError: a row was refused.
        """
        try:
            connection = await self._acquire()
        except BaseException as error:  # noqa: BLE001 - a cancellation too: what hangs on the end is told, and raises it
            return finish(Outcome(error=error))
        task = self.begin_task(self._write(connection, statements, finish))
        return await settled(task)

    def begin_task(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Do something that is finished whoever waits for it; in an empty context, so that it leads back to nobody."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _write(self, connection: Any, statements: Sequence[Statement], finish: Finish[T]) -> T:
        try:
            outcome = await self._committed(connection, statements)
        finally:
            await self.give_back(connection)
        return finish(outcome)

    async def _committed(self, connection: Any, statements: Sequence[Statement]) -> Outcome:
        try:
            if len(statements) == 1:
                return Outcome([await self.fetch(connection, statements[0])])
            await connection.execute("BEGIN")
            rows = [await self.fetch(connection, statement) for statement in statements]
            await connection.execute("COMMIT")
        except DatabaseError as error:
            lost = error.__cause__ is not None and is_lost(error.__cause__)
            if lost and len(statements) == 1:
                return Outcome(error=outcome_unknown(self.address))
            if not lost and len(statements) > 1:
                await connection.execute("ROLLBACK")
            return Outcome(error=error)
        except DRIVER_ERRORS as error:  # of BEGIN or COMMIT
            if is_lost(error):
                return Outcome(error=outcome_unknown(self.address))
            return Outcome(error=self.told(error, "COMMIT"))
        return Outcome(rows)

    async def begin(self, *, read_only: bool, holder: str) -> PostgreSQLLease:
        """Start a transaction that sees one moment of the database.

        Args:
            read_only: nothing can be written in it.
            holder: which transaction it is, in words.

        Raises:
            PoolExhaustedError: no connection was free in time.
        """
        connection = await self._acquire()
        lease = PostgreSQLLease(self, connection, holder, self._blocks)
        self._leases.add(lease)
        try:
            # With READ COMMITTED, PostgreSQL's own default, who reads, computes and writes loses what others wrote meanwhile.
            mode = "READ ONLY" if read_only else "READ WRITE"
            await connection.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ {mode}")
        except BaseException as error:  # above all a cancellation: the connection must be given back; raised again
            lease.abandon()
            if isinstance(error, DRIVER_ERRORS):
                raise self.told(error, "BEGIN") from error
            raise
        lease.begun()
        return lease

    def ended(self, lease: PostgreSQLLease) -> None:
        """Forget a lease that is over."""
        self._leases.discard(lease)

    async def give_back(self, connection: Any) -> None:
        """Take a connection back; of one that is lost, only its place."""
        pool = self._pool
        if pool is None:
            connection.terminate()
            return
        try:
            await pool.release(connection)
        except DRIVER_ERRORS:
            return  # whoever used it has been told

    def look(self) -> None:
        """Nothing: without Redis, nobody tells one program what others write."""

    def connections(self) -> Connections:
        """How busy the pool is."""
        pool = self._pool
        total, idle = (pool.get_size(), pool.get_idle_size()) if pool is not None else (0, 0)
        return Connections(total - idle, total, self._settings.connection_pool_size + self._settings.max_overflow)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        connection = await self._acquire()
        try:
            yield connection
        finally:
            await self.give_back(connection)

    async def _acquire(self) -> Any:
        pool = self._pool
        if pool is None:
            raise ConnectionFailedError(
                "the database is not open", "Use it inside `async with Database(settings) as db:`."
            )
        if asyncio.get_running_loop() is not self._loop:
            raise ConnectionFailedError(
                "the database was opened in another event loop",
                "Open it in the loop that uses it: one `asyncio.run` for the whole program, or a database for each loop.",
            )
        try:
            if pool.get_idle_size():
                return await pool.acquire()  # at once; a timeout would cost a task
            return await pool.acquire(timeout=self._settings.pool_timeout)
        except TimeoutError:
            raise self._exhausted() from None
        except DRIVER_ERRORS as error:
            raise self.told(error, "connect") from error

    def told(self, error: BaseException, sql: str) -> DatabaseError:
        """Our error for the driver's."""
        if getattr(error, "sqlstate", None) == "25006" and self._pool is not None:
            # The server has become a standby: what is connected to it must not be used for the next call.
            self.begin_task(self._pool.expire_connections())
        return translate(error, sql, self.address, self._settings.query_timeout)

    def _exhausted(self) -> PoolExhaustedError:
        settings = self._settings
        return PoolExhaustedError(
            f"none of {settings.connection_pool_size + settings.max_overflow} connections was free within "
            f"{settings.pool_timeout:g} s",
            "End transactions sooner: no network calls inside `async with db.transaction()`.",
            "Raise DATABASE_CONNECTION_POOL_SIZE, DATABASE_MAX_OVERFLOW or DATABASE_POOL_TIMEOUT.",
            timeout=settings.pool_timeout,
        )
