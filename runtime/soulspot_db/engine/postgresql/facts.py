"""What PostgreSQL's statistics tell of tables."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from soulspot_db.monitoring.slow.costs import Index

__all__ = ["ServerFacts", "plain"]

# As many rows as a table has, reading all of it takes long.
_LARGE = 10_000
_ROWS = (
    "SELECT relname, reltuples FROM pg_class WHERE relname = ANY ($1) AND relkind = 'r' AND pg_table_is_visible(oid)"
)
_COLUMNS = """
SELECT tablename, attname, n_distinct, null_frac FROM pg_stats
WHERE tablename = ANY ($1) AND pg_table_is_visible(format('%I.%I', schemaname, tablename)::regclass)"""
_INDEXES = """
SELECT made.relname, index.relname,
       ARRAY(SELECT pg_get_indexdef(indexrelid, place, true) FROM generate_series(1, indnkeyatts) AS place),
       indpred IS NULL AND indisvalid
FROM pg_index JOIN pg_class AS made ON made.oid = indrelid JOIN pg_class AS index ON index.oid = indexrelid
WHERE made.relname = ANY ($1) AND pg_table_is_visible(made.oid)"""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The facts of some tables."""

    counts: Mapping[str, float]
    columns: Mapping[tuple[str, str], tuple[float, float]]
    """How many values a column has, of all rows if less than 0, and which part of them is null."""
    indexes: Mapping[str, Mapping[str, Index]]
    """The indexes of each table that hold all rows."""

    @classmethod
    async def read(cls, connection: Any, tables: Collection[str]) -> Self:
        """Ask for them."""
        names = list(tables)
        indexes: dict[str, dict[str, Index]] = {name: {} for name in names}
        for table, index, parts, is_whole in await connection.fetch(_INDEXES, names):
            if is_whole:
                indexes[table][index] = Index(tuple(map(plain, parts)))
        return cls(
            dict(map(tuple, await connection.fetch(_ROWS, names))),
            {
                (table, column): (distinct, null)
                for table, column, distinct, null in await connection.fetch(_COLUMNS, names)
            },
            indexes,
        )

    def rows(self, table: str) -> int:
        """About how many there are; none where they are few, or nobody has counted them."""
        count = self.counts.get(table, 0)
        return int(count) if count >= _LARGE else 0

    def distinct(self, table: str, parts: Sequence[str]) -> float:
        """About how many different values these columns have together, if they have nothing to do with each other."""
        rows, found = max(1, self.rows(table)), 1.0
        for part in parts:
            count, _ = self.columns.get((table, _column(part)), (1.0, 0.0))
            found *= count if count >= 0 else -count * rows
        return min(found, rows)

    def share(self, table: str, condition: str, values: Sequence[Any]) -> float | None:  # noqa: ARG002 - as the protocol has it
        """The part of the rows in which a column is null; nothing else can be told."""
        column, _, rest = condition.strip("()").partition(" IS ")
        known = self.columns.get((table, _column(column)))
        return known[1] if known is not None and rest.upper() == "NULL" else None

    def index(self, table: str, name: str | None) -> Index:
        """An index by its name."""
        return self.indexes.get(table, {}).get(name or "", Index(()))


def plain(part: str) -> str:
    """A column, or a function of one, as we write it."""
    function, opened, column = part.partition("(")
    column = column.removesuffix(")") if opened else function
    return f'{function}("{column.strip(chr(34))}")' if opened else f'"{column.strip(chr(34))}"'


def _column(part: str) -> str:
    return part.rpartition("(")[2].strip('")')
