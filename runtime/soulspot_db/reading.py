"""Reading an entity: from memory where that can be told at once, else through the session."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from soulspot_db.access import EntityAccess, Filter, first
from soulspot_db.cache.question import question, row_question
from soulspot_db.cache.region import MISS
from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.entity import Entity
from soulspot_db.errors import DatabaseError, NotFoundError, ValidationFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.filters import Compare, FilterError, parse_order
from soulspot_db.monitoring.hooks import Trace
from soulspot_db.operations import Read
from soulspot_db.plan import Key
from soulspot_db.refusals import explained, refused_filter

__all__ = ["ReadRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
T = TypeVar("T")
_MAX_INT = 2**63 - 1
_CHUNK = 1000  # keys in one IN; SQLite binds at most 32,766 values to a statement


class ReadRepository(EntityAccess[Model], Generic[Model, KeyType]):
    """The methods of a repository that change nothing.

    What is remembered needs no check: equal arguments of the same types were checked when they were asked first.
    """

    async def _get(self, key: KeyType, *, fresh: bool = False) -> Model | None:
        if not fresh and (found := self._session.peek(self._region, (type(key), key))) is not MISS:
            return cast("Model | None", found)
        return await self._find(self._plan.keys.values(key, "get"), "get", fresh=fresh)

    async def _find(self, key: Key, operation: str, *, fresh: bool = False) -> Model | None:
        plan, asking = self._plan, row_question(key)
        if not fresh and (found := self._session.peek(self._region, asking)) is not MISS:
            return cast("Model | None", found)
        return await self._ask(
            operation,
            Read(
                region=plan.region,
                key=asking,
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
        answers: list[Any] = [MISS if fresh else self._session.peek(self._region, (type(key), key)) for key in listed]
        missing = [position for position, answer in enumerate(answers) if answer is MISS]
        if missing:
            wanted = [self._plan.keys.values(listed[position], "get_many") for position in missing]
            for position, found in zip(missing, await self._find_many(wanted, fresh=fresh), strict=True):
                answers[position] = found
        return answers

    async def _find_many(self, wanted: Sequence[Key], *, fresh: bool = False) -> list[Model | None]:
        plan, hooks = self._plan, self._session.hooks
        if len(plan.spec.key) != 1:
            return [await self._find(key, "get_many", fresh=fresh) for key in wanted]
        if not hooks:
            return await self._known_or_loaded(wanted, Trace(), fresh=fresh)
        statement = self._by_keys([key[0] for key in wanted][:_CHUNK])
        bypass = self._session.current() is not None
        with hooks.telling(plan.spec.entity_type, "get_many", statement.sql, bypass=bypass) as trace:
            return await self._known_or_loaded(wanted, trace, fresh=fresh)

    async def _known_or_loaded(self, wanted: Sequence[Key], trace: Trace, *, fresh: bool) -> list[Model | None]:
        plan = self._plan
        keys = {row_question(key): key for key in wanted}

        async def load(missing: Collection[Hashable]) -> Mapping[Hashable, Model | None]:
            return await self._load_rows({asking: keys[asking] for asking in missing}, trace)

        if self._session.current() is not None:
            found = await load(keys)
        else:
            asked = {asking: plan.row_tags(key) for asking, key in keys.items()}
            found = await plan.region.read_many(asked, load, fresh=fresh)
        return [found[row_question(key)] for key in wanted]

    async def _load_rows(self, keys: Mapping[Hashable, Key], trace: Trace) -> dict[Hashable, Model | None]:
        """Ask the database for rows by single keys, as few times as possible."""
        listed = [key[0] for key in keys.values()]
        rows: dict[Key, Model] = {}
        for start in range(0, len(listed), _CHUNK):
            found = await self._load_chunk(self._by_keys(listed[start : start + _CHUNK]))
            trace.seen(len(found))
            rows |= {self._plan.key_of(model): model for model in found}
        return {asking: rows.get(key) for asking, key in keys.items()}

    def _by_keys(self, keys: Sequence[Any]) -> Statement:
        return self._plan.queries.select(Compare(self._plan.spec.key[0], "in", tuple(keys)))

    async def _load_chunk(self, statement: Statement) -> Sequence[Model]:
        try:
            return await self._session.read(Read(self._region, None, (), lambda: statement, self._all))
        except DatabaseError as error:
            raise explained(error, self._plan.spec, "get_many") from error.__cause__

    async def _get_by(self, values: Mapping[str, Any], *, fresh: bool = False) -> Model | None:
        asking = question("get_by", values)
        if not fresh and (found := self._session.peek(self._region, asking)) is not MISS:
            return first(found)
        where = self._filter({name: {"eq": value} for name, value in values.items()}, "get_by")
        if any(value is None for value in values.values()):
            return None  # null is not equal to null, so a unique index finds nothing
        statement = self._plan.queries.select(where)
        return first(await self._answer("get_by", asking, statement, self._all, narrow=self._row_tags_of, fresh=fresh))

    def _row_tags_of(self, rows: Sequence[Model]) -> tuple[Tag, ...] | None:
        """What the answer to a question for one row depends on: that row, if there is one.

        Another row can be the answer only after this one was changed, because their values are unique.
        """
        return self._plan.row_tags(self._plan.key_of(rows[0])) if rows else None

    async def _query(
        self,
        where: Filter = None,
        *,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        fresh: bool = False,
    ) -> list[Model]:
        return list(await self._matching(where, order_by, limit, offset, fresh=fresh))

    async def _matching(
        self, where: Filter, order_by: str | Sequence[str] | None, limit: int | None, offset: int, *, fresh: bool
    ) -> Sequence[Model]:
        asking = question("query", where, order_by, limit, offset)
        if not fresh and (found := self._session.peek(self._region, asking)) is not MISS:
            return cast("Sequence[Model]", found)
        predicate = self._filter(where, "query")
        try:
            order = parse_order(order_by, self._plan.spec)
        except FilterError as problem:
            raise refused_filter(problem, self._plan.spec, "query") from None
        limit = None if limit is None else self._amount("limit", limit)
        offset = self._amount("offset", offset)
        statement = self._plan.queries.select(predicate, order_by=order, limit=limit, offset=offset)
        return await self._answer("query", asking, statement, self._all, fresh=fresh)

    async def _count(self, where: Filter = None, *, fresh: bool = False) -> int:
        asking = question("count", where)
        if not fresh and (found := self._session.peek(self._region, asking)) is not MISS:
            return cast("int", found)
        statement = self._plan.queries.count(self._filter(where, "count"))
        return await self._answer("count", asking, statement, lambda rows: int(rows[0][0]), fresh=fresh)

    async def _exists(self, where: Filter, *, fresh: bool = False) -> bool:
        asking = question("exists", where)
        if not fresh and (found := self._session.peek(self._region, asking)) is not MISS:
            return cast("bool", found)
        statement = self._plan.queries.exists(self._filter(where, "exists"))
        return await self._answer("exists", asking, statement, bool, fresh=fresh)

    async def _answer(
        self,
        operation: str,
        asking: Hashable | None,
        statement: Statement,
        decode: Callable[[Rows], T],
        *,
        narrow: Callable[[T], Collection[Tag] | None] | None = None,
        fresh: bool = False,
    ) -> T:
        """What a statement answers, now or before.

        Args:
            operation: what the caller called.
            asking: the arguments of the call as a key; None where the statement is the key.
            statement: how to ask the database.
            decode: makes the answer of its rows.
            narrow: what the answer depends on once it is known, if not on everything in the table.
            fresh: ask the database even if the answer is known.
        """
        if asking is None:
            # To Python 1, 1.0 and True are equal; to the database they need not be.
            asking = (statement.sql, statement.values, tuple(map(type, statement.values)))
        plan = self._plan
        request = Read(plan.region, asking, plan.table_tags, lambda: statement, decode, narrow=narrow, fresh=fresh)
        return await self._ask(operation, request)

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
