"""Where the columns of a table come from: kept, converted, filled, or new."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from soulspot_db.language.conditions import quoted, sql_text
from soulspot_db.language.json_value import dump_json
from soulspot_db.language.table import ColumnSpec, TableSpec, TypeSpec

from soulspot_db_codegen.migrations.conversions import Conversion, conversion
from soulspot_db_codegen.migrations.conversions_postgresql import on_postgresql
from soulspot_db_codegen.migrations.hints import Fill, TableHints

__all__ = ["Source", "Unclear", "default_sql", "sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """How a column gets its values in rows that exist.

    `former` is the column it comes from, None for a new one; `fill` the SQL for rows that have no value, as `filled` has it
    for each database.
    """

    column: ColumnSpec
    former: ColumnSpec | None
    conversion: Conversion
    fill: str | None
    filled: Fill | None

    def on_postgresql(self) -> "Source":
        """The same in PostgreSQL's SQL."""
        way = Conversion() if self.former is None else on_postgresql(self.former["type"], self.column["type"])
        return replace(self, conversion=way, fill=self.filled.postgresql if self.filled else None)

    @property
    def name_before(self) -> str:
        """What the column is called in the table as it is; a new one has its own name."""
        return (self.former or self.column)["name"]

    @property
    def is_encrypted(self) -> bool:
        """Whether values that were plain are to be encrypted from here on."""
        return (
            self.former is not None
            and bool(self.column["type"].get("encrypted"))
            and not self.former["type"].get("encrypted")
        )

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
            yield _added(column, _fill(column, hints), is_unique=name in hints.backfill and _is_unique(after, name))
            continue
        way = conversion(was["type"], column["type"])
        if way is None:
            yield _unknown(was, column)
            continue
        is_filled = was["nullable"] and not column["nullable"]
        fill = _fill(column, hints) if is_filled else None
        yield Source(column, was, way, fill.sqlite if fill else None, fill)


def _unknown(was: ColumnSpec, column: ColumnSpec) -> Unclear:
    old, new = was["type"], column["type"]
    if old.get("encrypted") and not new.get("encrypted"):
        message = f"what {was['name']!r} holds is encrypted, and no migration has the keys"
        hint = "add a field under a new name, fill it in your program, then remove this one"
    elif new.get("encrypted"):
        message = f"nobody can say how {_called(old)} becomes encrypted {_called(new)}"
        hint = "change the type in one revision, and let the next one encrypt it"
    else:
        message = f"nobody can say how {_called(old)} becomes {_called(new)}"
        hint = "add a field of the new type under a new name, and fill it in a data revision"
    return Unclear(column["name"], message, hint)


def _called(kind: TypeSpec) -> str:
    return f"{kind['name']} of {kind['items']}" if "items" in kind else kind["name"]


def _fill(column: ColumnSpec, hints: TableHints) -> Fill | None:
    """What rows get that have no value: what the schema says for them, else what new rows get."""
    name = column["name"]
    return hints.backfill.get(name) or hints.made.get(name) or default_sql(column)


def _is_unique(table: TableSpec, column: str) -> bool:
    """Whether no two rows may have the same value."""
    alone = [[part["column"] for part in index["columns"]] for index in table["indexes"] if index["unique"]]
    return [column] in [table["primary_key"], *alone]


def _added(column: ColumnSpec, fill: Fill | None, *, is_unique: bool) -> Source | Unclear:
    if fill is None and not column["nullable"]:
        message = "rows that exist have no value for this new required field"
        hint = "write 'backfill: ...' for the rows that exist, or 'default: ...' for new rows as well"
        if column["type"].get("encrypted"):
            hint = "let it be 'nullable: true': no migration can encrypt a value for them"
        return Unclear(column["name"], message, hint)
    if fill is not None and is_unique and not fill.differs:
        message = "rows that exist would all get the same value, and no two may have one"
        hint = "let it be 'nullable: true' at first, fill it in a data revision, then require it"
        return Unclear(column["name"], message, hint)
    return Source(column, None, Conversion(), fill.sqlite if fill else None, fill)


def default_sql(column: ColumnSpec) -> Fill | None:
    """A column's default as each database stores it."""
    value, kind = column["default"], column["type"]
    match value:
        case None:
            return None
        case _ if kind["name"] in {"json", "list"}:
            text = sql_text(dump_json(value))
            return Fill(text, text)
        case _ if kind["name"] == "decimal":
            exact = Decimal(str(value))
            return Fill(str(int(exact.scaleb(kind.get("scale", 0)))), str(exact))
        case bool():
            return Fill(str(int(value)), str(value).upper())
        case str():
            return Fill(sql_text(value), sql_text(value))
    return Fill(repr(value), repr(value))
