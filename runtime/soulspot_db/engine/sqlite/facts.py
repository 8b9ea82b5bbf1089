"""What a file knows of its rows, told from a few thousand of them."""

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from soulspot_db.engine.sqlite.scratch import Statistics
from soulspot_db.language.conditions import quoted
from soulspot_db.language.sql_tokens import tokens
from soulspot_db.monitoring.slow.costs import LARGE, Index

__all__ = ["FileFacts"]

_SAMPLE = 1_000  # rows
# Each by itself: asked for both at once, SQLite reads all rows.
_ENDS = "SELECT (SELECT min(rowid) FROM {0}), (SELECT max(rowid) FROM {0})"


class FileFacts:
    """The facts of one file.

    Args:
        connection: to the file; it is only read.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.statistics = self._analysed()
        self._analysed_rows = dict[str, int]()
        for table, _, stat in self.statistics:  # the most: an index may hold some of the rows alone
            self._analysed_rows[table] = max(self._analysed_rows.get(table, 0), int(stat.split()[0]))
        # Kept for as long as this object: a statement's candidates ask for the same again and again.
        self.rows = cache(self._rows)
        self.index = cache(self._index)
        self._sample = cache(self._sampled)
        self._counted = cache(self._distinct)

    def schema(self) -> list[str]:
        """The statements that made the tables, the indexes and the views; triggers are no part of a plan."""
        return [
            sql
            for (sql,) in self._connection.execute(
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type <> 'trigger' AND name NOT LIKE 'sqlite\\_%' "
                "ESCAPE '\\' ORDER BY type = 'view', type = 'index', rowid"
            )
        ]

    def distinct(self, table: str, parts: Sequence[str]) -> float:
        """About how many different values these expressions have together."""
        return self._counted(table, tuple(parts))

    def share(self, table: str, condition: str, values: Sequence[Any]) -> float:
        """About which part of the rows a condition holds for; never quite none of them."""
        sample = self._sample(table)
        sql = f"SELECT avg(coalesce(({condition}), 0)) FROM {quoted(table)} WHERE rowid IN (SELECT value FROM json_each(?))"  # noqa: S608
        found = self._connection.execute(sql, (*values, sample)).fetchone()[0]
        return max(found or 0.0, 1 / 2 / _SAMPLE)

    def references(self, table: str) -> Iterator[tuple[str, str]]:
        """The tables and columns that hold keys of this one."""
        sql = (
            'SELECT child.name, reference."from" FROM sqlite_schema AS child, pragma_foreign_key_list(child.name) AS reference '
            'WHERE child.type = \'table\' AND reference."table" = ? ORDER BY child.name, reference."from"'
        )
        yield from self._connection.execute(sql, (table,))

    def analysed(self, tables: Sequence[str]) -> Statistics:
        """What ANALYZE would find of these tables, about, where it has found nothing yet."""
        known = {(table, index) for table, index, _ in self.statistics}
        found = list(self.statistics)
        for table in tables:
            if table not in self._analysed_rows:
                found.append((table, None, str(self.rows(table))))
            names = [name for _, name, *_ in self._connection.execute(f"PRAGMA index_list({quoted(table)})")]
            found += [
                self.statistic(table, name, self.index(table, name)) for name in names if (table, name) not in known
            ]
        return found

    def statistic(self, table: str, name: str, index: Index) -> tuple[str, str, str]:
        """What ANALYZE would find of an index, about."""
        rows, numbers = self.rows(table), list[int]()
        for width in range(1, len(index.parts) + 1):
            parts = [part for part in index.parts[:width] if part]
            alike = rows / self.distinct(table, parts) if len(parts) == width and rows else 1
            numbers.append(max(1, round(alike)))
        return table, name, " ".join(map(str, (rows, *numbers)))

    def _analysed(self) -> Statistics:
        is_there = self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone()
        return self._connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall() if is_there else []

    def _rows(self, table: str) -> int:
        name = quoted(table)
        few = self._connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT {LARGE})").fetchone()[0]  # noqa: S608
        if few < LARGE:
            return int(few)
        least, most = self._connection.execute(_ENDS.format(name)).fetchone()
        span = most - least + 1
        known = self._analysed_rows.get(table, 0)
        return known if known >= LARGE else int(span)

    def _sampled(self, table: str) -> str:
        """The numbers of some rows, as JSON."""
        name = quoted(table)
        if self.rows(table) <= _SAMPLE:
            found = [row for (row,) in self._connection.execute(f"SELECT rowid FROM {name} LIMIT {_SAMPLE}")]  # noqa: S608
            return json.dumps(found)
        least, most = self._connection.execute(_ENDS.format(name)).fetchone()
        # At random, since values may come in turn; and the same ones each time.
        numbers = random.Random(0)  # noqa: S311 - nothing to guess here
        sql = (
            f"SELECT json_group_array(DISTINCT (SELECT rowid FROM {name} WHERE rowid >= number.value ORDER BY rowid LIMIT 1)) "  # noqa: S608
            "FROM json_each(?) AS number"
        )
        asked = json.dumps([numbers.randint(least, most) for _ in range(_SAMPLE)])
        return str(self._connection.execute(sql, (asked,)).fetchone()[0])

    def _distinct(self, table: str, parts: tuple[str, ...]) -> float:
        sql = f"SELECT {', '.join(parts)} FROM {quoted(table)} WHERE rowid IN (SELECT value FROM json_each(?))"  # noqa: S608
        counts = Counter(self._connection.execute(sql, (self._sample(table),)).fetchall())
        size, once = counts.total(), sum(count == 1 for count in counts.values())
        if not size:
            return 1.0
        # The estimator of Haas and Stokes, which PostgreSQL's ANALYZE uses as well.
        return size * len(counts) / (size - once + once * size / max(size, self.rows(table)))

    def _index(self, table: str, name: str | None) -> Index:
        if name is None:
            columns = self._connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
            keys = [column for _, column, kind, _, _, key in columns if key and kind.upper() == "INTEGER"]
            return Index(tuple(map(quoted, keys)))
        columns = self._connection.execute(f"PRAGMA index_xinfo({quoted(name)})").fetchall()
        parts = tuple(column and quoted(column) for _, _, column, _, _, is_key in columns if is_key)
        made = self._connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        marks = list(tokens(made[0] or "", "sqlite")) if made else []
        where = next((at for at, mark in enumerate(marks) if mark.word == "where" and not mark.depth), len(marks))
        return Index(parts, frozenset(mark.name for mark in marks[where:] if mark.name))
