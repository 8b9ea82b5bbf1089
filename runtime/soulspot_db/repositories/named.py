"""Named queries: one method for each kind; the schema says what each finds, returns and does."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from soulspot_db.cache.question import question
from soulspot_db.entity import Entity
from soulspot_db.errors import UnsafeWriteError, ValidationFailedError
from soulspot_db.language.folding import folded
from soulspot_db.language.nearest import nearest
from soulspot_db.language.predicates import Compare, Group, Param, Predicate
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.scope import FilterError
from soulspot_db.language.sizes import check_size
from soulspot_db.language.template import bound
from soulspot_db.repositories.arguments import arguments, changes
from soulspot_db.repositories.paging import PAGE_SIZE, Page, Wanted
from soulspot_db.repositories.reading import number
from soulspot_db.repositories.refusals import refused_filter
from soulspot_db.repositories.removing import RemovingRepository
from soulspot_db.sessions.operations import Read
from soulspot_db.sql.clauses import Chosen
from soulspot_db.sql.keyset import complete, in_order
from soulspot_db.sql.selection import bound_outputs, row_decoder

__all__ = ["NamedQueries", "only"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
Row = TypeVar("Row")
T = TypeVar("T")
Given = Mapping[str, Any]


class NamedQueries(RemovingRepository[Model, KeyType], Generic[Model, KeyType]):
    """The named queries of an entity."""

    async def _named_list(self, name: str, given: Given, *, fresh: bool = False) -> list[Model]:
        return list(await self._named_found(name, given, None, fresh=fresh))

    async def _named_one(self, name: str, given: Given, *, fresh: bool = False) -> Model | None:
        found = await self._named_found(name, given, 1, fresh=fresh)
        return found[0] if found else None

    async def _named_found(self, name: str, given: Given, most: int | None, *, fresh: bool) -> Sequence[Model]:
        query, values, where = self._asked(name, given)
        statement = self._plan.queries.select(
            where, order_by=query.order, limit=_least(self._limit(query, values), most)
        )
        asking, kept = question("named", name, values), not query.is_made_anew
        return await self._found(name, asking, statement, about=where, kept=kept, fresh=fresh)

    async def _named_page(
        self, name: str, given: Given, *, after: str | None = None, before: str | None = None, fresh: bool = False
    ) -> Page[Model]:
        query, values, where = self._asked(name, given)
        limit = self._limit(query, values)
        asking, kept = question("named", name, values, after, before), not query.is_made_anew
        wanted = Wanted(where, query.order, PAGE_SIZE if limit is None else limit, after, before)
        return await self._page_of(name, asking, wanted, kept=kept, fresh=fresh)

    async def _named_count(self, name: str, given: Given, *, fresh: bool = False) -> int:
        query, values, where = self._asked(name, given)
        statement, asking = self._plan.queries.count(where), question("named", name, values)
        return await self._answer(
            name, asking, statement, number, about=where, kept=not query.is_made_anew, fresh=fresh
        )

    async def _named_exists(self, name: str, given: Given, *, fresh: bool = False) -> bool:
        query, values, where = self._asked(name, given)
        statement, asking = self._plan.queries.exists(where), question("named", name, values)
        return await self._answer(name, asking, statement, bool, about=where, kept=not query.is_made_anew, fresh=fresh)

    async def _named_rows(self, name: str, given: Given, make: Callable[..., Row], *, fresh: bool = False) -> list[Row]:
        """What the query selects; `make` is called with the values of each row."""
        return list(await self._selected(name, given, make, None, fresh=fresh))

    async def _named_row(self, name: str, given: Given, make: Callable[..., Row], *, fresh: bool = False) -> Row | None:
        found = await self._selected(name, given, make, 1, fresh=fresh)
        return found[0] if found else None

    async def _named_total(self, name: str, given: Given, make: Callable[..., Row], *, fresh: bool = False) -> Row:
        """The one row of functions over all rows."""
        return (await self._selected(name, given, make, None, fresh=fresh))[0]

    async def _named_column(self, name: str, given: Given, *, fresh: bool = False) -> list[Any]:
        return list(await self._selected(name, given, only, None, fresh=fresh))

    # Its type is what the generated method says it returns.
    async def _named_value(self, name: str, given: Given, *, fresh: bool = False) -> T | None:
        found = await self._selected(name, given, only, 1, fresh=fresh)
        return found[0] if found else None

    async def _selected(
        self, name: str, given: Given, make: Callable[..., Row], most: int | None, *, fresh: bool
    ) -> Sequence[Row]:
        query, values, where = self._asked(name, given)
        plan = self._plan
        outputs = tuple(bound_outputs(query.outputs, partial(self._bound, values=values, operation=name)))
        limit = _least(self._limit(query, values), most)
        statement = plan.queries.selected(query, outputs, where, limit)
        decode = row_decoder(plan.spec.entity_type, outputs, plan.dialect, plan.cipher)
        asking = question("named", name, make.__name__, values, most)
        conditions = [where, *(output.where for output in outputs)]
        kept = not query.is_made_anew and all(map(self._lasts, conditions))
        request: Read[Sequence[Row]] = Read(
            region=plan.region,
            key=asking if kept else None,
            tags={tag for condition in conditions for tag in plan.read_tags(condition)},
            statement=lambda: statement,
            decode=tuple,
            fresh=fresh,
            each=lambda row: make(*decode(row)),
        )
        return await self._ask(name, request)

    async def _named_write(self, name: str, given: Given) -> int:
        """Change or delete the rows; how many there were."""
        query, values, where = self._asked(name, given)
        spec = self._plan.spec
        if not query.all_rows and (where is None or folded(where, spec.fields) is True):
            raise UnsafeWriteError(
                f"{name} with these parameters would touch every {spec.entity_type}",
                "Give it values that leave rows out.",
                "Write 'all_rows: true' in the query if every row may be meant.",
                entity_type=spec.entity_type,
                operation=name,
            )
        tags = self._touched_by(where)
        if query.verb == "delete":
            return await self._remove(name, where, tags)
        return await self._set(name, where, changes(query, values, self._plan.spec), tags, len)

    async def _named_claim(self, name: str, given: Given) -> list[Model]:
        """Change the first rows that no other is claiming, and return them."""
        query, values, where = self._asked(name, given)
        limit = self._limit(query, values)
        chosen = Chosen(where, query.order, 1 if limit is None else limit)
        new = changes(query, values, self._plan.spec)

        def result(rows: Sequence[Any]) -> list[Model]:
            # RETURNING has no order.
            return in_order(map(self._decode, rows), complete(query.order, self._plan.spec.key))

        return await self._set(name, chosen, new, self._plan.touched(), result, whole=True)

    async def _named_claim_one(self, name: str, given: Given) -> Model | None:
        found = await self._named_claim(name, given)
        return found[0] if found else None

    def _asked(self, name: str, given: Given) -> tuple[QuerySpec, dict[str, Any], Predicate | None]:
        """The query, the values of its parameters, and which rows it is about."""
        query = self._query_spec(name)
        values = arguments(query, given, self._plan.spec.entity_type)
        where = None if query.where is None else self._bound(query.where, values=values, operation=name)
        return query, values, where

    def _query_spec(self, name: str) -> QuerySpec:
        spec = self._plan.spec
        query = spec.queries.get(name)
        if query is None:
            hint = nearest(name, spec.queries)
            raise ValidationFailedError(
                f"{spec.entity_type} has no query {name!r}" + (f"; {hint}" if hint else ""),
                f"Use one of its queries: {', '.join(spec.queries) or 'it has none'}.",
                entity_type=spec.entity_type,
                operation="run_query",
            )
        return query

    def _bound(self, predicate: Predicate, *, values: Given, operation: str) -> Predicate | None:
        try:
            found = bound(predicate, values, self._plan.spec)
            check_size(found)
        except FilterError as problem:
            raise refused_filter(problem, self._plan.spec, operation) from None
        return found

    def _limit(self, query: QuerySpec, values: Given) -> int | None:
        limit = values.get(query.limit.name) if isinstance(query.limit, Param) else query.limit
        return None if limit is None else self._amount("limit", limit)

    def _touched_by(self, where: Predicate | None) -> Collection[Any]:
        """What a write to these rows touches: one row, where the condition names its key."""
        key = _key_of(where, self._plan.spec.key)
        return self._plan.touched(() if key is None else [key])


def only(value: Any) -> Any:
    """What makes a row of the one value that is selected: nothing."""
    return value


def _key_of(where: Predicate | None, names: Sequence[str]) -> tuple[Any, ...] | None:
    parts = where.parts if isinstance(where, Group) and where.operator == "and" else (where,)
    equals = {
        part.field: part.values[0]
        for part in parts
        if isinstance(part, Compare) and part.operator == "eq" and part.other is None
    }
    return tuple(equals[name] for name in names) if all(name in equals for name in names) else None


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)
