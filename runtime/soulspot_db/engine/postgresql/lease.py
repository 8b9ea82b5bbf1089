"""A transaction on a PostgreSQL connection."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Finish, Outcome, Rows, Statement
from soulspot_db.engine.errors import transaction_gone
from soulspot_db.engine.lease import OpenLease
from soulspot_db.engine.postgresql.commits import Place
from soulspot_db.engine.postgresql.connection import is_closed, terminate
from soulspot_db.engine.postgresql.errors import ended_by_server, is_lost
from soulspot_db.engine.settled import settled
from soulspot_db.errors import DatabaseError, QueryTimeoutError
from soulspot_db.monitoring.open_blocks import OpenBlocks
from soulspot_db.trace import Trace

__all__ = ["PostgreSQLLease"]

T = TypeVar("T")
_STATEMENT = "statement"  # the savepoint that the last write stands on


class _Engine(Protocol):
    async def fetch(self, connection: Any, statement: Statement, trace: Trace | None = None) -> Rows: ...
    async def command(self, connection: Any, sql: str) -> None: ...
    def place(self, tags: Collection[Tag]) -> Place: ...
    async def commit(self, connection: Any, place: Place, trace: Trace | None = None) -> None: ...
    async def roll_back(self, connection: Any) -> None: ...
    async def give_back(self, connection: Any) -> None: ...
    def begin_task(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]": ...


class PostgreSQLLease(OpenLease):
    """A connection held for one transaction.

    To PostgreSQL a failed statement spoils its whole transaction. Writes stand on a savepoint, so that one that was refused
    undoes itself alone, as on SQLite; a read can fail by its time-out only, and that ends the transaction on both. To stop a
    read would be a failure too, so one whose caller has left runs to its end, unless the transaction ends first.

    Args:
        engine: runs statements, and takes the connection back.
        connection: in which BEGIN is about to be run.
        holder: which transaction it is, in words.
        blocks: told of when it has begun and when it is over.
        ended: called with the lease when it is over.
    """

    def __init__(
        self,
        engine: _Engine,
        connection: Any,
        holder: str,
        blocks: OpenBlocks,
        ended: Callable[["PostgreSQLLease"], None],
    ) -> None:
        super().__init__(holder, blocks, ended)
        self._engine = engine
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._unheard: set[asyncio.Task[Any]] = set()  # reads whose callers have left
        self._on_savepoint = False
        self._is_lost = False

    async def begin(self, sql: str) -> None:
        """Run BEGIN."""
        async with self._turn:  # who abandons it meanwhile must not say ROLLBACK on a connection that is busy
            await self._engine.command(self._connection, sql)

    async def execute(
        self, statements: Sequence[Statement], finish: Finish[T], *, read: bool = False, trace: Trace | None = None
    ) -> T:
        """Run statements in the transaction, all or none; from a `read` a cancelled caller leaves at once."""
        task = self._ask(lambda: self._run(statements, trace, read=read), finish)
        if not read:
            return await settled(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._heard)
            self._unheard.add(task)
            if self._over:
                task.cancel()
            raise

    def _heard(self, task: "asyncio.Task[Any]") -> None:
        self._unheard.discard(task)
        if not task.cancelled():
            task.exception()  # the caller, who is gone, would have got it

    async def command(self, sql: str) -> None:
        """Run a command that begins or ends a savepoint."""

        async def run() -> Sequence[Rows]:
            # Inside the savepoint of the last write, what is begun now would end with it.
            released = f"RELEASE SAVEPOINT {_STATEMENT}; {sql}" if self._on_savepoint else sql
            self._on_savepoint = False
            await self._command(released)
            return []

        await settled(self._ask(run, lambda outcome: outcome.result()))

    async def commit(self, finish: Finish[T], tags: Collection[Tag] = (), trace: Trace | None = None) -> T:
        """COMMIT and give the connection back; raises TransactionError if the transaction has been lost meanwhile."""
        place = self._engine.place(tags)

        async def run() -> Sequence[Rows]:
            await self._engine.commit(self._connection, place, trace)
            return []

        def finish_and_leave(outcome: Outcome) -> T:
            try:
                return finish(outcome)
            finally:
                place.leave()

        return await settled(self._ask(run, finish_and_leave, last=True))

    async def rollback(self) -> None:
        """ROLLBACK and give the connection back, whatever state the transaction is in."""
        if not self._over:
            self._leave()
            await settled(self._engine.begin_task(self._undo()))

    def abandon(self) -> None:
        """Have it rolled back without waiting, after the statement that runs."""
        if not self._over:
            self._leave()
            if self._loop.is_closed():
                terminate(self._connection)
            else:
                self._engine.begin_task(self._undo())

    def _ask(
        self, work: Callable[[], Awaitable[Sequence[Rows]]], finish: Finish[T], *, last: bool = False
    ) -> "asyncio.Task[T]":
        doing = self._refuse(finish) if self._over else self._do(work, finish, last=last)
        if last:
            self._leave()
        return self._engine.begin_task(doing)

    async def _refuse(self, finish: Finish[T]) -> T:
        return finish(Outcome(error=transaction_gone()))

    async def _do(self, work: Callable[[], Awaitable[Sequence[Rows]]], finish: Finish[T], *, last: bool) -> T:
        async with self._turn:
            try:
                try:
                    self._require()
                    outcome = Outcome(await work())
                except BaseException as error:  # noqa: BLE001 - not swallowed: `finish` gives it to the caller
                    outcome = Outcome(error=error)
                return finish(outcome)
            finally:
                if last:
                    await self._engine.give_back(self._connection)

    def _require(self) -> None:
        if self._is_lost:
            raise transaction_gone()
        if is_closed(self._connection):
            self._is_lost = True
            raise ended_by_server()

    async def _run(self, statements: Sequence[Statement], trace: Trace | None, *, read: bool) -> Sequence[Rows]:
        if not read:
            await self._stand()
        try:
            return [await self._engine.fetch(self._connection, statement, trace) for statement in statements]
        except BaseException as error:  # a cancellation too; raised again
            refused = isinstance(error, DatabaseError) and not isinstance(error, QueryTimeoutError)
            if read or not refused or is_lost(error.__cause__):
                await self._lose()
            else:
                await self._command(f"ROLLBACK TO SAVEPOINT {_STATEMENT}")
            raise

    async def _stand(self) -> None:
        """A savepoint for the write that comes; that of the last one is given up in the same round trip."""
        released = f"RELEASE SAVEPOINT {_STATEMENT}; " if self._on_savepoint else ""
        await self._command(f"{released}SAVEPOINT {_STATEMENT}")
        self._on_savepoint = True

    async def _command(self, sql: str) -> None:
        try:
            await self._engine.command(self._connection, sql)
        except DatabaseError:
            await self._lose()
            raise

    async def _lose(self) -> None:
        """From now on every call raises; what was written is undone at once, so that it locks nobody out."""
        self._is_lost = True
        await self._engine.roll_back(self._connection)

    async def _undo(self) -> None:
        for read in self._unheard:
            read.cancel()
        async with self._turn:
            await self._engine.roll_back(self._connection)
            await self._engine.give_back(self._connection)
