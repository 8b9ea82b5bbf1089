"""Reading an entity: from memory where that can be told at once, else through the session."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar, cast

from soulspot_db.cache.question import question, row_question, statement_question, typed
from soulspot_db.cache.region import MISS
from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Statement
from soulspot_db.entity import Entity
from soulspot_db.errors import NotFoundError, ValidationFailedError
from soulspot_db.fairness import spread
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.predicates import Predicate, is_timed
from soulspot_db.language.visibility import latest
from soulspot_db.repositories.access import EntityAccess, Filter, first
from soulspot_db.sessions.batching import ByKey, chunks
from soulspot_db.sessions.operations import Read, ReadMany
from soulspot_db.sessions.plan import Key
from soulspot_db.sql.clauses import Where

__all__ = ["ReadRepository", "number"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
T = TypeVar("T")
_MAX_INT = 2**63 - 1


class ReadRepository(EntityAccess[Model], Generic[Model, KeyType]):
    """The methods of a repository that change nothing."""

    async def _get(self, key: KeyType, *, fresh: bool = False) -> Model | None:
        if (found := self._remembered("get", typed(key), fresh=fresh)) is not MISS:
            return cast("Model | None", self._plan.shown(found))
        return await self._find(self._plan.keys.values(key, "get"), "get", fresh=fresh)

    async def _find(self, key: Key, operation: str, *, fresh: bool = False, together: bool = False) -> Model | None:
        """The row with this key; `together` with others that are asked for in the same turn of the loop."""
        plan, asking = self._plan, row_question(key)
        if (found := self._remembered(operation, asking, fresh=fresh)) is not MISS:
            return cast("Model | None", plan.shown(found))
        request = Read(
            region=plan.region,
            key=asking,
            tags=plan.row_tags(key),
            statement=lambda: plan.queries.find(key),
            decode=lambda rows: self._decode(rows[0]) if rows else None,
            fresh=fresh,
            point=not together,
            batch=None if plan.by_one is None else (plan.by_one, key[0]),
        )
        # The row is kept as it is stored; whether it is visible is told anew each time, because that can change by itself.
        if not together and (found := self._ask_at_once(operation, request)) is not MISS:
            return cast("Model | None", plan.shown(found))
        stored: Model | None = await self._ask(operation, request)
        return cast("Model | None", plan.shown(stored))

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
        # All or none: with a wait in between, some rows could be from before a write and some from after.
        found = self._remembered_many("get_many", map(typed, listed), fresh=fresh)
        if found is not MISS:
            return self._visible_of(found)
        values_of = partial(self._plan.keys.values, operation="get_many")
        wanted = await spread(tuple(listed), values_of, self._plan.turns)
        return await self._find_many(wanted, fresh=fresh)

    async def _find_many(self, wanted: Sequence[Key], *, fresh: bool = False) -> list[Model | None]:
        plan = self._plan
        if plan.by_one is None:
            return [await self._find(key, "get_many", fresh=fresh) for key in wanted]
        found: list[Model | None] = []
        for some in chunks(wanted):
            found += await self._find_together(some, plan.by_one, fresh=fresh)
        return self._visible_of(found)

    def _visible_of(self, found: list[Model | None]) -> list[Model | None]:
        """Rows that were found by their keys, None where one is not visible."""
        if self._plan.visible is None:
            return found
        return [cast("Model | None", self._plan.shown(each)) for each in found]

    async def _find_together(self, wanted: Sequence[Key], by: ByKey, *, fresh: bool) -> list[Model | None]:
        plan = self._plan
        keys = {row_question(key): key for key in wanted}

        def decode(asked: Collection[Hashable], models: Sequence[Model]) -> Mapping[Hashable, Model | None]:
            found = {plan.key_of(model): model for model in models}
            return {asking: found.get(keys[asking]) for asking in asked}

        tags = {asking: plan.row_tags(key) for asking, key in keys.items()}
        values = {asking: key[0] for asking, key in keys.items()}
        request = ReadMany(plan.region, tags, values, by, self._decode, decode, fresh=fresh)
        answers = await self._ask_many("get_many", request)
        return [answers[row_question(key)] for key in wanted]

    async def _get_by(self, values: Mapping[str, Any], *, fresh: bool = False) -> Model | None:
        asking = question("get_by", values)
        if (found := self._remembered("get_by", asking, fresh=fresh)) is not MISS:
            return first(found)
        where = self._filter({name: {"eq": value} for name, value in values.items()}, "get_by")
        if any(value is None for value in values.values()):
            return None  # null is not equal to null, so a unique index finds nothing
        found = await self._found(
            "get_by", asking, self._by_unique(where), narrow=self._row_tags_of, fresh=fresh, point=True
        )
        return first(found)

    def _by_unique(self, where: Where | None) -> Statement:
        """Finds the row with a unique value; where deleted ones are found as well, one that is not deleted, or was last of all."""
        spec = self._plan.spec
        if spec.soft_delete is None or not self._plan.visibility.deleted:
            return self._plan.queries.select(where)
        return self._plan.queries.select(where, order_by=latest(spec), limit=1)

    def _row_tags_of(self, rows: Sequence[Model]) -> tuple[Tag, ...] | None:
        """What the answer to a question for one row depends on: that row, if there is one.

        Another row can be the answer only after this one was changed, because their values are unique; but not among those
        that were deleted softly.
        """
        return self._plan.row_tags(self._plan.key_of(rows[0])) if rows and not self._plan.visibility.deleted else None

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
        if (found := self._remembered("query", asking, fresh=fresh)) is not MISS:
            return cast("Sequence[Model]", found)
        predicate, order = self._filter(where, "query"), self._order(order_by, "query")
        limit = None if limit is None else self._amount("limit", limit)
        offset = self._amount("offset", offset)
        statement = self._plan.queries.select(predicate, order_by=order, limit=limit, offset=offset)
        return await self._found("query", asking, statement, about=predicate, fresh=fresh)

    async def _count(self, where: Filter = None, *, fresh: bool = False) -> int:
        asking = question("count", where)
        if (found := self._remembered("count", asking, fresh=fresh)) is not MISS:
            return cast("int", found)
        predicate = self._filter(where, "count")
        statement = self._plan.queries.count(predicate)
        return await self._answer("count", asking, statement, number, about=predicate, fresh=fresh)

    async def _exists(self, where: Filter, *, fresh: bool = False) -> bool:
        asking = question("exists", where)
        if (found := self._remembered("exists", asking, fresh=fresh)) is not MISS:
            return cast("bool", found)
        predicate = self._filter(where, "exists")
        statement = self._plan.queries.exists(predicate)
        return await self._answer("exists", asking, statement, bool, about=predicate, fresh=fresh)

    async def _answer(
        self,
        operation: str,
        asking: Hashable | None,
        statement: Statement,
        decode: Callable[[Sequence[Any]], T],
        *,
        about: Predicate | None = None,
        kept: bool = True,
        fresh: bool,
    ) -> T:
        """What `decode` makes of the few rows of a statement, now or before; the other arguments are those of `_found`."""
        plan = self._plan
        asking = _key(asking, statement) if kept and self._lasts(about) else None
        return await self._ask(
            operation, Read(plan.region, asking, plan.read_tags(about), lambda: statement, decode, fresh=fresh)
        )

    async def _found(
        self,
        operation: str,
        asking: Hashable | None,
        statement: Statement,
        *,
        narrow: Callable[[Sequence[Model]], Collection[Tag] | None] | None = None,
        about: Predicate | None = None,
        kept: bool = True,
        fresh: bool = False,
        point: bool = False,
    ) -> Sequence[Model]:
        """The models of the rows that a statement finds, now or before.

        Args:
            operation: what the caller called.
            asking: the arguments of the call as a key; None where the statement is the key, unless it is a very long one.
            statement: how to ask the database.
            narrow: what the answer depends on once it is known, if not on everything in the table.
            about: the condition; what it looks into the answer depends on, and on the time if it does.
            kept: whether the answer may be given again.
            fresh: ask the database even if the answer is known.
            point: at most one row is found, by a unique index.
        """
        plan = self._plan
        request: Read[Sequence[Model]] = Read(
            region=plan.region,
            key=_key(asking, statement) if kept and self._lasts(about) else None,
            tags=plan.read_tags(about),
            statement=lambda: statement,
            decode=tuple,
            narrow=narrow,
            fresh=fresh,
            point=point,
            each=self._decode,
        )
        if point and (known := self._ask_at_once(operation, request)) is not MISS:
            return cast("Sequence[Model]", known)
        return await self._ask(operation, request)

    def _lasts(self, about: Predicate | None) -> bool:
        """Whether rows that are found by a condition are so whatever the time."""
        return not self._plan.is_timed and not is_timed(about)

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


def _key(asking: Hashable | None, statement: Statement) -> Hashable | None:
    return statement_question(statement.sql, statement.values) if asking is None else asking


def number(rows: Sequence[Any]) -> int:
    """The only value of the only row."""
    return int(rows[0][0])
