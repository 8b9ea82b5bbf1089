"""Where the columns of a table come from: kept, converted, filled, or new."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from soulspot_db.language.conditions import quoted, sql_text
from soulspot_db.language.json_value import dump_json
from soulspot_db.language.table import ColumnSpec, TableSpec, TypeSpec

from soulspot_db_codegen.migrations.conversions import Conversion, conversion
from soulspot_db_codegen.migrations.hints import TableHints

__all__ = ["Source", "Unclear", "default_sql", "sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """How a column gets its values in rows that exist.

    `former` is the column it comes from, None for a new one; `fill` the SQL for rows that have no value.
    """

    column: ColumnSpec
    former: ColumnSpec | None
    conversion: Conversion
    fill: str | None

    @property
    def name_before(self) -> str:
        """What the column is called in the table as it is; a new one has its own name."""
        return (self.former or self.column)["name"]

    @property
    def is_same(self) -> bool:
        """Whether values are taken over as they are."""
        return self.former is not None and self.conversion.sql == "{value}" and self.fill is None

    def sql(self, name: str | None = None) -> str:
        """The value in SQL; `name` is what the column it comes from is called at that time."""
        if self.former is None:
            return self.fill or "NULL"
        value = self.conversion.sql.format(value=quoted(name or self.name_before))
        return value if self.fill is None else f"coalesce({value}, {self.fill})"


@dataclass(frozen=True, slots=True)
class Unclear:
    """A column of which nobody can say what rows that exist should have in it."""

    column: str
    message: str
    hint: str


def sources(
    before: TableSpec, after: TableSpec, former: Mapping[str, str], hints: TableHints
) -> Iterator[Source | Unclear]:
    """The source of every column of `after`.

    Args:
        before: the table as it was.
        after: the table as it is to be.
        former: new names to old ones, where they differ.
        hints: what the schema gives rows that have no value.
    """
    old = {column["name"]: column for column in before["columns"]}
    taken = set(former.values())
    for column in after["columns"]:
        name = column["name"]
        was = old.get(former[name]) if name in former else None if name in taken else old.get(name)
        if was is None:
            yield _added(column, _fill(column, hints))
            continue
        way = conversion(was["type"], column["type"])
        if way is None:
            message = f"nobody can say how {_called(was['type'])} becomes {_called(column['type'])}"
            hint = "add a field of the new type under a new name, and fill it in a data revision"
            yield Unclear(name, message, hint)
            continue
        is_filled = was["nullable"] and not column["nullable"]
        yield Source(column, was, way, _fill(column, hints) if is_filled else None)


def _called(kind: TypeSpec) -> str:
    return f"{kind['name']} of {kind['items']}" if "items" in kind else kind["name"]


def _fill(column: ColumnSpec, hints: TableHints) -> str | None:
    """What rows get that have no value: what the schema says for them, else what new rows get."""
    name = column["name"]
    return hints.backfill.get(name) or hints.made.get(name) or default_sql(column)


def _added(column: ColumnSpec, fill: str | None) -> Source | Unclear:
    if fill is None and not column["nullable"]:
        message = "rows that exist have no value for this new required field"
        return Unclear(
            column["name"],
            message,
            "write 'backfill: ...' for the rows that exist, or 'default: ...' for new rows as well",
        )
    return Source(column, None, Conversion(), fill)


def default_sql(column: ColumnSpec) -> str | None:
    """A column's default as SQLite stores it."""
    value, kind = column["default"], column["type"]
    if value is None:
        return None
    if kind["name"] in {"json", "list"}:
        return sql_text(dump_json(value))
    if kind["name"] == "decimal":
        return str(int(Decimal(str(value)).scaleb(kind.get("scale", 0))))
    if isinstance(value, bool):
        return str(int(value))
    return sql_text(value) if isinstance(value, str) else repr(value)
