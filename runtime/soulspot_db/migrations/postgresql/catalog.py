"""The tables of a live PostgreSQL database as plain data, as the server itself writes them."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.structure import SERIAL, Column, ForeignKey, Index, TableStructure

__all__ = ["create", "is_there", "read_table", "scratch_schema", "table_names"]

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_SCHEMA = "soulspot_db_check"  # and eight digits, so that one look is not in the way of another

_TABLES = """
SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename
"""
_COLUMNS = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
       coalesce((SELECT array_position(i.indkey::int2[], a.attnum) + 1 FROM pg_index i
                 WHERE i.indrelid = a.attrelid AND i.indisprimary), 0),
       coalesce(c.collname::text, ''), a.attgenerated <> ''
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_CHECKS = """
SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = to_regclass($1) AND contype = 'c' ORDER BY conname
"""
_FOREIGN_KEYS = """
SELECT ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(n, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY place),
       (SELECT relname::text FROM pg_class WHERE oid = k.confrelid),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(n, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY place),
       k.confdeltype::text, k.convalidated, k.conname::text
FROM pg_constraint k WHERE k.conrelid = to_regclass($1) AND k.contype = 'f' ORDER BY k.conname
"""
_INDEXES = """
SELECT c.relname::text, i.indisunique, i.indisvalid, m.amname::text, i.indoption::int2[],
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) AS n ORDER BY n),
       pg_get_expr(i.indpred, i.indrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indrelid = to_regclass($1) AND NOT i.indisprimary ORDER BY c.relname
"""


def table_names(connection: Connection) -> list[str]:
    """The tables of the schema that comes first on the search path."""
    return [name for (name,) in connection.exec_driver_sql(_TABLES)]


def is_there(connection: Connection, name: str) -> bool:
    """Whether a table, an index or the like has this name."""
    return connection.exec_driver_sql("SELECT to_regclass($1)::text", (quoted(name),)).scalar() is not None


def read_table(connection: Connection, name: str) -> TableStructure:
    """A table, in the server's own spelling."""

    def ask(sql: str) -> Sequence[Any]:
        return connection.exec_driver_sql(sql, (quoted(name),)).fetchall()

    return TableStructure(
        columns={column: Column(kind, *_rest(rest)) for column, kind, *rest in ask(_COLUMNS)},
        checks=dict(map(tuple, ask(_CHECKS))),
        foreign_keys={
            ", ".join(columns): ForeignKey(
                table, tuple(targets), _ACTIONS[action] + ("" if valid else ", not validated yet"), name
            )
            for columns, table, targets, action, valid, name in ask(_FOREIGN_KEYS)
        },
        indexes={
            index: Index(unique, _parts(method, parts, options) + ("" if valid else " (invalid)"), where or "")
            for index, unique, valid, method, options, parts, where in ask(_INDEXES)
        },
        strict=True,
    )


def _rest(found: Sequence[Any]) -> tuple[bool, str | None, int, str, bool]:
    nullable, default, key, collation, generated = found
    is_serial = re.match(r"nextval\(", default or "") is not None
    return nullable, SERIAL if is_serial else default, key, collation, generated


def _parts(method: str, parts: Sequence[str], options: Sequence[int]) -> str:
    # Bit 1: downwards; bit 2: nulls first, which comes with downwards by itself.
    written = {0: "", 1: " DESC NULLS LAST", 2: " NULLS FIRST", 3: " DESC"}
    listed = ", ".join(part + written[option & 3] for part, option in zip(parts, options, strict=False))
    return listed if method == "btree" else f"{listed} USING {method}"


@contextmanager
def scratch_schema(connection: Connection) -> Iterator[None]:
    """An empty schema that is the only one in use, gone when the block ends; the connection is in no transaction."""
    schema = f"{_SCHEMA}_{secrets.token_hex(4)}"
    connection.exec_driver_sql("BEGIN")
    try:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        connection.exec_driver_sql(f"SET LOCAL search_path = {schema}")
        yield
    finally:
        with suppress(SQLAlchemyError):  # where the session is lost there is nothing to undo
            connection.exec_driver_sql("ROLLBACK")


def create(connection: Connection, tables: Sequence[sa.Table]) -> None:
    """Make tables whose foreign keys may go in circles."""
    for table in tables:
        connection.execute(CreateTable(table, include_foreign_key_constraints=[]))
        for index in table.indexes:
            connection.execute(CreateIndex(index))
    for table in tables:
        for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
            connection.execute(AddConstraint(key))
