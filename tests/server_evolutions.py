"""A project with its database on a PostgreSQL server; rows are shown as SQLite stores them."""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
from evolutions import Home
from servers import Address
from soulspot_db import DatabaseSettings
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.connection import reading, with_driver
from soulspot_db.migrations.live import expected_structure, read_structure
from soulspot_db.migrations.structure import Structure

__all__ = ["ServerHome"]

_COLUMNS = """
SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_SHOWN = {
    "uuid": "{0}::text",
    "timestamp with time zone": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "time without time zone": "to_char({0}, 'HH24:MI:SS.US')",
    "date": "to_char({0}, 'YYYY-MM-DD')",
    "boolean": "{0}::int",
    "jsonb": "{0}::text",
}


class ServerHome(Home):
    """The database is emptied when it is entered.

    Args:
        root: of the project.
        address: of the server.
        name: of a database on it that nobody else uses.
    """

    def __init__(self, root: Path, address: Address, name: str) -> None:
        super().__init__(root)
        self.settings = DatabaseSettings(
            database=f"{address.host}:{address.port}/{name}", user=address.user, _env_file=None
        )
        self._loop = asyncio.new_event_loop()
        self._connection = self._wait(
            asyncpg.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                database=name,
                statement_cache_size=0,
                server_settings={"timezone": "UTC"},
            )
        )
        self.sql("DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public")

    def close(self) -> None:
        self._wait(self._connection.close())
        self._loop.close()

    def _wait(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    def sql(self, *statements: str | tuple[str, Any]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for statement in statements:
            sql, values = (statement, []) if isinstance(statement, str) else statement
            found = list(map(tuple, self._wait(self._connection.fetch(sql, *values))))
        return found

    def _kinds(self, table: str) -> dict[str, str]:
        return dict(self.sql((_COLUMNS, [quoted(table)])))  # type: ignore[arg-type]

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        kinds = self._kinds(table)
        marks = ", ".join(f"CAST(${number}::text AS {kinds[column]})" for number, column in enumerate(row, 1))
        texts = [None if value is None else _text(value, kinds[column]) for column, value in row.items()]
        self.sql((f"INSERT INTO {quoted(table)} ({', '.join(map(quoted, row))}) VALUES ({marks})", texts))

    def rows(self, table: str) -> list[dict[str, Any]]:
        kinds = self._kinds(table)
        parts = [_shown(quoted(column), kind) for column, kind in kinds.items()]
        return [
            {at: _compact(value) if kinds[at] == "jsonb" else value for at, value in zip(kinds, row, strict=True)}
            for row in self.sql(f"SELECT {', '.join(parts)} FROM {quoted(table)}")
        ]

    def tables(self) -> list[str]:
        return [
            name for (name,) in self.sql("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ]

    def dump(self) -> list[str]:
        return [f"{table}: {row}" for table in self.tables() for row in sorted(map(repr, self.rows(table)))]

    def structure(self) -> Structure:
        return with_driver(self.settings, self._structure)

    def _structure(self) -> Structure:
        with reading(self.settings) as connection:
            return read_structure(connection)

    def expected_structure(self) -> Structure:
        return with_driver(self.settings, self._expected_structure)

    def _expected_structure(self) -> Structure:
        with reading(self.settings) as connection:
            return expected_structure(self.migrations / "snapshot", connection)

    def require_sound(self) -> None:
        assert self.structure() == self.expected_structure()
        assert "soulspot_db_later" not in self.tables()
        assert self.plan().changes == []


def _text(value: Any, kind: str) -> str:
    if kind == "boolean":
        return str(bool(value))
    if kind.startswith("numeric"):
        return str(Decimal(value).scaleb(-int(kind.rpartition(",")[2].rstrip(")"))))
    if kind == "timestamp with time zone":
        return f"{value}+00"
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _shown(column: str, kind: str) -> str:
    if kind.startswith("numeric"):
        return f"({column} * {10 ** int(kind.rpartition(',')[2].rstrip(')'))})::bigint"
    return _SHOWN.get(kind, "{0}").format(column)


def _compact(text: str | None) -> str | None:
    return None if text is None else json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
