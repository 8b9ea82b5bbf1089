"""A transaction as its block has it: the facade, over the session of the transaction."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from soulspot_db.events.bus import own_event
from soulspot_db.events.publisher import PublishesEvents
from soulspot_db.facade.records import Records
from soulspot_db.facade.service import DatabaseService
from soulspot_db.registry import EntityRegistry
from soulspot_db.sessions.retry import awaited, checked_attempts
from soulspot_db.sessions.savepoint import Savepoint
from soulspot_db.sessions.transaction import TransactionSession

__all__ = ["Transaction"]

T = TypeVar("T")


class Transaction(TransactionSession, DatabaseService):
    """An open transaction, with every method of the database it belongs to."""

    @property
    def session(self) -> "Transaction":
        """A repository made of this works in this transaction, wherever it is called."""
        return self

    @property
    def events(self) -> PublishesEvents:
        """Where the block publishes, whoever calls it: what is published is sent after the COMMIT, on whichever bus."""
        return _TransactionEvents(self)

    def _records(self, entity_type: str) -> Records:
        return Records(self, EntityRegistry.get_schema(entity_type))

    def transaction(self, *, read_only: bool = False) -> "Savepoint[Transaction]":
        """A savepoint: what is done in it can be undone without the rest."""
        return Savepoint(self, read_only=read_only)

    async def run_in_transaction(self, fn: Callable[["Transaction"], Awaitable[T]], *, attempts: int = 5) -> T:
        """Call `await fn(tx)` in a nested block, once: only the outer block can be run again as a whole."""
        checked_attempts(attempts)
        async with self.transaction() as tx:
            return await awaited(fn)(tx)


class _TransactionEvents:
    """What `tx.events` is."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def publish(self, event_type: str, data: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Publish a topic of the application's own after the COMMIT; a rollback drops it."""
        self._transaction.keep(own_event(event_type, data, metadata))
