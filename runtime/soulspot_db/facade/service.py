"""The string-keyed facade: entity types by name, dicts in, dicts out. The same machinery as the typed repositories."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from soulspot_db.language.visibility import Visibility
from soulspot_db.sessions.session import SessionLike

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from soulspot_db.events.publisher import PublishesEvents
    from soulspot_db.facade.records import Records
    from soulspot_db.repositories.bulk import Progress
    from soulspot_db.repositories.paging import Page

__all__ = ["DatabaseService"]

T = TypeVar("T")
Record = dict[str, Any]


class DatabaseService(ABC):
    """What feature modules are given: every entity, by the name of its type.

    `entity_id` is the primary key or the natural key as text; a composite key is its parts, percent-encoded, joined by
    commas. Dicts belong to the caller. Every method raises a `DatabaseError`: DATABASE_UNKNOWN_ENTITY,
    DATABASE_UNKNOWN_FIELD and DATABASE_VALIDATION_FAILED before anything is sent to the database.
    """

    @property
    @abstractmethod
    def session(self) -> SessionLike:
        """Where repositories made of this read and write."""

    @property
    @abstractmethod
    def events(self) -> "PublishesEvents":
        """Where changes are published, and topics of the modules' own: `await db.events.publish("my.topic", {...})`."""

    @abstractmethod
    def _records(self, entity_type: str) -> "Records":
        """The repository of an entity type."""

    @abstractmethod
    def transaction(self, *, read_only: bool = False) -> "AbstractAsyncContextManager[DatabaseService]":
        """All or nothing: `async with db.transaction() as tx`. Calls on the database inside the block join it."""

    @abstractmethod
    async def run_in_transaction(self, fn: Callable[["DatabaseService"], Awaitable[T]], *, attempts: int = 5) -> T:
        """Call `await fn(tx)` in a transaction and return its result; all of it again after `DATABASE_LOCKED`."""

    async def get(
        self, entity_type: str, entity_id: str, *, include: Sequence[str] | None = None, fresh: bool = False
    ) -> Record | None:
        """The row with this key or natural key, or None.

        `include` names relations, such as `["artist", "album.artist"]`: what they lead to is under their names.
        """
        return await self._records(entity_type).get(entity_id, include=include, fresh=fresh)

    async def get_or_raise(
        self, entity_type: str, entity_id: str, *, include: Sequence[str] | None = None, fresh: bool = False
    ) -> Record:
        """The row with this key or natural key; raises DATABASE_NOT_FOUND."""
        return await self._records(entity_type).get_or_raise(entity_id, include=include, fresh=fresh)

    async def get_many(
        self, entity_type: str, entity_ids: Sequence[str], *, fresh: bool = False
    ) -> list[Record | None]:
        """The rows with these keys, in their order; None where there is no row. Natural keys are not looked at."""
        return await self._records(entity_type).get_many(entity_ids, fresh=fresh)

    async def save(self, entity_type: str, entity_data: Mapping[str, Any]) -> str:
        """Insert a row and return its key as text; an id or unique value that exists is a constraint violation."""
        return await self._records(entity_type).save(entity_data)

    async def save_many(self, entity_type: str, entities: Sequence[Mapping[str, Any]]) -> list[str]:
        """Insert rows, all or none, and return their keys as text, in order."""
        return await self._records(entity_type).save_many(entities)

    async def save_stream(
        self,
        entity_type: str,
        entities: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],
        *,
        batch_size: int = 1000,
        progress: "Progress | None" = None,
    ) -> int:
        """Insert rows batch after batch, each committed by itself, and return how many there were."""
        records = self._records(entity_type)
        return await records.save_stream(entities, batch_size=batch_size, progress=progress)

    async def upsert(self, entity_type: str, entity_data: Mapping[str, Any], *, on: Sequence[str] | None = None) -> str:
        """Insert a row, or change the given fields of the one with the same unique value, and return its key as text.

        `on` names what is unique about it; without it the natural key, another unique field or the key counts, whichever is given.
        """
        return await self._records(entity_type).upsert(entity_data, on)

    async def get_or_create(
        self, entity_type: str, entity_data: Mapping[str, Any], *, on: Sequence[str] | None = None
    ) -> tuple[Record, bool]:
        """The row with the same unique value, unchanged, or else a new one; and whether it is new."""
        return await self._records(entity_type).get_or_create(entity_data, on)

    async def update(self, entity_type: str, entity_id: str, updates: Mapping[str, Any]) -> bool:
        """Change the given fields of one row; False if there is no such row."""
        return await self._records(entity_type).update(entity_id, updates)

    async def update_where(
        self,
        entity_type: str,
        filters: Mapping[str, Any],
        updates: Mapping[str, Any],
        *,
        all_rows: bool = False,
        batch_size: int | None = None,
        progress: "Progress | None" = None,
    ) -> int:
        """Change every matching row and return how many there were; with a `batch_size`, batch after batch."""
        options = {"all_rows": all_rows, "batch_size": batch_size, "progress": progress}
        return await self._records(entity_type).update_where(filters, updates, **options)

    async def delete(self, entity_type: str, entity_id: str) -> bool:
        """Delete one row; False if there is no such row."""
        return await self._records(entity_type).delete(entity_id)

    async def delete_where(
        self,
        entity_type: str,
        filters: Mapping[str, Any],
        *,
        all_rows: bool = False,
        batch_size: int | None = None,
        progress: "Progress | None" = None,
    ) -> int:
        """Delete every matching row and return how many there were; with a `batch_size`, batch after batch."""
        options = {"all_rows": all_rows, "batch_size": batch_size, "progress": progress}
        return await self._records(entity_type).delete_where(filters, **options)

    async def restore(self, entity_type: str, entity_id: str) -> bool:
        """Bring back a row that was deleted where `soft_delete` keeps it; False if there is none."""
        return await self._records(entity_type).restore(entity_id)

    async def purge_deleted(
        self,
        entity_type: str,
        *,
        older_than: timedelta | None = None,
        batch_size: int | None = None,
        progress: "Progress | None" = None,
    ) -> int:
        """Delete for good the rows that `soft_delete` keeps, or those kept for longer, and return how many there were."""
        options = {"older_than": older_than, "batch_size": batch_size, "progress": progress}
        return await self._records(entity_type).purge_deleted(**options)

    async def purge_expired(
        self, entity_type: str, *, batch_size: int | None = None, progress: "Progress | None" = None
    ) -> int:
        """Delete for good the rows that are past their time, and return how many there were."""
        return await self._records(entity_type).purge_expired(batch_size=batch_size, progress=progress)

    @property
    def with_deleted(self) -> "DatabaseService":
        """The same database, in which rows that were deleted and are kept by `soft_delete` are found as well."""
        return self._seeing(deleted=True)

    @property
    def with_expired(self) -> "DatabaseService":
        """The same database, in which rows past their time are found as well."""
        return self._seeing(expired=True)

    def _seeing(self, **also: bool) -> "DatabaseService":
        from soulspot_db.facade.wider import WiderService  # noqa: PLC0415 - it is one of these itself

        return WiderService(self, Visibility(**also))

    async def query(
        self,
        entity_type: str,
        filters: Mapping[str, Any] | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        *,
        include: Sequence[str] | None = None,
        fresh: bool = False,
    ) -> list[Record]:
        """Matching rows, such as `query("download", {"status": ["pending"]}, "created_at DESC", limit=10)`.

        With `include=["track.album"]` each has its related rows, loaded with one statement for each relation.
        """
        options = {"order_by": order_by, "limit": limit, "offset": offset, "fresh": fresh}
        return await self._records(entity_type).query(filters, include=include, **options)

    async def page(
        self,
        entity_type: str,
        filters: Mapping[str, Any] | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int = 50,
        *,
        after: str | None = None,
        before: str | None = None,
        include: Sequence[str] | None = None,
        fresh: bool = False,
    ) -> "Page[Record]":
        """A page of matching rows; its `next` and `previous` are what to pass as `after` and `before` for those around it."""
        options = {"order_by": order_by, "limit": limit, "after": after, "before": before}
        return await self._records(entity_type).page(filters, **options, include=include, fresh=fresh)

    def stream(
        self,
        entity_type: str,
        filters: Mapping[str, Any] | None = None,
        order_by: str | Sequence[str] | None = None,
        *,
        batch_size: int = 1000,
    ) -> AsyncIterator[Record]:
        """Matching rows one after another, however many, read `batch_size` at a time: `async for row in db.stream(...)`."""
        return self._records(entity_type).stream(filters, order_by=order_by, batch_size=batch_size)

    async def count(self, entity_type: str, filters: Mapping[str, Any] | None = None, *, fresh: bool = False) -> int:
        """How many rows match."""
        return await self._records(entity_type).count(filters, fresh=fresh)

    async def exists(self, entity_type: str, filters: Mapping[str, Any], *, fresh: bool = False) -> bool:
        """Whether any row matches."""
        return await self._records(entity_type).exists(filters, fresh=fresh)

    async def run_query(
        self, entity_type: str, name: str, params: Mapping[str, Any] | None = None, *, fresh: bool = False
    ) -> Any:
        """What a named query of the schema returns or does: dicts, values, a number, or whether there is a row."""
        return await self._records(entity_type).run_query(name, params or {}, fresh=fresh)

    async def related(
        self,
        entity_type: str,
        entity_id: str,
        relation: str,
        filters: Mapping[str, Any] | None = None,
        *,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        include: Sequence[str] | None = None,
        fresh: bool = False,
    ) -> Any:
        """What belongs to a row by a relation of the schema: a list of dicts, or where there can be one, that or None.

        None, too, where there is no such row.
        """
        options = {"order_by": order_by, "limit": limit}
        records = self._records(entity_type)
        return await records.related(entity_id, relation, filters, include=include, fresh=fresh, **options)

    async def arrange(
        self,
        entity_type: str,
        entity_id: str,
        relation: str,
        *,
        add: Sequence[str] | None = None,
        remove: Sequence[str] | None = None,
        move: str | None = None,
        replace: Sequence[str] | None = None,
        at: int | None = None,
    ) -> int:
        """Change the rows of a relation that has an order, or their order; give one of `add`, `remove`, `move` and `replace`.

        `add` puts those that are not there yet at place `at` or at the end, `move` one of them to place `at`, `replace` leaves
        these and no others. Returns how many were added, removed or moved, or of `replace` how many there are.
        """
        records = self._records(entity_type)
        return await records.arrange(entity_id, relation, add=add, remove=remove, move=move, replace=replace, at=at)
