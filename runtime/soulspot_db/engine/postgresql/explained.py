"""Which index would help a slow statement: told from PostgreSQL's plan, on a connection of its own, without running it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from soulspot_db.engine.base import Statement
from soulspot_db.engine.postgresql.connecting import not_connected
from soulspot_db.engine.postgresql.connection import connect, connect_options
from soulspot_db.engine.postgresql.errors import DRIVER_ERRORS, translate
from soulspot_db.engine.postgresql.facts import ServerFacts
from soulspot_db.engine.postgresql.plans import Hypothesis, read_plan
from soulspot_db.language.sql_tokens import tokens
from soulspot_db.monitoring.slow.candidates import candidates
from soulspot_db.monitoring.slow.costs import Weighing
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.monitoring.slow.scopes import Scope, scopes, verb
from soulspot_db.monitoring.slow.search import search
from soulspot_db.monitoring.slow.wording import sentence
from soulspot_db.settings import DatabaseSettings

__all__ = ["explained"]

_CLOSING = 2.0  # seconds that the server has to say goodbye
_PATIENCE = "SET statement_timeout = '2s'; SET lock_timeout = '1s'"


async def explained(settings: DatabaseSettings, statement: Statement, tables: Mapping[str, Known]) -> str | None:
    """The index that would help a statement, in a sentence; None where none does.

    Args:
        settings: where the database is.
        statement: with its values, if they are known.
        tables: the entities by their tables.

    Raises:
        DatabaseError: the server cannot be reached, or does not explain it.
    """
    sql = statement.sql
    if verb(sql, "postgresql") not in {"select", "update", "delete"}:
        return None
    columns = {table: {field.column for field in known.spec.fields.values()} for table, known in tables.items()}
    # In a thread: it is plain computing, just when the program is slow already.
    parts = await asyncio.to_thread(scopes, sql, "postgresql", columns)
    names = {alias: table for scope in parts for alias, table in scope.tables.items()}
    if not names:
        return None
    try:
        connection = await connect(**connect_options(settings))
    except DRIVER_ERRORS as error:
        raise not_connected(error, settings) from error
    try:
        try:
            await connection.execute(_PATIENCE)
            async with connection.transaction(readonly=True):
                root = await _plan(connection, sql, statement.values)
                facts = await ServerFacts.read(connection, {*names.values()})
        finally:
            await connection.close(timeout=_CLOSING)
    except DRIVER_ERRORS as error:
        raise translate(error, sql, settings) from error
    return await asyncio.to_thread(_advice, root, parts, statement.values, facts, tables)


async def _plan(connection: Any, sql: str, values: Sequence[Any]) -> Mapping[str, Any]:
    """The plan: for these values, or where they are not known for any."""
    if values:
        rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) {sql}", *values)
    else:
        marks = {mark.text for mark in tokens(sql, "postgresql") if mark.kind == "foreign"}
        given = f"({', '.join(['NULL'] * len(marks))})" if marks else ""
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE slow AS {sql}")
        rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE slow{given}")
    found: Mapping[str, Any] = json.loads(rows[0][0])[0]["Plan"]
    return found


def _advice(
    root: Mapping[str, Any],
    parts: Sequence[Scope],
    values: Sequence[Any],
    facts: ServerFacts,
    tables: Mapping[str, Known],
) -> str | None:
    plan, least = read_plan(root)
    entities = {known.name: known for known in tables.values()}
    hypothesis = Hypothesis(plan, parts, values, facts, entities)
    weighing = Weighing(parts, (), facts, least)
    costs = weighing.costs(hypothesis(()), {})
    if not costs:
        return None
    tries = candidates(parts, {cost.alias for cost in costs}, tables, facts)
    found = search(tries, [hypothesis], weighing, entities)
    if found is None:
        return None
    names = {alias: tables[table].name for scope in parts for alias, table in scope.tables.items()}
    return sentence(found.spared, names, found.indexes)
