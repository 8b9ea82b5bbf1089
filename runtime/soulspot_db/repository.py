"""Repository: all behaviour of generated repositories. A generated method is one call of a method here."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import BaseModel

from soulspot_db.cache.stamps import Tag
from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.entity import Entity, EntityCreate, EntitySchema, EntityUpdate
from soulspot_db.errors import DatabaseError, NotFoundError, UnsafeWriteError, ValidationFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.filters import Compare, FilterError, Predicate, parse_filter, parse_order
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
                key=("row", *key),  # exact, because a field that can be a key takes values of one type only
                tags=plan.row_tags(key),
                statement=lambda: plan.queries.select(plan.by_key(key)),
                decode=lambda rows: self._decode(rows[0]) if rows else None,
                fresh=fresh,
            ),
        )

    async def _get_or_raise(self, key: KeyType, *, fresh: bool = False) -> Model:
        values = self._plan.keys.values(key, "get_or_raise")
        found = await self._find(values, "get_or_raise", fresh=fresh)
        if found is None:
            raise self._not_found(self._plan.keys.text(values), self._plan.spec.key_fields)
        return found

    def _not_found(self, text: str, asked: Sequence[FieldSpec]) -> NotFoundError:
        """The error for a row that is not there; `asked` are the fields whose values `text` may be."""
        context = {} if any(field.sensitive for field in asked) else {"entity_id": text}
        return NotFoundError(
            f"there is no {self._plan.spec.entity_type} with this key",
            "Use `get`, which returns None, where a missing row is expected.",
            entity_type=self._plan.spec.entity_type,
            operation="get_or_raise",
            **context,
        )

    async def _get_many(self, keys: Sequence[KeyType], *, fresh: bool = False) -> list[Model | None]:
        listed = self._listed(keys, "keys", "get_many")
        return await self._find_many([self._plan.keys.values(key, "get_many") for key in listed], fresh=fresh)

    async def _find_many(self, wanted: Sequence[Key], *, fresh: bool = False) -> list[Model | None]:
        plan = self._plan
        if len(plan.spec.key) != 1:
            return [await self._find(key, "get_many", fresh=fresh) for key in wanted]
        name = plan.spec.key[0]
        unique = list(dict.fromkeys(part for key in wanted for part in key))
        found: dict[Key, Model] = {}
        for start in range(0, len(unique), _CHUNK):
            chunk = tuple(unique[start : start + _CHUNK])
            rows = await self._rows("get_many", plan.queries.select(Compare(name, "in", chunk)), fresh=fresh)
            found |= {plan.key_of(model): model for model in rows}
        return [found.get(key) for key in wanted]

    async def _get_by(self, values: Mapping[str, Any], *, fresh: bool = False) -> Model | None:
        where = self._filter({name: {"eq": value} for name, value in values.items()}, "get_by")
        if any(value is None for value in values.values()):
            return None  # null is not equal to null, so a unique index finds nothing
        return _first(await self._rows("get_by", self._plan.queries.select(where), fresh=fresh))

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
        statement = self._plan.queries.select(predicate, order_by=order, limit=limit, offset=offset)
        return list(await self._rows("query", statement, fresh=fresh))

    async def _count(self, where: Filter = None, *, fresh: bool = False) -> int:
        statement = self._plan.queries.count(self._filter(where, "count"))
        return await self._answer("count", statement, lambda rows: int(rows[0][0]), fresh=fresh)

    async def _exists(self, where: Filter, *, fresh: bool = False) -> bool:
        return await self._any("exists", self._filter(where, "exists"), fresh=fresh)

    async def _any(self, operation: str, where: Where | None, *, fresh: bool = False) -> bool:
        return await self._answer(operation, self._plan.queries.exists(where), bool, fresh=fresh)

    async def _rows(self, operation: str, statement: Statement, *, fresh: bool = False) -> tuple[Model, ...]:
        return await self._answer(operation, statement, self._all, fresh=fresh)

    async def _answer(self, operation: str, statement: Statement, decode: Callable[[Rows], T], *, fresh: bool) -> T:
        """What a statement answers, now or before: its text decides how its rows are read, so it is the whole key."""
        # To Python 1, 1.0 and True are equal; to the database they need not be.
        key = (statement.sql, statement.values, tuple(map(type, statement.values)))
        plan = self._plan
        return await self._ask(
            operation, Read(plan.region, key, plan.table_tags, lambda: statement, decode, fresh=fresh)
        )

    # Writing. Effects need no more than keys; what becomes of the rest is the caller's result.

    async def _save(self, new: EntityCreate) -> Model:
        return (await self._save_many([new], "save"))[0]

    async def _save_many(self, new: Sequence[EntityCreate], operation: str = "save_many") -> list[Model]:
        plan = self._plan
        now = utc_now()
        rows = [self._values_of(item, now, operation) for item in self._listed(new, "rows", operation)]
        if not rows:
            return []
        keys = [tuple(values[name] for name in plan.spec.key) for values in rows if plan.spec.key[0] in values]
        request = Write(
            statements=[plan.queries.insert(values) for values in rows],
            tags=plan.touched(keys if len(keys) == len(rows) else ()),
            effects=lambda results: plan.effects(plan.codec.stored_keys(rows[0] for rows in results), "created"),
            result=lambda results: [self._decode(rows[0]) for rows in results],
        )
        return await self._do(operation, request)

    def _values_of(self, new: EntityCreate, now: datetime, operation: str) -> dict[str, Any]:
        self._check_model(new, self._plan.schema.create_model, operation)
        values = {name: getattr(new, name) for name in self._plan.spec.fields}
        for field in self._plan.spec.fields.values():
            # The time of the save and not of the model, and the same for every field of the row.
            if field.made == "now" and field.name not in new.model_fields_set:
                values[field.name] = now
        for name in self._plan.spec.key:
            if self._plan.spec.fields[name].assigned and values[name] is None:
                del values[name]
        return values

    async def _update(self, key: KeyType, changes: EntityUpdate) -> Model | None:
        plan = self._plan
        values = plan.keys.values(key, "update")
        self._check_model(changes, plan.schema.update_model, "update")
        if not changes.model_fields_set:
            return _first(await self._rows("update", plan.queries.select(plan.by_key(values))))
        tags = plan.touched([values])
        return _first(await self._change("update", plan.by_key(values), changes, tags, self._all, whole=True))

    async def _change(
        self,
        operation: str,
        where: Where | None,
        changes: EntityUpdate,
        tags: Collection[Tag],
        result: Callable[[Rows], T],
        *,
        names: Sequence[str] | None = None,
        whole: bool = False,
    ) -> T:
        """Change the rows that `where` finds.

        Args:
            operation: what the caller called.
            where: the rows.
            changes: the fields to change, at least one.
            tags: what that may touch.
            result: makes the caller's result of the changed rows.
            names: the order in which the caller gave the fields.
            whole: whether the changed rows are needed, or only their keys.
        """
        plan = self._plan
        given = [name for name in names or plan.spec.fields if name in changes.model_fields_set]
        values = {name: getattr(changes, name) for name in given}
        for field in plan.spec.fields.values():
            if field.touched:
                values.setdefault(field.name, utc_now())

        def effects(results: Sequence[Rows]) -> Effects:
            return plan.effects(plan.codec.stored_keys(results[0]) if whole else results[0], "updated", given)

        statement = plan.queries.update(where, values, whole=whole)
        return await self._do(operation, Write([statement], tags, effects, lambda results: result(results[0])))

    async def _update_where(
        self, where: Filter, changes: EntityUpdate, *, all_rows: bool = False, names: Sequence[str] | None = None
    ) -> int:
        predicate = self._condition(where, all_rows, "update_where")
        self._check_model(changes, self._plan.schema.update_model, "update_where")
        if not changes.model_fields_set:
            return await self._count(where, fresh=True)
        return await self._change("update_where", predicate, changes, self._plan.touched(), len, names=names)

    async def _delete(self, key: KeyType) -> bool:
        values = self._plan.keys.values(key, "delete")
        return bool(await self._remove("delete", self._plan.by_key(values), self._plan.touched([values])))

    async def _delete_where(self, where: Filter, *, all_rows: bool = False) -> int:
        predicate = self._condition(where, all_rows, "delete_where")
        return await self._remove("delete_where", predicate, self._plan.touched())

    async def _remove(self, operation: str, where: Where | None, tags: Collection[Tag]) -> int:
        plan = self._plan
        cascaded = plan.cascaded()

        def effects(results: Sequence[Rows]) -> Effects:
            found = plan.effects(results[0], "deleted")
            if results[0]:
                found.tags |= cascaded
            return found

        request = Write([plan.queries.delete(where)], {*tags, *cascaded}, effects, lambda results: len(results[0]))
        return await self._do(operation, request)

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
        if not all_rows and (predicate is None or _folded(predicate, self._plan.spec.fields) is True):
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

    def _all(self, rows: Rows) -> tuple[Model, ...]:
        return tuple(map(self._decode, rows))

    def _check_model(self, given: object, model: type[BaseModel], operation: str) -> None:
        if not isinstance(given, model):
            raise self._refuse(operation, f"a {model.__name__}, got {type(given).__name__}")

    def _listed(self, given: Any, what: str, operation: str) -> Sequence[Any]:
        if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
            raise self._refuse(operation, f"a list of {what}, got {type(given).__name__}")
        return given

    def _refuse(self, operation: str, wanted: str) -> ValidationFailedError:
        return ValidationFailedError(
            f"{operation} of {self._plan.spec.entity_type} takes {wanted}",
            "docs/api.md shows what each method takes.",
            entity_type=self._plan.spec.entity_type,
            operation=operation,
        )


def _first(models: Sequence[Model]) -> Model | None:
    return models[0] if models else None


def _folded(predicate: Predicate, fields: Mapping[str, FieldSpec]) -> bool | None:
    """What a predicate is for every row, or None where that depends on the row.

    `{"not": {"status": []}}` and `{"id": {"ne": None}}` are as empty a condition as `{}`, and as dangerous.
    """
    if isinstance(predicate, Compare):
        if predicate.operator in {"in", "not_in"} and not predicate.values:
            return predicate.operator == "not_in"
        if predicate.operator in {"is_null", "not_null"} and not fields[predicate.field].nullable:
            return predicate.operator == "not_null"
        return None
    parts = [_folded(part, fields) for part in predicate.parts]
    if predicate.operator == "not":
        return None if parts[0] is None else not parts[0]
    decisive = predicate.operator == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive
