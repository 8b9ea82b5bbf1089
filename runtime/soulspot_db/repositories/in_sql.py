"""Named queries written in SQL: the answer of each, and what a write does to cache and events."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from soulspot_db.cache import tags
from soulspot_db.cache.question import statement_question
from soulspot_db.engine.base import Rows
from soulspot_db.entity import Entity
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.sql_query import SqlQuery
from soulspot_db.repositories.arguments import arguments
from soulspot_db.repositories.named import NamedQueries, only
from soulspot_db.repositories.reading import number
from soulspot_db.sessions.operations import Effects, Read, Write

__all__ = ["SqlQueries"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
T = TypeVar("T")
Made = TypeVar("Made")
Given = Mapping[str, Any]


class SqlQueries(NamedQueries[Model, KeyType], Generic[Model, KeyType]):
    """The queries of an entity that are written in SQL."""

    async def _sql_list(self, name: str, given: Given, *, fresh: bool = False) -> list[Model]:
        """The rows of the entity that it finds, or has written."""
        if self._query_spec(name).writes:
            return await self._sql_written(name, given, lambda rows: list(map(self._decode, rows)))
        in_order = self._plan.sql[name].in_order
        found = await self._sql_answer(name, given, tuple, lambda row: self._decode(in_order(row)), fresh=fresh)
        return list(found)

    async def _sql_one(self, name: str, given: Given, *, fresh: bool = False) -> Model | None:
        """The first of them."""
        found = await self._sql_list(name, given, fresh=fresh)
        return found[0] if found else None

    async def _sql_rows(self, name: str, given: Given, make: Callable[..., Made], *, fresh: bool = False) -> list[Made]:
        """What it selects; `make` is called with the values of each row."""
        in_order, read = self._plan.sql[name].in_order, self._plan.sql_rows[name]
        each, made = (lambda row: make(*read(in_order(row)))), make.__name__
        return list(await self._sql_answer(name, given, tuple, each, made, fresh=fresh))

    async def _sql_column(self, name: str, given: Given, *, fresh: bool = False) -> list[Any]:
        """The values that it selects."""
        return await self._sql_rows(name, given, only, fresh=fresh)

    async def _sql_count(self, name: str, given: Given, *, fresh: bool = False) -> int:
        """The number that it selects."""
        return await self._sql_answer(name, given, number, fresh=fresh)

    async def _sql_write(self, name: str, given: Given) -> int:
        """How many rows it wrote."""
        return await self._sql_written(name, given, len)

    async def _sql_answer(
        self,
        name: str,
        given: Given,
        decode: Callable[[Sequence[Any]], T],
        each: Callable[[tuple[Any, ...]], Any] | None = None,
        made: str | None = None,
        *,
        fresh: bool,
    ) -> T:
        """What `decode` makes of what `each` makes of the rows that it finds; `made` names that, where there are several ways."""
        plan, query, sql = self._plan, *self._in_sql(name)
        statement = plan.sql[name].statement(arguments(query, given, plan.spec.entity_type))
        is_kept = not sql.is_timed and not query.is_made_anew
        asking = statement_question(statement.sql, statement.values) if is_kept else None
        request: Read[T] = Read(
            region=plan.region,
            key=None if asking is None else (name, made, asking),
            tags=tuple(map(tags.table, sql.analysis.reads)),
            statement=lambda: statement,
            decode=decode,
            fresh=fresh,
            each=each,
        )
        return await self._ask(name, request)

    async def _sql_written(self, name: str, given: Given, result: Callable[[Rows], T]) -> T:
        """What `result` makes of the rows that it wrote."""
        plan, query, sql = self._plan, *self._in_sql(name)
        statement = plan.sql[name].statement(arguments(query, given, plan.spec.entity_type))
        is_whole, cascaded = query.verb == "list", plan.cascaded() if sql.verb == "delete" else set()

        def effects(results: Sequence[Rows]) -> Effects:
            keys = list(map(plan.codec.stored_key, results[0])) if is_whole else results[0]
            if sql.verb == "delete":
                return plan.erased(keys)
            return plan.effects(keys, _TOPICS[sql.verb], sql.analysis.sets or None)

        request = Write([statement], {*plan.touched(), *cascaded}, effects, lambda results: result(results[0]))
        return await self._do(name, request)

    def _in_sql(self, name: str) -> tuple[QuerySpec, SqlQuery]:
        query = self._query_spec(name)
        return query, cast("SqlQuery", query.sql)


_TOPICS = {"insert": "created", "update": "updated"}
