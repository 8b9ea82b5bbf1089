"""The tables of a live SQLite database as plain data."""

from typing import Any

from sqlalchemy import Connection

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.sql_text import checks_of, collations_of, normal, parts_of_index
from soulspot_db.migrations.structure import Column, ForeignKey, Index, TableStructure

__all__ = ["read_table", "table_names"]


def table_names(connection: Connection) -> list[str]:
    """The tables of the file, but for SQLite's own."""
    rows = connection.exec_driver_sql("PRAGMA table_list").fetchall()
    return sorted(row[1] for row in rows if row[0] == "main" and row[2] == "table" and not row[1].startswith("sqlite_"))


def read_table(connection: Connection, name: str) -> TableStructure:
    """One table."""
    is_strict = "SELECT strict FROM pragma_table_list(?) WHERE schema = 'main'"
    strict = bool(connection.exec_driver_sql(is_strict, (name,)).scalar_one())
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
