"""A database that is thrown away: the tables of a project in memory, for asking SQLite what it makes of a statement."""

import sqlite3
from collections.abc import Iterable, Mapping

from soulspot_db.language.conditions import quoted
from soulspot_db.language.table import ColumnSpec, TableSpec, index_sql

__all__ = ["expect_rows", "scratch_database"]

# The types of STRICT tables; what is not here is text.
_STORED: Mapping[str, str] = {
    "boolean": "INTEGER",
    "bytes": "BLOB",
    "decimal": "INTEGER",
    "float": "REAL",
    "integer": "INTEGER",
}
# What SQLite takes for granted of an index that nobody has analysed: how many rows have the same first value, two values, ...
_ALIKE = (10, 9, 8, 7, 6)
_STILL_ALIKE = 5


def scratch_database(tables: Iterable[TableSpec]) -> sqlite3.Connection:
    """An empty database in memory with these tables and their indexes."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for table in tables:
        parts = [*map(_column, table["columns"]), f"PRIMARY KEY ({', '.join(map(quoted, table['primary_key']))})"]
        connection.execute(f"CREATE TABLE {quoted(table['table'])} ({', '.join(parts)}) STRICT")
        for index in table["indexes"]:
            connection.execute(index_sql(table["table"], index))
    return connection


def _column(column: ColumnSpec) -> str:
    kind = _STORED.get(column["type"]["name"], "TEXT")
    return f"{quoted(column['name'])} {kind}{'' if column['nullable'] else ' NOT NULL'}"


def expect_rows(connection: sqlite3.Connection, rows: Mapping[str, int]) -> None:
    """Have SQLite plan as if the tables had as many rows; one that is not named is as large as it takes any table to be.

    Args:
        connection: the database.
        rows: how many rows each table has.
    """
    connection.execute("ANALYZE")  # which makes the table of its findings
    connection.execute("DELETE FROM sqlite_stat1")
    for table, count in rows.items():
        found = connection.execute(f"PRAGMA index_list({quoted(table)})").fetchall()
        given = [(table, None, str(count))]
        for _, name, unique, *_ in found:
            width = len(connection.execute(f"PRAGMA index_info({quoted(name)})").fetchall())
            alike = [_ALIKE[place] if place < len(_ALIKE) else _STILL_ALIKE for place in range(width)]
            if unique:
                alike[-1] = 1
            given.append((table, name, " ".join(map(str, (count, *(min(count, each) for each in alike))))))
        connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", given)
    connection.execute("ANALYZE sqlite_schema")  # which reads them
