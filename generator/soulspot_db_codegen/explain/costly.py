"""Named queries that read or sort a large table as a whole: each is warned of, with the index that would help."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from soulspot_db.language.advised import Advised
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.table import TableSpec, index_sql

from soulspot_db_codegen.documents import Located
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.explain.advice import advice
from soulspot_db_codegen.explain.plan import LARGE, Cost, costs
from soulspot_db_codegen.explain.sql_texts import in_sql
from soulspot_db_codegen.explain.statements import Asked, questions
from soulspot_db_codegen.scratch import expect_rows, scratch_database

__all__ = ["costly_queries"]


def costly_queries(
    specs: Mapping[str, EntitySpec], tables: Sequence[TableSpec], located: Mapping[str, Located]
) -> Iterator[Diagnostic]:
    """A warning for each; those of installed packages are for their authors.

    Args:
        specs: the entities, by `module.entity`.
        tables: their tables.
        located: where each is written.
    """
    expected = {
        specs[path].entity_type: document.expect_rows
        for path, document in ((path, located[path].document) for path in specs)
        if document.expect_rows is not None
    }
    by_type = {spec.entity_type: spec for spec in specs.values()}
    large = any(count >= LARGE for count in expected.values())
    with closing(scratch_database(tables if large else ())) as connection:
        explained = _Explained(connection, expected, by_type)
        for path, spec in specs.items():
            if located[path].source.is_of_package:
                continue
            for query in spec.queries.values():
                yield from _told(query, spec, located[path], explained)


_OF_SQL = "add an index that the text can use, or say with 'full_scan: ...' why it needs none"


def _told(query: QuerySpec, spec: EntitySpec, located: Located, explained: "_Explained") -> Iterator[Diagnostic]:
    found = explained.costs(query, spec)
    at = ("queries", query.name)
    if located.document.queries[query.name].full_scan is not None:
        if not found:
            message = f"'full_scan' excuses nothing: {query.name!r} reads no large table as a whole"
            yield located.problem((*at, "full_scan"), message, "remove it", at_key=True)
        return
    for cost, asked in found.items():
        indexes = explained.help(asked, spec, cost)
        # A sort that no index spares is not the schema's fault; a scan is something that somebody should have thought of.
        if indexes or cost.kind == "scan":
            message = _message(cost, query, asked, explained.expected)
            hint = _hint(indexes, spec.entity_type) if query.sql is None else _OF_SQL
            yield located.problem(at, message, hint, at_key=True)


def _message(cost: Cost, query: QuerySpec, asked: Asked, expected: Mapping[str, int]) -> str:
    who = f"{query.name!r}{' without its optional conditions' if asked.is_bare else ''}"
    rows = f"of which {expected[cost.entity]} are expected"
    if cost.kind == "scan":
        return f"{who} reads every row of {cost.entity!r}, {rows}"
    return f"{who} sorts all that it finds of {cost.entity!r}, {rows}, to return the first"


def _hint(indexes: Sequence[Advised], entity: str) -> str:
    if not indexes:
        return "no index would help; if that is how it must be, say why with 'full_scan: ...'"
    lines = " and ".join(f"'- {each.line}'" for each in indexes)
    other = "" if indexes[0].entity == entity else f" of {indexes[0].entity!r}"
    return f"add {lines} to the 'indexes'{other}, or say with 'full_scan: ...' why that is not needed"


class _Explained:
    """A scratch database that knows how many rows are expected."""

    def __init__(
        self, connection: sqlite3.Connection, expected: Mapping[str, int], by_type: Mapping[str, EntitySpec]
    ) -> None:
        self.expected = expected
        self._connection = connection
        self._find = find = by_type.__getitem__
        self._by_table = {spec.table_name: spec for spec in by_type.values()}
        self._large = {entity: count for entity, count in expected.items() if count >= LARGE}
        self._rows = {find(entity).table_name: count for entity, count in expected.items()} if self._large else {}
        expect_rows(connection, self._rows)

    def costs(self, query: QuerySpec, spec: EntitySpec) -> dict[Cost, Asked]:
        """What a query costs, each with the first of its statements that does."""
        found: dict[Cost, Asked] = {}
        for asked in self._statements(query, spec) if self._large else ():
            found = dict.fromkeys(self._costs(asked), asked) | found
        return found

    def _statements(self, query: QuerySpec, spec: EntitySpec) -> Iterable[Asked]:
        return questions(query, spec, self._find) if query.sql is None else [in_sql(query.sql, self._by_table)]

    def _costs(self, asked: Asked) -> set[Cost]:
        found = costs(self._connection, asked, self._large)
        scans = {cost for cost in found if cost.kind == "scan"}
        return scans or found  # beside a scan a sort is not worth a word

    def help(self, asked: Asked, spec: EntitySpec, cost: Cost) -> Sequence[Advised]:
        """Indexes that leave nothing to warn of, or at least not this; none where no index is of use."""
        helpful: Sequence[Advised] = ()
        for indexes in advice(asked, spec):
            left = self._costs_with(indexes, asked)
            if not left:
                return self._missing(indexes, asked)
            if cost not in left and not helpful:
                helpful = indexes
        return helpful

    def _missing(self, indexes: Sequence[Advised], asked: Asked) -> Sequence[Advised]:
        """Those of several indexes that it does not do without, because the table has others like them."""
        for each in indexes:
            others = [other for other in indexes if other != each]
            if others and not self._costs_with(others, asked):
                return self._missing(others, asked)
        return indexes

    def _costs_with(self, indexes: Sequence[Advised], asked: Asked) -> set[Cost]:
        connection = self._connection
        connection.execute("BEGIN")
        for each in indexes:
            spec = self._find(each.entity)
            connection.execute(index_sql(spec.table_name, each.index(spec)))
        expect_rows(connection, self._rows)
        found = self._costs(asked)
        connection.execute("ROLLBACK")
        connection.execute("ANALYZE sqlite_schema")  # which reads again how many rows there are
        return found
