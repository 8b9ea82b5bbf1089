"""Named queries in the facade's terms: any of them by its name, with values that are the caller's own."""

from collections.abc import Callable, Mapping
from typing import Any

from soulspot_db.entity import Entity
from soulspot_db.facade.terms import Record, RecordTerms
from soulspot_db.language.queries import QuerySpec
from soulspot_db.repositories.paging import Page
from soulspot_db.sql.codec import exporter

__all__ = ["RecordQueries"]


class RecordQueries(RecordTerms):
    """What `db.run_query` does."""

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

    async def _exported_page(self, page: Page[Entity]) -> Page[Record]:
        return Page(await self._exported(page.items), page.next, page.previous)


def _values(*values: Any) -> tuple[Any, ...]:
    return values
