"""Repository: all behaviour of generated repositories. A generated method is one call of a method here."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows
from soulspot_db.entity import Entity, EntityCreate, EntitySchema, EntityUpdate
from soulspot_db.errors import DatabaseError, NotFoundError, UnsafeWriteError, ValidationFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.filters import Compare, FilterError, Predicate, parse_filter, parse_order
from soulspot_db.language.types import TYPES
from soulspot_db.operations import Effects, Read, Write
from soulspot_db.plan import Key, Plan
from soulspot_db.query import Where
from soulspot_db.refusals import explained, refused_filter
from soulspot_db.session import HasSession, SessionLike

__all__ = ["Repository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
T = TypeVar("T")
Filter = Mapping[str, Any] | None
_MAX_INT = 2**63 - 1
_CHUNK = 1000  # keys in one IN; SQLite binds at most 32,766 values to a statement


class Repository(Generic[Model, KeyType]):
    """Reads and writes one entity.

    Args:
        db: a database, whose current transaction the calls join, or one transaction.
    """

    schema: ClassVar[type[EntitySchema]]

    def __init__(self, db: HasSession) -> None:
        self._session: SessionLike = db.session
        self._plan: Plan = db.session.plans.of(self.schema)

    # Reading.

    async def _get(self, key: KeyType, *, fresh: bool = False) -> Model | None:
        return await self._find(self._plan.keys.values(key, "get"), "get", fresh=fresh)

    async def _find(self, key: Key, operation: str, *, fresh: bool = False) -> Model | None:
        plan = self._plan
        return await self._ask(
            operation,
            Read(
                region=plan.region,
                key=("row", *key),
                tags=plan.row_tags(key),
                statement=lambda: plan.queries.select(plan.by_key(key)),
                decode=self._first,
                fresh=fresh,
            ),
        )

    async def _get_or_raise(self, key: KeyType, *, fresh: bool = False) -> Model:
        values = self._plan.keys.values(key, "get_or_raise")
        found = await self._find(values, "get_or_raise", fresh=fresh)
        if found is None:
            raise self._not_found(self._plan.keys.text(values))
        return found

    def _not_found(self, text: str) -> NotFoundError:
        return NotFoundError(
            f"there is no {self._plan.spec.entity_type} with this key",
            "Use `get`, which returns None, where a missing row is expected.",
            entity_type=self._plan.spec.entity_type,
            entity_id=text,
            operation="get_or_raise",
        )

    async def _get_many(self, keys: Sequence[KeyType], *, fresh: bool = False) -> list[Model | None]:
        return await self._find_many([self._plan.keys.values(key, "get_many") for key in keys], fresh=fresh)

    async def _find_many(self, wanted: Sequence[Key], *, fresh: bool = False) -> list[Model | None]:
        if len(self._plan.spec.key) != 1:
            return [await self._find(key, "get_many", fresh=fresh) for key in wanted]
        name = self._plan.spec.key[0]
        unique = list(dict.fromkeys(part for key in wanted for part in key))
        found: dict[Key, Model] = {}
        for start in range(0, len(unique), _CHUNK):
            chunk = tuple(unique[start : start + _CHUNK])
            rows = await self._select("get_many", Compare(name, "in", chunk), ("many", chunk), fresh=fresh)
            found |= {self._plan.key_of(model): model for model in rows}
        return [found.get(key) for key in wanted]

    async def _get_by(self, values: Mapping[str, Any], *, fresh: bool = False) -> Model | None:
        where = self._filter({name: {"eq": value} for name, value in values.items()}, "get_by")
        if any(value is None for value in values.values()):
            return None  # null is not equal to null, so a unique index finds nothing
        rows = await self._select("get_by", where, ("by", where), fresh=fresh)
        return rows[0] if rows else None

    async def _query(
        self,
        where: Filter = None,
        *,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        fresh: bool = False,
    ) -> list[Model]:
        predicate = self._filter(where, "query")
        try:
            order = parse_order(order_by, self._plan.spec)
        except FilterError as problem:
            raise refused_filter(problem, self._plan.spec, "query") from None
        limit = None if limit is None else self._amount("limit", limit)
        offset = self._amount("offset", offset)
        statement = self._plan.queries.select
        rows = await self._ask(
            "query",
            Read(
                region=self._plan.region,
                key=("query", predicate, order, limit, offset),
                tags=self._plan.table_tags,
                statement=lambda: statement(predicate, order_by=order, limit=limit, offset=offset),
                decode=self._all,
                fresh=fresh,
            ),
        )
        return list(rows)

    async def _select(
        self, operation: str, where: Predicate | None, key: tuple[Any, ...], *, fresh: bool
    ) -> tuple[Model, ...]:
        queries = self._plan.queries
        request = Read(
            self._plan.region, key, self._plan.table_tags, lambda: queries.select(where), self._all, fresh=fresh
        )
        return await self._ask(operation, request)

    async def _count(self, where: Filter = None, *, fresh: bool = False) -> int:
        predicate = self._filter(where, "count")
        queries = self._plan.queries
        return await self._ask(
            "count",
            Read(
                region=self._plan.region,
                key=("count", predicate),
                tags=self._plan.table_tags,
                statement=lambda: queries.count(predicate),
                decode=lambda rows: int(rows[0][0]),
                fresh=fresh,
            ),
        )

    async def _exists(self, where: Filter, *, fresh: bool = False) -> bool:
        predicate = self._filter(where, "exists")
        queries = self._plan.queries
        return await self._ask(
            "exists",
            Read(
                region=self._plan.region,
                key=("exists", predicate),
                tags=self._plan.table_tags,
                statement=lambda: queries.exists(predicate),
                decode=bool,
                fresh=fresh,
            ),
        )

    # Writing.

    async def _save(self, new: EntityCreate) -> Model:
        return (await self._save_many([new], "save"))[0]

    async def _save_many(self, new: Sequence[EntityCreate], operation: str = "save_many") -> list[Model]:
        if not new:
            return []
        plan = self._plan
        rows = [self._values_of(item) for item in new]
        keys = [tuple(values[name] for name in plan.spec.key) for values in rows if plan.spec.key[0] in values]
        tags = {tag for key in keys for tag in plan.written(key)} if len(keys) == len(rows) else plan.written_somewhere

        def settle(results: Sequence[Rows]) -> tuple[list[Model], Effects]:
            models = [self._decode(result[0]) for result in results]
            return models, plan.effects([plan.key_of(model) for model in models], "created")

        return await self._do(operation, Write([plan.queries.insert(values) for values in rows], tags, settle))

    def _values_of(self, new: EntityCreate) -> dict[str, Any]:
        values = dict(new.__dict__)
        for name in self._plan.spec.key:
            if self._plan.spec.fields[name].assigned and values[name] is None:
                del values[name]
        return values

    async def _update(self, key: KeyType, changes: EntityUpdate) -> Model | None:
        values = self._plan.keys.values(key, "update")
        return await self._change(self._plan.by_key(values), changes, self._plan.written(values))

    async def _change(
        self, where: Where, changes: EntityUpdate, tags: Sequence[Any], names: Sequence[str] | None = None
    ) -> Model | None:
        """Change the one row that `where` finds; `names` is the order in which the caller gave the fields."""
        if not changes.model_fields_set:
            return await self._ask(
                "update",
                Read(
                    region=self._plan.region,
                    key=("change", where),
                    tags=self._plan.table_tags,
                    statement=lambda: self._plan.queries.select(where),
                    decode=self._first,
                ),
            )
        models = await self._change_all("update", where, changes, tags, names)
        return models[0] if models else None

    async def _change_all(
        self,
        operation: str,
        where: Where | None,
        changes: EntityUpdate,
        tags: Sequence[Any],
        names: Sequence[str] | None = None,
    ) -> list[Model]:
        plan = self._plan
        given = [name for name in names or plan.spec.fields if name in changes.model_fields_set]
        values = {name: getattr(changes, name) for name in given}
        for field in plan.spec.fields.values():
            if field.touched:
                values.setdefault(field.name, utc_now())

        def settle(results: Sequence[Rows]) -> tuple[list[Model], Effects]:
            models = [self._decode(row) for row in results[0]]
            return models, plan.effects([plan.key_of(model) for model in models], "updated", given)

        return await self._do(operation, Write([plan.queries.update(where, values)], tags, settle))

    async def _update_where(
        self, where: Filter, changes: EntityUpdate, *, all_rows: bool = False, names: Sequence[str] | None = None
    ) -> int:
        predicate = self._condition(where, all_rows, "update_where")
        if not changes.model_fields_set:
            return await self._count(where, fresh=True)
        tags = self._plan.written_somewhere
        return len(await self._change_all("update_where", predicate, changes, tags, names))

    async def _delete(self, key: KeyType) -> bool:
        values = self._plan.keys.values(key, "delete")
        return bool(await self._remove("delete", self._plan.by_key(values), self._plan.written(values)))

    async def _delete_where(self, where: Filter, *, all_rows: bool = False) -> int:
        predicate = self._condition(where, all_rows, "delete_where")
        return await self._remove("delete_where", predicate, self._plan.written_somewhere)

    async def _remove(self, operation: str, where: Where | None, tags: Sequence[Any]) -> int:
        plan = self._plan
        cascaded = plan.cascaded()

        def settle(results: Sequence[Rows]) -> tuple[int, Effects]:
            key_fields = plan.spec.key_fields
            keys = [self._decode_key(row, key_fields) for row in results[0]]
            effects = plan.effects(keys, "deleted")
            if keys:
                effects.tags.update(cascaded)
            return len(keys), effects

        return await self._do(operation, Write([plan.queries.delete(where)], (*tags, *cascaded), settle))

    # Asking the session. What the engine raises speaks of tables and columns; callers know entities and fields.

    async def _ask(self, operation: str, request: Read[T]) -> T:
        try:
            return await self._session.read(request)
        except DatabaseError as error:
            raise explained(error, self._plan.spec, operation) from error.__cause__

    async def _do(self, operation: str, request: Write[T]) -> T:
        try:
            return await self._session.write(request)
        except DatabaseError as error:
            raise explained(error, self._plan.spec, operation) from error.__cause__

    # Checking and converting.

    def _filter(self, where: Filter, operation: str) -> Predicate | None:
        try:
            return parse_filter(where, self._plan.spec)
        except FilterError as problem:
            raise refused_filter(problem, self._plan.spec, operation) from None

    def _condition(self, where: Filter, all_rows: bool, operation: str) -> Predicate | None:
        predicate = self._filter(where, operation)
        if not all_rows and (predicate is None or _folded(predicate) is True):
            raise UnsafeWriteError(
                f"{operation} without a condition would touch every {self._plan.spec.entity_type}",
                "Give a filter with at least one condition.",
                "Pass all_rows=True if every row is meant.",
                entity_type=self._plan.spec.entity_type,
                operation=operation,
            )
        return predicate

    def _amount(self, name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_INT:
            raise ValidationFailedError(
                f"{name} must be a whole number that is not negative",
                f"Pass {name}=0 or more, or leave it out.",
                entity_type=self._plan.spec.entity_type,
                operation="query",
                field=name,
            )
        return value

    def _decode(self, row: tuple[Any, ...]) -> Model:
        return cast("Model", self._plan.codec.decode(row))

    def _decode_key(self, row: tuple[Any, ...], fields: Sequence[FieldSpec]) -> Key:
        return tuple(_stored(field, value) for field, value in zip(fields, row, strict=True))

    def _first(self, rows: Rows) -> Model | None:
        return self._decode(rows[0]) if rows else None

    def _all(self, rows: Rows) -> tuple[Model, ...]:
        return tuple(map(self._decode, rows))


def _stored(field: FieldSpec, value: Any) -> Any:
    decode = TYPES[field.type].sqlite.decode
    return decode(field)(value) if decode else value


def _folded(predicate: Predicate) -> bool | None:
    """What a predicate is for every row, or None where that depends on the row.

    `{"not": {"status": []}}` is as empty a condition as `{}`, and as dangerous.
    """
    if isinstance(predicate, Compare):
        return (
            predicate.operator == "not_in" if predicate.operator in {"in", "not_in"} and not predicate.values else None
        )
    parts = [_folded(part) for part in predicate.parts]
    if predicate.operator == "not":
        return None if parts[0] is None else not parts[0]
    decisive = predicate.operator == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive
