"""An SQLite in memory with the tables of a file and none of its rows: what it would do if there were another index."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self, TypeAlias

from soulspot_db.monitoring.slow.plan import Plan, read_plan

__all__ = ["Scratch", "Statistics"]

Statistics: TypeAlias = Sequence[tuple[str, str | None, str]]
"""The rows of `sqlite_stat1`: of how many rows a table or an index is, and how many of them are alike."""


class Scratch:
    """The scratch database.

    Args:
        schema: the statements that made the tables, the indexes and the views.
        statistics: by which it plans.
        is_over: whether the time for all of it is; then every plan raises TimeoutError.
    """

    def __init__(self, schema: Iterable[str], statistics: Statistics, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        for sql in schema:
            # What was made with functions or modules of another program cannot be made here. A statement that needs it fails.
            with suppress(sqlite3.Error):
                self._connection.execute(sql)
        if statistics:
            self._connection.execute("ANALYZE")  # which makes the table of its findings
            self._connection.execute("DELETE FROM sqlite_stat1")
            self._add(statistics)
            self._believe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def plan(self, sql: str, values: Sequence[Any], indexes: Mapping[str, Statistics]) -> Plan:
        """How a statement would be run.

        Args:
            sql: the statement.
            values: its values, by which SQLite knows a pattern that begins with letters.
            indexes: the statements that make further indexes, with the statistics of each.

        Raises:
            TimeoutError: the time is over.
        """
        if self._is_over():
            raise TimeoutError
        connection = self._connection
        connection.execute("BEGIN")
        try:
            for create, statistics in indexes.items():
                connection.execute(create)
                self._add(statistics)
            self._believe()
            return read_plan(connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
        finally:
            connection.execute("ROLLBACK")
            self._believe()

    def _add(self, statistics: Statistics) -> None:
        if statistics:
            self._connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", statistics)

    def _believe(self) -> None:
        self._connection.execute("ANALYZE sqlite_schema")  # which reads the statistics again
