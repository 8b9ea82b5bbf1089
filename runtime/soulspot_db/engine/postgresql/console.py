"""A PostgreSQL session for a person who looks: each statement in a transaction that is READ ONLY, and without a superuser's rights."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from soulspot_db.engine.console import HIDDEN, Answer, Column, Shown, in_console, only_reads, require_reading, views_of
from soulspot_db.engine.postgresql.connecting import not_connected
from soulspot_db.engine.postgresql.connection import connect, connect_options
from soulspot_db.engine.postgresql.errors import DRIVER_ERRORS, READ_ONLY, translate
from soulspot_db.errors import DatabaseError
from soulspot_db.language.conditions import quoted
from soulspot_db.settings import DatabaseSettings

__all__ = ["ServerConsole", "open_server_console"]

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
# In each transaction anew, because a statement may have set them. A superuser's rights are those to read: functions that write
# files or end sessions are then refused as well.
_LIMITS = """SELECT concat('SET LOCAL statement_timeout = ', quote_literal(current_setting('statement_timeout')),
    CASE WHEN rolsuper THEN '; SET LOCAL ROLE pg_read_all_data' END) FROM pg_roles WHERE rolname = current_user"""


async def open_server_console(settings: DatabaseSettings, shown: Sequence[Shown]) -> "ServerConsole":
    """Connect, and make the views, which is no longer possible once nothing can be written.

    Raises:
        ConnectionFailedError: the server cannot be reached.
    """
    try:
        connection = await connect(**connect_options(settings))
    except DRIVER_ERRORS as error:
        raise not_connected(error, settings) from error
    statement = _COLUMNS
    try:
        tables: dict[str, list[Column]] = {}
        for table, *column in await connection.fetch(_COLUMNS):
            tables.setdefault(table, []).append(Column(*column))
        schema = await connection.fetchval("SELECT current_schema()")
        is_standby = await connection.fetchval("SELECT pg_is_in_recovery()")
        for view in () if is_standby else views_of(shown, tables, schema or ""):
            statement = f"CREATE TEMP VIEW {quoted(view.name)} AS {view.sql}"
            await connection.execute(statement)
        statement = "SET default_transaction_read_only = on"
        await connection.execute(statement)
        statement = _LIMITS
        limits = await connection.fetchval(_LIMITS)
    except DRIVER_ERRORS as error:
        await connection.close()
        raise translate(error, statement, settings) from error
    hidden = frozenset(name for entity in shown for name in entity.hidden)
    return ServerConsole(settings, connection, tables, hidden, limits)


class ServerConsole:
    """Runs statements that read.

    Args:
        settings: of the server.
        connection: in a session in which the views are.
        tables: what there is.
        hidden: names of columns that are hidden, in whatever table.
        limits: what each transaction begins with.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        connection: Any,
        tables: Mapping[str, Sequence[Column]],
        hidden: frozenset[str],
        limits: str,
    ) -> None:
        self._limits = limits
        self._settings = settings
        self._connection = connection
        self._tables = tables
        self._hidden = hidden

    @property
    def tables(self) -> Mapping[str, Sequence[Column]]:
        """The tables that there are, with their columns."""
        return self._tables

    async def run(self, sql: str, limit: int | None) -> Answer:
        """Run one statement that reads; cancelled, it is stopped."""
        require_reading(sql, "postgresql")
        try:
            async with self._connection.transaction(readonly=True):
                await self._connection.execute(self._limits)
                # Prepared, because PostgreSQL prepares one statement and not several.
                prepared = await self._connection.prepare(sql)
                columns = [attribute.name for attribute in prepared.get_attributes()]
                if limit is None:
                    found = await prepared.fetch()
                else:
                    found = await (await prepared.cursor()).fetch(limit + 1)
        except DRIVER_ERRORS as error:
            raise self._told(error, sql) from error
        # A table that is named with its schema is not the view of that name.
        hidden = [name in self._hidden for name in columns]
        rows = [
            [HIDDEN if is_hidden and value is not None else value for is_hidden, value in zip(hidden, row, strict=True)]
            for row in found[:limit]
        ]
        return Answer(columns, rows, limit is not None and len(found) > limit)

    def _told(self, error: BaseException, sql: str) -> DatabaseError:
        if isinstance(error, asyncpg.PostgresError) and getattr(error, "sqlstate", None) == READ_ONLY:
            return only_reads(str(getattr(error, "message", error)))
        return in_console(translate(error, sql, self._settings))

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()
