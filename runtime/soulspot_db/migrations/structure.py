"""The tables of a live database as plain data that can be compared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.sql_text import checks_of, collations_of, normal, parts_of_index
from soulspot_db.migrations.version import LATER_TABLE, PROGRESS_TABLE, VERSION_TABLE
from soulspot_db.tables import make_table

__all__ = [
    "SERIAL",
    "Column",
    "ForeignKey",
    "Index",
    "Structure",
    "TableStructure",
    "expected_structure",
    "read_structure",
]

SERIAL = "the next number of its own sequence"
"""The default of a key on PostgreSQL that the server counts."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `key` is its place in the primary key, from 1, or 0; `default` is SQL."""

    type: str
    nullable: bool
    default: str | None
    key: int
    collation: str
    generated: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Where columns point, and what happens here when that row goes. `name` is the constraint's, where it has one."""

    table: str
    targets: tuple[str, ...]
    on_delete: str
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    """An index: its parts with direction and expressions, and the condition of a partial one."""

    unique: bool
    parts: str
    where: str


@dataclass(frozen=True, slots=True)
class TableStructure:
    """A table; foreign keys by their columns, joined by commas."""

    columns: Mapping[str, Column]
    checks: Mapping[str, str]
    foreign_keys: Mapping[str, ForeignKey]
    indexes: Mapping[str, Index]
    strict: bool


Structure: TypeAlias = Mapping[str, TableStructure]
"""Tables by name."""


def read_structure(connection: Connection) -> Structure:
    """The tables of a database, but for SQLite's own, ours, and archives."""
    if connection.dialect.name == "postgresql":
        catalog = _catalog()
        names = [name for name in catalog.table_names(connection) if not _is_ours(name)]
        return {name: catalog.read_table(connection, name) for name in names}
    rows = connection.exec_driver_sql("PRAGMA table_list").fetchall()
    found = {row[1]: bool(row[5]) for row in rows if row[0] == "main" and row[2] == "table" and not _is_ours(row[1])}
    return {name: _table(connection, name, strict) for name, strict in sorted(found.items())}


def expected_structure(snapshot: Path, server: Connection | None = None) -> Structure:
    """The tables that a snapshot describes: made elsewhere, and read back as any others.

    Args:
        snapshot: the folder with a JSON file for each entity.
        server: in no transaction; a PostgreSQL server on which they are made and undone. By default they are made in
            SQLite's memory.
    """
    metadata = sa.MetaData()
    tables = [make_table(json.loads(path.read_bytes()), metadata) for path in sorted(snapshot.rglob("*.json"))]
    if server is not None:
        with _catalog().scratch_schema(server):
            _catalog().create(server, tables)
            return read_structure(server)
    engine = sa.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            for table in tables:
                connection.execute(CreateTable(table))
                for index in table.indexes:
                    connection.execute(CreateIndex(index))
            return read_structure(connection)
    finally:
        engine.dispose()


def _catalog() -> Any:
    from soulspot_db.migrations.postgresql import catalog  # noqa: PLC0415 - it is written in terms of this module

    return catalog


def _is_ours(name: str) -> bool:
    return name in {VERSION_TABLE, PROGRESS_TABLE, LATER_TABLE} or name.startswith(("sqlite_", "archived_"))


def _table(connection: Connection, name: str, strict: bool) -> TableStructure:
    sql = str(connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).scalar_one())
    rows = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(name)})").fetchall()
    collations = collations_of(sql)
    columns = {
        row[1]: Column(
            type=row[2].upper(),
            nullable=not row[3],
            default=None if row[4] is None else normal(row[4]),
            key=row[5],
            collation=collations.get(row[1].lower(), "binary"),
            generated=bool(row[6]),
        )
        for row in rows
    }
    return TableStructure(columns, checks_of(sql), _foreign_keys(connection, name), _indexes(connection, name), strict)


def _foreign_keys(connection: Connection, name: str) -> dict[str, ForeignKey]:
    by_id: dict[int, list[Any]] = {}
    for row in connection.exec_driver_sql(f"PRAGMA foreign_key_list({quoted(name)})"):
        by_id.setdefault(row[0], []).append(row)
    found = {}
    for parts in by_id.values():
        parts.sort(key=lambda row: row[1])
        target = parts[0][2]
        keys = tuple(row[4] for row in parts if row[4] is not None) or _key(connection, target)
        found[", ".join(row[3] for row in parts)] = ForeignKey(target, keys, parts[0][6])
    return found


def _key(connection: Connection, name: str) -> tuple[str, ...]:
    rows = connection.exec_driver_sql(f"PRAGMA table_info({quoted(name)})").fetchall()
    return tuple(row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5])


def _indexes(connection: Connection, name: str) -> dict[str, Index]:
    found = {}
    for _number, index, unique, origin, _partial in connection.exec_driver_sql(f"PRAGMA index_list({quoted(name)})"):
        if origin == "pk":
            continue  # the columns say it
        sql = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).scalar()
        if sql is None:  # of a UNIQUE in the table
            columns = connection.exec_driver_sql(f"PRAGMA index_info({quoted(index)})").fetchall()
            found[index] = Index(True, ", ".join(row[2] for row in columns), "")
        else:
            found[index] = Index(bool(unique), *parts_of_index(sql))
    return found
