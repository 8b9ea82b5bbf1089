"""The facade of who sees more rows than everybody does: those that were deleted softly, or are past their time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from soulspot_db.events.publisher import PublishesEvents
from soulspot_db.facade.records import Records
from soulspot_db.facade.service import DatabaseService
from soulspot_db.language.visibility import EVERYBODY, Visibility
from soulspot_db.registry import EntityRegistry
from soulspot_db.sessions.session import SessionLike

__all__ = ["WiderService"]

T = TypeVar("T")


class WiderService(DatabaseService):
    """A database or a transaction, in which more rows are found.

    Args:
        db: the database or the transaction.
        also: what is found beside the rows that everybody finds.
    """

    def __init__(self, db: DatabaseService, also: Visibility = EVERYBODY) -> None:
        self._db = db
        self._also = also

    @property
    def session(self) -> SessionLike:
        return self._db.session

    @property
    def events(self) -> PublishesEvents:
        return self._db.events

    def _records(self, entity_type: str) -> Records:
        return Records(self._db, EntityRegistry.get_schema(entity_type), self._also)

    def _seeing(self, **also: bool) -> DatabaseService:
        return WiderService(self._db, replace(self._also, **also))

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[DatabaseService]:
        async with self._db.transaction(read_only=read_only) as tx:
            yield WiderService(tx, self._also)

    async def run_in_transaction(self, fn: Callable[[DatabaseService], Awaitable[T]], *, attempts: int = 5) -> T:
        return await self._db.run_in_transaction(lambda tx: fn(WiderService(tx, self._also)), attempts=attempts)
