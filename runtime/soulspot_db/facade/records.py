"""A repository in the facade's terms: text for keys, dicts for rows."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from soulspot_db.cache.question import question, row_question
from soulspot_db.cache.region import MISS
from soulspot_db.cache.tags import Tag
from soulspot_db.facade.queries import RecordQueries
from soulspot_db.facade.relations import Include, RecordRelations
from soulspot_db.facade.terms import Record
from soulspot_db.fairness import spread
from soulspot_db.language.order import Order
from soulspot_db.language.spec import EntitySpec
from soulspot_db.repositories.access import first
from soulspot_db.repositories.paging import Page

__all__ = ["Records"]


class Records(RecordRelations, RecordQueries):
    """A repository in the facade's terms: text for keys, dicts for rows."""

    async def get(self, entity_id: str, *, include: Include = None, fresh: bool = False) -> Record | None:
        """The row with this key or natural key."""
        tree = self._wanted(include, "get")
        found = await self._look_up(entity_id, fresh=fresh)
        if found is None or not tree:
            return None if found is None else self._plan.codec.export(found)
        return (await self._shown([found], tree, fresh=fresh))[0]

    async def get_or_raise(self, entity_id: str, *, include: Include = None, fresh: bool = False) -> Record:
        """The row with this key or natural key."""
        found = await self.get(entity_id, include=include, fresh=fresh)
        if found is None:
            raise self._no_row(entity_id)
        return found

    async def get_many(self, entity_ids: Sequence[str], *, fresh: bool = False) -> list[Record | None]:
        """The rows with these keys."""
        listed = self._listed(entity_ids, "ids", "get_many")
        keys = await spread(tuple(listed), partial(self._plan.keys.parse, operation="get_many"), self._plan.turns)
        return await self._exported(await self._find_many(keys, fresh=fresh))

    async def query(self, where: Mapping[str, Any] | None, *, include: Include = None, **options: Any) -> list[Record]:
        """Matching rows."""
        tree = self._wanted(include, "query")
        return await self._shown(await self._query(where, **options), tree, fresh=bool(options.get("fresh")))

    async def page(self, where: Mapping[str, Any] | None, *, include: Include = None, **options: Any) -> Page[Record]:
        """A page of matching rows."""
        tree = self._wanted(include, "page")
        page = await self._page(where, **options)
        rows = await self._shown(page.items, tree, fresh=bool(options.get("fresh")))
        return Page(rows, page.next, page.previous)

    async def stream(self, where: Mapping[str, Any] | None, **options: Any) -> AsyncIterator[Record]:
        """Matching rows one after another."""
        async for model in self._stream(where, **options):
            yield self._plan.codec.export(model)

    async def count(self, where: Mapping[str, Any] | None, *, fresh: bool) -> int:
        """How many rows match."""
        return await self._count(where, fresh=fresh)

    async def exists(self, where: Mapping[str, Any], *, fresh: bool) -> bool:
        """Whether any row matches."""
        return await self._exists(where, fresh=fresh)

    async def save(self, data: Mapping[str, Any]) -> str:
        """Insert a row; returns its key."""
        return self._id(await self._saved(self._checked(self._plan.schema.create_model, data, "save")))

    async def save_many(self, entities: Sequence[Mapping[str, Any]]) -> list[str]:
        """Insert rows; returns their keys."""
        turns, create = self._plan.turns, self._plan.schema.create_model
        listed = tuple(self._listed(entities, "dicts", "save_many"))
        new = await spread(listed, lambda data: self._checked(create, data, "save_many"), turns)
        return await spread(await self._saved_many(new), self._id, turns)

    async def save_stream(
        self, entities: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]], **options: Any
    ) -> int:
        """Insert rows batch after batch."""
        create = self._plan.schema.create_model
        new = (self._checked(create, data, "save_stream") async for data in self._streamed(entities))
        return await self._save_stream(new, **options)

    async def upsert(self, data: Mapping[str, Any], on: Sequence[str] | None) -> str:
        """Insert a row or change the one that is there; returns its key."""
        new = self._checked(self._plan.schema.create_model, data, "upsert")
        return self._id_of(await self._upsert(new, on=on))

    async def get_or_create(self, data: Mapping[str, Any], on: Sequence[str] | None) -> tuple[Record, bool]:
        """The row that is there, or a new one."""
        new = self._checked(self._plan.schema.create_model, data, "get_or_create")
        model, is_new = await self._get_or_create(new, on=on)
        return self._plan.codec.export(model), is_new

    async def update(self, entity_id: str, updates: Mapping[str, Any]) -> bool:
        """Change one row."""
        key, where = await self._meant(entity_id, "update")
        changes = self._checked(self._plan.schema.update_model, updates, "update")
        if not changes.model_fields_set:
            statement = self._plan.queries.exists(where)
            return await self._answer("update", None, statement, bool, fresh=True)
        asked = self._as_read(where, changes)
        changed = await self._change("update", asked, changes, self._touched(key, where), len, names=list(updates))
        if not changed:
            await self._check_version(where, changes)
        return bool(changed)

    async def update_where(self, filters: Mapping[str, Any], updates: Mapping[str, Any], **options: Any) -> int:
        """Change matching rows."""
        changes = self._checked(self._plan.schema.update_model, updates, "update_where")
        return await self._update_where(filters, changes, names=list(updates), **options)

    async def delete(self, entity_id: str) -> bool:
        """Delete one row."""
        key, where = await self._meant(entity_id, "delete")
        return bool(await self._remove("delete", where, self._touched(key, where)))

    async def delete_where(self, filters: Mapping[str, Any], **options: Any) -> int:
        """Delete matching rows."""
        return await self._delete_where(filters, **options)

    async def restore(self, entity_id: str) -> bool:
        """Bring back a row that was deleted softly."""
        deleted = self._last_deleted(self._locate(entity_id, "restore")[1])
        rows = await self._found("restore", None, deleted, kept=False, fresh=True)
        # Of several with the same natural key, the last that was deleted.
        return bool(rows) and await self._bring_back(self._plan.by_key(self._plan.key_of(rows[0]))) is not None

    async def purge_deleted(self, **options: Any) -> int:
        """Delete for good what was deleted softly."""
        return await self._purge_deleted(**options)

    async def purge_expired(self, **options: Any) -> int:
        """Delete for good what is past its time."""
        return await self._purge_expired(**options)

    # What `db.cache` asks.

    @property
    def spec(self) -> EntitySpec:
        """The entity."""
        return self._plan.spec

    async def remembered(self, entity_id: str) -> Record | None:
        """The cached row with this key or natural key."""
        key, _ = self._locate(entity_id, "cache")
        row = None if key is None else await self._region.kept(row_question(key))
        if row is None or row is MISS:
            rows = await self._region.kept(question("look_up", entity_id))
            row = None if rows is MISS else first(rows)
        row = self._plan.shown(row)
        return None if row is None else self._plan.codec.export(row)

    async def warmed(self, where: Mapping[str, Any] | None, order_by: Order, limit: int | None) -> int:
        """Read matching rows into memory, by their keys; how many there were."""
        room = self._region.room
        most = room if limit is None else min(self._amount("limit", limit), room)
        rows = await self._matching(where, order_by, most, 0, fresh=True)
        await self._find_many([self._plan.key_of(row) for row in rows], fresh=True)
        return len(rows)

    def tags_of(self, entity_id: str | None) -> set[Tag]:
        """What a write to the row with this key or natural key could touch; of any row for None."""
        if entity_id is None:
            return self._plan.touched()
        return self._touched(*self._locate(entity_id, "invalidate"))
