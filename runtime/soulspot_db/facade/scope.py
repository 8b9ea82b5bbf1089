"""How transactions begin: in a block, or around a function that is run again when others were in the way."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TypeVar

from soulspot_db import ambient
from soulspot_db.facade.transaction import Transaction
from soulspot_db.monitoring.open_blocks import block_of, opened_here
from soulspot_db.sessions.retry import checked_attempts, with_attempts
from soulspot_db.sessions.savepoint import Once, Savepoint, ending
from soulspot_db.sessions.session import Session
from soulspot_db.trace import Trace

__all__ = ["TransactionScope", "latest_block", "run_in_transaction"]

T = TypeVar("T")


class TransactionScope:
    """What `Database.transaction()` returns: `async with` enters it once.

    Args:
        session: of the database.
        read_only: whether writes are refused.
        opened: what the transaction is called; by default after the line that calls `transaction()`.
        latest: whether each statement sees what others have committed by then, and not all of them one moment.
    """

    def __init__(self, session: Session, *, read_only: bool, opened: str | None = None, latest: bool = False) -> None:
        self._session = session
        self._read_only = read_only
        self._opened = opened or opened_here()
        self._latest = latest
        self._entry = Once("db.transaction()")
        self._savepoint: Savepoint[Transaction] | None = None
        self._transaction: Transaction | None = None

    async def __aenter__(self) -> Transaction:
        self._entry.take()
        joined = self._session.current()
        if isinstance(joined, Transaction):
            savepoint = joined.transaction(read_only=self._read_only)
            await savepoint.__aenter__()
            self._savepoint = savepoint
            return joined
        engine, trace = self._session.engine, Trace()
        try:
            lease = await engine.begin(read_only=self._read_only, holder=self._opened, latest=self._latest)
        except BaseException as error:  # a cancellation too is told of; raised again
            self._session.monitor.ended("transaction", trace, error)
            raise
        self._transaction = Transaction(self._session, lease, self._opened, trace, read_only=self._read_only)
        ambient.enter(self._transaction)
        return self._transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transaction is not None:
            ambient.leave(self._transaction)
            await ending(self._transaction.end(error), error)
        elif self._savepoint is not None:
            await self._savepoint.__aexit__(kind, error, trace)


def latest_block(session: Session, opened: str) -> TransactionScope:
    """A block, called `opened`, whose statements each see what others have committed by then."""
    return TransactionScope(session, read_only=False, opened=opened, latest=True)


async def run_in_transaction(session: Session, fn: Callable[[Transaction], Awaitable[T]], attempts: int) -> T:
    """Call `await fn(tx)` in a transaction, again as long as others are in the way; see `Database.run_in_transaction`."""
    checked_attempts(attempts)

    async def once() -> T:
        async with TransactionScope(session, read_only=False, opened=block_of(fn)) as tx:
            return await fn(tx)

    return await (once() if session.current() is not None else with_attempts(once, attempts))
