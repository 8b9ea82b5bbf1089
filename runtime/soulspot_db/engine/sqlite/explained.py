"""Which index would help a slow statement: tried beside the file, which is only read, and never by its lanes."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Self

from soulspot_db.engine.base import Statement
from soulspot_db.engine.sqlite.errors import translate
from soulspot_db.engine.sqlite.facts import FileFacts
from soulspot_db.engine.sqlite.scratch import Scratch, Statistics
from soulspot_db.language.advised import Advised
from soulspot_db.language.conditions import quoted
from soulspot_db.language.sql_tokens import tokens
from soulspot_db.language.table import index_part, index_sql
from soulspot_db.monitoring.slow.candidates import candidates
from soulspot_db.monitoring.slow.costs import Index, Weighing
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.monitoring.slow.plan import Plan
from soulspot_db.monitoring.slow.scopes import scopes, verb
from soulspot_db.monitoring.slow.search import search
from soulspot_db.monitoring.slow.wording import sentence

__all__ = ["explained"]

_PATIENCE = 0.5  # seconds to wait for a lock
_LONGEST = 5.0  # seconds that all of it may take
_STEPS = 1_000  # of SQLite's virtual machine, between two looks at the clock


async def explained(path: str, statement: Statement, tables: Mapping[str, Known]) -> str | None:
    """The index that would help a statement, in a sentence; None where none does.

    Whoever is cancelled leaves when the file is closed again.

    Args:
        path: the database file.
        statement: with its values, if they are known.
        tables: the entities by their tables.

    Raises:
        DatabaseError: the file cannot be read.
    """
    stopped = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(_explained, path, statement, tables, stopped.is_set))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # that it was stopped; nobody is there to be told
        raise


def _explained(path: str, statement: Statement, tables: Mapping[str, Known], stopped: Callable[[], bool]) -> str | None:
    end = time.monotonic() + _LONGEST

    def is_over() -> bool:
        return stopped() or time.monotonic() > end

    try:
        address = f"{Path(path).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE, isolation_level=None)) as connection:
            connection.set_progress_handler(is_over, _STEPS)
            found = list(dict.fromkeys(_advice(statement, tables, FileFacts(connection), is_over)))
    except TimeoutError:
        return None  # with so many tables and indexes, nobody knows in time
    except sqlite3.Error as error:
        raise translate(error, statement.sql, path) from error
    return "; ".join(found) or None


def _advice(
    statement: Statement, tables: Mapping[str, Known], facts: FileFacts, is_over: Callable[[], bool]
) -> Iterator[str]:
    if verb(statement.sql, "sqlite") not in {"select", "update", "delete"}:
        return
    with _Explaining(facts, tables, is_over) as explaining:
        yield from explaining.advice(statement.sql, statement.values)
        if verb(statement.sql, "sqlite") == "delete":
            for sql in _looks_for_references(statement.sql, facts, tables):
                yield from explaining.advice(sql, (), " for each row that is deleted")


def _looks_for_references(sql: str, facts: FileFacts, tables: Mapping[str, Known]) -> Iterator[str]:
    """What SQLite does by itself for each row that a statement deletes, and no plan tells of."""
    names = [mark.name for mark in tokens(sql, "sqlite") if mark.name and not mark.depth]
    target = names[names.index("delete") + 2]  # DELETE FROM target
    for table, column in facts.references(target):
        if table in tables:
            yield f"SELECT 1 FROM {quoted(table)} WHERE {quoted(column)} = ?"  # noqa: S608


class _Explaining:
    """The scratch databases of one file: by the statistics that it has, and by those that it will have when it is analysed."""

    def __init__(self, facts: FileFacts, tables: Mapping[str, Known], is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        self._facts = facts
        self._tables = tables
        self._entities = {known.name: known for known in tables.values()}
        self._schema = facts.schema()
        self._today = Scratch(self._schema, facts.statistics, is_over)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._today.__exit__()

    def advice(self, sql: str, values: Sequence[Any], why: str = "") -> Iterator[str]:
        """What would help."""
        columns = {
            table: {field.column for field in known.spec.fields.values()} for table, known in self._tables.items()
        }
        parts = scopes(sql, "sqlite", columns)
        weighing = Weighing(parts, values, self._facts)
        given = values or (None,) * sum(mark.kind == "foreign" for mark in tokens(sql, "sqlite"))
        costs = weighing.costs(self._today.plan(sql, given, {}), {})
        if not costs:
            return
        names = {alias: table for scope in parts for alias, table in scope.tables.items()}
        with Scratch(self._schema, self._facts.analysed([*dict.fromkeys(names.values())]), self._is_over) as analysed:
            found = search(
                candidates(parts, {cost.alias for cost in costs}, self._tables, self._facts),
                [partial(self._plan, self._today, sql, given, False), partial(self._plan, analysed, sql, given, True)],
                weighing,
                self._entities,
            )
        if found is not None:
            yield sentence(
                found.spared, {alias: self._tables[table].name for alias, table in names.items()}, found.indexes, why
            )

    def _plan(
        self, scratch: Scratch, sql: str, values: Sequence[Any], is_analysed: bool, indexes: Sequence[Advised]
    ) -> Plan:
        return scratch.plan(sql, values, dict(map(partial(self._made, is_analysed), indexes)))

    def _made(self, is_analysed: bool, index: Advised) -> tuple[str, Statistics]:
        """The statement that makes an index, and what is known of it."""
        spec = self._entities[index.entity].spec
        made = index.index(spec)
        parts = Index(tuple(index_part({**column, "descending": False}) for column in made["columns"]))
        known = [self._facts.statistic(spec.table_name, made["name"], parts)] if is_analysed else []
        return index_sql(spec.table_name, made), known
