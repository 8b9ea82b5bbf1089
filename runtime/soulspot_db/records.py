"""A repository in the facade's terms: text for keys, dicts for rows."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from soulspot_db.access import first
from soulspot_db.cache.question import question, row_question
from soulspot_db.cache.region import MISS
from soulspot_db.cache.tags import Tag
from soulspot_db.clauses import FirstOf, Where
from soulspot_db.codec import exporter
from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.errors import NotFoundError, ValidationFailedError
from soulspot_db.fairness import spread
from soulspot_db.language.order import Order
from soulspot_db.language.predicates import Compare
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.scope import stored_name
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.visibility import EVERYBODY, Visibility
from soulspot_db.paging import Page
from soulspot_db.plan import Key
from soulspot_db.refusals import refused_input
from soulspot_db.relatives import Node, Relatives, Tree
from soulspot_db.repository import Repository
from soulspot_db.session import HasSession

__all__ = ["Records"]

Input = TypeVar("Input", bound=BaseModel)
Record = dict[str, Any]
Include = Sequence[str] | None


class Records(Repository[Entity, Any]):
    """A repository in the facade's terms: text for keys, dicts for rows."""

    def __init__(self, db: HasSession, schema: type[EntitySchema], also: Visibility = EVERYBODY) -> None:
        self.schema = schema  # type: ignore[misc]  # the class variable of generated subclasses
        super().__init__(db, also)

    async def get(self, entity_id: str, *, include: Include = None, fresh: bool = False) -> Record | None:
        """The row with this key or natural key."""
        tree = self._wanted(include, "get")
        found = await self._look_up(entity_id, fresh=fresh)
        if found is None or not tree:
            return None if found is None else self._plan.codec.export(found)
        return (await self._shown([found], tree, fresh=fresh))[0]

    async def _look_up(self, entity_id: str, *, fresh: bool) -> Entity | None:
        if self._plan.spec.natural_key is None:
            return await self._find(self._plan.keys.parse(entity_id, "get"), "get", fresh=fresh)
        asking = question("look_up", entity_id)
        if (found := self._remembered(asking, fresh=fresh)) is not MISS:
            return first(found)
        key, where = self._locate(entity_id, "get")

        def narrow(rows: Sequence[Entity]) -> Collection[Tag] | None:
            tags = self._row_tags_of(rows)
            # Found by its natural key, it is the answer only as long as no row has the text for its primary key.
            return tags if tags is None or key is None else {*tags, *self._plan.row_tags(key)}

        statement = self._by_unique(where)
        return first(await self._found("get", asking, statement, narrow=narrow, fresh=fresh, point=True))

    async def get_or_raise(self, entity_id: str, *, include: Include = None, fresh: bool = False) -> Record:
        """The row with this key or natural key."""
        found = await self.get(entity_id, include=include, fresh=fresh)
        if found is None:
            raise self._no_row(entity_id)
        return found

    def _no_row(self, entity_id: str) -> NotFoundError:
        spec = self._plan.spec
        natural = () if spec.natural_key is None else (spec.fields[stored_name(spec.natural_key, spec)],)
        return self._not_found(entity_id, (*spec.key_fields, *natural))

    async def save(self, data: Mapping[str, Any]) -> str:
        """Insert a row; returns its key."""
        return self._id(await self._saved(self._checked(self._plan.schema.create_model, data, "save")))

    async def get_many(self, entity_ids: Sequence[str], *, fresh: bool = False) -> list[Record | None]:
        """The rows with these keys."""
        listed = self._listed(entity_ids, "ids", "get_many")
        keys = await spread(tuple(listed), partial(self._plan.keys.parse, operation="get_many"), self._plan.turns)
        return await self._exported(await self._find_many(keys, fresh=fresh))

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

    def _id(self, row: tuple[Any, ...]) -> str:
        codec = self._plan.codec
        return self._plan.keys.text(codec.decode_key(codec.stored_key(row)))

    async def upsert(self, data: Mapping[str, Any], on: Sequence[str] | None) -> str:
        """Insert a row or change the one that is there; returns its key."""
        new = self._checked(self._plan.schema.create_model, data, "upsert")
        return self._id_of(await self._upsert(new, on=on))

    async def get_or_create(self, data: Mapping[str, Any], on: Sequence[str] | None) -> tuple[Record, bool]:
        """The row that is there, or a new one."""
        new = self._checked(self._plan.schema.create_model, data, "get_or_create")
        model, is_new = await self._get_or_create(new, on=on)
        return self._plan.codec.export(model), is_new

    def _id_of(self, model: Entity) -> str:
        return self._plan.keys.text(self._plan.key_of(model))

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

    async def _exported_page(self, page: Page[Entity]) -> Page[Record]:
        return Page(await self._exported(page.items), page.next, page.previous)

    @property
    def _relatives(self) -> Relatives:
        return Relatives(self._db, self.schema)

    def _wanted(self, include: Include, operation: str) -> Tree:
        return {} if include is None else self._relatives.tree(include, operation)

    async def _shown(self, rows: Sequence[Entity], tree: Tree, *, fresh: bool) -> list[Record]:
        """Dicts of rows, in which there are dicts of the related rows that were asked for."""
        if not tree:
            return await self._exported(rows)
        return await self._dicts(await self._relatives.nodes(rows, tree, fresh=fresh))

    async def _dicts(self, nodes: Sequence[Node]) -> list[Record]:
        return await spread(nodes, Node.exported, self._plan.turns)

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

    async def related(
        self,
        entity_id: str,
        relation: str,
        where: Mapping[str, Any] | None,
        *,
        include: Include = None,
        fresh: bool = False,
        **options: Any,
    ) -> Any:
        """The related rows of one row, or the related row; None where there is no such row."""
        self._related(relation)  # which refuses what is no relation
        row = await self._look_up(entity_id, fresh=fresh)
        if row is None:
            return None
        many, others = self._plan.spec.relations[relation].many, self._relatives.at(relation)
        tree = others.tree(include or (), "related")
        found: list[Any]
        if many:
            found = await self._children(relation, row, where, fresh=fresh, **options)
        elif where is not None or any(value is not None for value in options.values()):
            raise self._refuse("related", f"no filter, order or limit for {relation}, which is one row")
        else:
            parent: Entity | None = await self._parent(relation, row, fresh=fresh)
            found = [] if parent is None else [parent]
        shown = await self._dicts(await others.nodes(found, tree, fresh=fresh))
        return shown if many else next(iter(shown), None)

    async def arrange(
        self,
        entity_id: str,
        relation: str,
        *,
        add: Sequence[str] | None,
        remove: Sequence[str] | None,
        move: str | None,
        replace: Sequence[str] | None,
        at: int | None,
    ) -> int:
        """Change which rows a relation has, or their order."""
        asked = {"add": add, "remove": remove, "move": move, "replace": replace}
        given = [name for name, value in asked.items() if value is not None]
        has_place = at is not None
        if len(given) != 1 or (has_place and given[0] in {"remove", "replace"}) or (not has_place and move is not None):
            raise self._refuse("arrange", "one of add, remove, move and replace; move takes at as well, and add can")
        _, rows = self._related(relation)
        row = await self._look_up(entity_id, fresh=True)
        if row is None:
            raise self._no_row(entity_id)
        listed: Any = [move] if move is not None else self._listed(asked[given[0]], "ids", "arrange")
        keys = [rows.parsed_key(text, "arrange") for text in listed]
        match given[0]:
            case "add":
                return await self._add_to(relation, row, keys, at=at)
            case "remove":
                return await self._remove_from(relation, row, keys)
            case "replace":
                return await self._replace(relation, row, keys)
            case _:
                return int(await self._move_in(relation, row, keys[0], cast("int", at)))

    async def run_query(self, name: str, params: Mapping[str, Any], *, fresh: bool) -> Any:
        """What a named query returns or does."""
        query = self._query_spec(name)
        found = await (self._run_filter if query.sql is None else self._run_sql)(query, params, fresh=fresh)
        if query.single or query.is_total:
            return found[0] if found else None
        return found

    async def _run_filter(self, query: QuerySpec, params: Mapping[str, Any], *, fresh: bool) -> Any:
        name = query.name
        most = 1 if query.single else None
        found: Any
        match query.verb:
            case "list":
                found = await self._exported(await self._named_found(name, params, most, fresh=fresh))
            case "claim":
                found = await self._exported(await self._named_claim(name, params))
            case "column" | "rows":
                rows = await self._selected(name, params, _values, most, fresh=fresh)
                found = list(map(self._shower(query), rows))
            case "page":
                rest = {key: value for key, value in params.items() if key not in {"after", "before"}}
                places = {key: params.get(key) for key in ("after", "before")}
                found = await self._exported_page(await self._named_page(name, rest, **places, fresh=fresh))
            case "count":
                found = await self._named_count(name, params, fresh=fresh)
            case "exists":
                found = await self._named_exists(name, params, fresh=fresh)
            case "update" | "delete":
                found = await self._named_write(name, params)
            case _:  # an upsert: `exec` is of SQL
                new = self._checked(self._plan.schema.create_model, params, name)
                found = self._plan.codec.export(await self._named_upsert(name, new))
        return found

    async def _run_sql(self, query: QuerySpec, params: Mapping[str, Any], *, fresh: bool) -> Any:
        match query.verb:
            case "list":
                return await self._exported(await self._sql_list(query.name, params, fresh=fresh))
            case "count":
                return await self._sql_count(query.name, params, fresh=fresh)
            case "exec":
                return await self._sql_write(query.name, params)
            case _:
                rows = await self._sql_rows(query.name, params, _values, fresh=fresh)
                return list(map(self._shower(query), rows))

    def _shower(self, query: QuerySpec) -> Callable[[tuple[Any, ...]], Any]:
        """Makes what a caller gets of the values of a row: his own, which he may change."""
        exports = [exporter(output.value) for output in query.outputs]
        names = [output.name for output in query.outputs]

        def shown(values: tuple[Any, ...]) -> Any:
            own = [
                value if value is None or export is None else export(value)
                for export, value in zip(exports, values, strict=True)
            ]
            return own[0] if query.verb == "column" else dict(zip(names, own, strict=True))

        return shown

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

    def _locate(self, entity_id: str, operation: str) -> tuple[Key | None, Where]:
        """What an id can mean: the key if the text can be one, and the predicate that finds the row."""
        plan = self._plan
        natural = plan.spec.natural_key
        if natural is None:
            key = plan.keys.parse(entity_id, operation)
            return key, plan.by_key(key)
        if not isinstance(entity_id, str):
            raise self._refuse(operation, f"the primary key or the {natural} as text, such as str(row.id)")
        by_natural = cast("Compare", self._filter({natural: {"eq": entity_id}}, operation))
        try:
            key = plan.keys.parse(entity_id, operation)
        except ValidationFailedError:
            return None, by_natural
        return key, FirstOf((Compare(plan.spec.key[0], "eq", key), by_natural))

    async def _meant(self, entity_id: str, operation: str) -> tuple[Key | None, Where]:
        """What an id means to a write: one row, also where those that were deleted may have the same natural key."""
        spec = self._plan.spec
        key, where = self._locate(entity_id, operation)
        if spec.natural_key is None or spec.soft_delete is None or not self._plan.visibility.deleted:
            return key, where
        row = await self._look_up(entity_id, fresh=True)
        if row is None:
            return key, where
        found = self._plan.key_of(row)
        return found, self._plan.by_key(found)

    def _touched(self, key: Key | None, where: Where) -> set[Tag]:
        return self._plan.touched(() if key is None or isinstance(where, FirstOf) else [key])

    async def _exported(self, models: Sequence[Entity | None]) -> list[Any]:
        export = self._plan.codec.export
        return await spread(models, lambda model: None if model is None else export(model), self._plan.turns)

    def _checked(self, model: type[Input], data: Mapping[str, Any], operation: str) -> Input:
        if not isinstance(data, Mapping):
            raise self._refuse(operation, f"a dict of fields, got {type(data).__name__}")
        try:
            return model.model_validate(dict(data))
        except ValidationError as error:
            raise refused_input(error, self._plan.spec, operation) from None


def _values(*values: Any) -> tuple[Any, ...]:
    return values
