"""A transaction on a SQLite lane: while it is open, the lane's thread serves its queue alone."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Finish, Outcome, Statement
from soulspot_db.engine.errors import transaction_gone
from soulspot_db.engine.lease import OpenLease
from soulspot_db.engine.sqlite.connection import Connection
from soulspot_db.engine.sqlite.lane import Job
from soulspot_db.errors import QueryTimeoutError
from soulspot_db.monitoring.open_blocks import OpenBlocks
from soulspot_db.trace import Trace

__all__ = ["BeginJob", "Done", "SQLiteLease", "serve_lease"]

T = TypeVar("T")
Done = list[tuple[Job[Any], Outcome]]


class _EndJob(Job[T]):
    def __init__(self, finish: Finish[T], *, commit: bool, trace: Trace | None = None) -> None:
        super().__init__([], finish, trace=trace)
        self.commit = commit


class SQLiteLease(OpenLease):
    """The loop's side of an open transaction.

    Args:
        holder: which transaction it is, in words.
        blocks: told of when it has begun and when it is over.
        ended: called with the lease when it is over.
    """

    def __init__(self, holder: str, blocks: OpenBlocks, ended: Callable[["SQLiteLease"], None]) -> None:
        super().__init__(holder, blocks, ended)
        self.queue: SimpleQueue[Any] = SimpleQueue()

    async def execute(
        self, statements: Sequence[Statement], finish: Finish[T], *, read: bool = False, trace: Trace | None = None
    ) -> T:
        """Run statements in the transaction, all or none."""
        return await self._ask(Job(statements, finish, read=read, trace=trace))

    async def command(self, sql: str) -> None:
        """Begin or end a savepoint."""
        await self.execute([Statement(sql)], lambda outcome: outcome.result())

    async def commit(self, finish: Finish[T], tags: Collection[Tag] = (), trace: Trace | None = None) -> T:  # noqa: ARG002 - one lane commits
        """COMMIT; raises TransactionError if the transaction has been lost meanwhile."""
        return await self._end(finish, commit=True, trace=trace)

    async def rollback(self) -> None:
        """ROLLBACK, whatever state the transaction is in."""
        if not self._over:
            await self._end(_done, commit=False)

    async def _end(self, finish: Finish[T], *, commit: bool, trace: Trace | None = None) -> T:
        asked = self._ask(_EndJob(finish, commit=commit, trace=trace))
        self._leave()
        return await asked

    def _ask(self, job: Job[T]) -> Awaitable[T]:
        if not self._over:
            self.queue.put(job)
        elif job.claim():
            # The lane has gone on to others, so nobody would ever take the job out of this queue.
            job.deliver(Outcome(error=transaction_gone()))
        return job.result()

    def abandon(self) -> None:
        """Have it rolled back without waiting."""
        if not self._over:
            self._leave()
            self.queue.put(None)


class BeginJob(Job[None]):
    """Waits for a lane's turn, then holds the lane until its lease has ended."""

    def __init__(self, lease: SQLiteLease, *, read_only: bool) -> None:
        super().__init__([], _done)
        self.lease = lease
        self.read_only = read_only


def serve_lease(connection: Connection, begin: BeginJob, post: Callable[[Connection, Done], None]) -> Done:
    """The thread's side: open the transaction and run what its queue brings until it ends.

    Returns:
        What is left to post once the lane is free again.
    """
    try:
        if begin.read_only:
            connection.begin()
        else:
            connection.begin_when_free(lambda: begin.is_wanted)
    except BaseException as error:  # noqa: BLE001 - not swallowed: it is the caller's, and must not end the lane
        connection.rollback()
        return [(begin, Outcome(error=error))] if begin.claim() else []
    if not begin.claim():  # nobody waits for it any more
        connection.rollback()
        return []
    post(connection, [(begin, Outcome())])
    while (job := begin.lease.queue.get()) is not None:
        if not job.claim():
            continue
        try:
            outcome = Outcome(_step(connection, job))
        except BaseException as error:  # noqa: BLE001 - as above
            outcome = Outcome(error=error)
            if isinstance(error, QueryTimeoutError):
                # An interrupted write has ended the transaction, a read has not: one rule for both, as on PostgreSQL.
                connection.rollback()
        if isinstance(job, _EndJob):
            return [(job, outcome)]
        post(connection, [(job, outcome)])
        # What hangs on a job leads back to the transaction; held here during the wait for the next one, it would keep a
        # transaction that was lost from being collected.
        del job, outcome
    connection.rollback()
    return []


def _step(connection: Connection, job: Job[Any]) -> Sequence[list[tuple[Any, ...]]]:
    if isinstance(job, _EndJob) and not job.commit:
        connection.rollback()
        return []
    if not connection.in_transaction:
        # Without this, the statement would commit on its own.
        raise transaction_gone()
    if isinstance(job, _EndJob):
        started = time.perf_counter()
        try:
            connection.commit()
        finally:
            job.ran(started, time.perf_counter())
        return []
    return connection.run(job)


def _done(outcome: Outcome) -> None:
    outcome.result()
