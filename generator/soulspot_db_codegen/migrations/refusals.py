"""What must not be in a database before it is changed: rows that the new tables would not take."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from soulspot_db.language.conditions import Dialect, quoted
from soulspot_db.language.table import ColumnSpec, ForeignKeySpec, TableIndexSpec, TableSpec, index_part

from soulspot_db_codegen.migrations.broken_checks import advice, broken
from soulspot_db_codegen.migrations.columns import Source
from soulspot_db_codegen.migrations.conversions_postgresql import column_type
from soulspot_db_codegen.migrations.operations import Loss, Refusal

__all__ = ["Rows", "Targets", "by_dialect", "losses", "refusals"]

Look = TypeVar("Look", bound=Refusal | Loss)

Targets: TypeAlias = Mapping[str, tuple[TableSpec, Sequence[Source]]]
"""By new name, the tables that exist now, as they are, and where their columns come from."""


class Rows:
    """The rows of a table as they would be, in terms of the table as it is.

    Args:
        before: the table as it is.
        columns: where each column comes from.
        dialect: the database.
    """

    def __init__(self, before: TableSpec, columns: Sequence[Source], dialect: Dialect) -> None:
        self.before = before
        self.columns = columns if dialect == "sqlite" else [source.on_postgresql() for source in columns]
        self.dialect: Dialect = dialect
        self._keys = [(name, f"key {name}") for name in before["primary_key"]]

    def name_before(self, column: str) -> str:
        """What a column is called in the table as it is."""
        return self.source(column).name_before

    def source(self, column: str) -> Source:
        """Where a column comes from."""
        return next(source for source in self.columns if source.column["name"] == column)

    def where(self, condition: str) -> str:
        """The keys of the rows that would fulfil a condition."""
        keys = ", ".join(quoted(alias) for _, alias in self._keys)
        return f"SELECT {keys} FROM ({self._projection(condition)}) AS candidate WHERE {condition}"

    def repeated(self, parts: str, condition: str) -> str:
        """The keys of rows that would have the same values as another one."""
        rows = self._projection(f"{parts} {condition}")
        grouped = f"SELECT {parts} FROM ({rows}) AS other WHERE {condition} GROUP BY {parts} HAVING count(*) > 1"
        return self.where(f"{condition} AND ({parts}) IN ({grouped})")

    def _projection(self, condition: str) -> str:
        keys = [f"{quoted(name)} AS {quoted(alias)}" for name, alias in self._keys]
        named = [source for source in self.columns if quoted(source.column["name"]) in condition]
        values = [f"{self.value(source)} AS {quoted(source.column['name'])}" for source in named]
        return f"SELECT {', '.join([*keys, *values])} FROM {quoted(self.before['table'])}"

    def value(self, source: Source) -> str:
        """What a row will have in a column."""
        if self.dialect == "sqlite" or source.is_same:
            return source.sql()
        # The server stops at a value that it cannot convert, and such values are told on their own.
        impossible = source.conversion.impossible
        value = source.sql()
        if impossible is not None:
            value = f"CASE WHEN {impossible.format(value=quoted(source.name_before))} THEN NULL ELSE {value} END"
        return f"CAST({value} AS {column_type(source.column['type'])})"

    def as_they_are(self, condition: str) -> str:
        """The keys of the rows that fulfil a condition now."""
        keys = ", ".join(map(quoted, self.before["primary_key"]))
        return f"SELECT {keys} FROM {quoted(self.before['table'])} WHERE {condition}"


def refusals(rows: Rows, base: TableSpec, after: TableSpec, targets: Targets) -> Iterator[Refusal]:
    """What the table would not take.

    Args:
        rows: its rows as they would be.
        base: the table as it is, under its new names.
        after: the table as it is to be.
        targets: the tables that may be referred to.
    """
    changed = {source.column["name"] for source in rows.columns if not source.is_same}
    for source in rows.columns:
        yield from _values(rows, source)
    for check in after["checks"]:
        known = any(check["sql"] == old["sql"] for old in base["checks"])
        if check["dialect"] in {None, rows.dialect} and (
            not known or any(quoted(name) in check["sql"] for name in changed)
        ):
            context = check, rows.before, after, rows.columns
            yield Refusal(broken(*context), rows.where(f"NOT ({check['sql']})"), advice=advice(*context))
    if after["primary_key"] != base["primary_key"] or changed & set(after["primary_key"]):
        key = ", ".join(map(quoted, after["primary_key"]))
        yield Refusal("with the same new primary key as another", rows.repeated(key, "true"))
    for index in after["indexes"]:
        if index["unique"] and _is_new(index, base, changed, rows.dialect):
            yield _repeated(rows, index)
    for reference in after["foreign_keys"]:
        target = _target(rows, reference, targets)
        stays = any(_same_target(reference, old) for old in base["foreign_keys"])
        if not (stays and target is not None and _go_together(rows.source(reference["column"]), target[1])):
            yield _orphans(rows, reference, target)


def _values(rows: Rows, source: Source) -> Iterator[Refusal]:
    column, former = source.column, source.former
    if former is None:
        return
    if source.conversion.impossible is not None:
        condition = source.conversion.impossible.format(value=quoted(former["name"]))
        what = f"whose {former['name']} cannot become {_a(column)}"
        yield Refusal(what, rows.as_they_are(condition))
    if former["nullable"] and not column["nullable"] and source.fill is None:
        condition = f"{quoted(former['name'])} IS NULL"
        yield Refusal(f"without {former['name']}, which is required from here on", rows.as_they_are(condition))


def _a(column: ColumnSpec) -> str:
    kind = column["type"]["name"]
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _is_new(index: TableIndexSpec, base: TableSpec, changed: set[str], dialect: Dialect) -> bool:
    where = index["where"][dialect] if index["where"] else ""
    if changed & {part["column"] for part in index["columns"]} or any(quoted(name) in where for name in changed):
        return True
    return not any(_same_values(index, old) for old in base["indexes"])


def _same_values(index: TableIndexSpec, old: TableIndexSpec) -> bool:
    def parts(which: TableIndexSpec) -> set[tuple[str, str | None]]:
        return {(part["column"], part["function"]) for part in which["columns"]}

    return old["unique"] and parts(index) == parts(old) and index["where"] == old["where"]


def _repeated(rows: Rows, index: TableIndexSpec) -> Refusal:
    parts = [index_part({**part, "descending": False}) for part in index["columns"]]
    condition = " AND ".join(f"{part} IS NOT NULL" for part in parts)
    if index["where"] is not None:
        condition += f" AND ({index['where'][rows.dialect]})"
    names = " and ".join(rows.name_before(part["column"]) for part in index["columns"])
    return Refusal(f"with the same {names} as another", rows.repeated(", ".join(parts), condition))


def _same_target(reference: ForeignKeySpec, old: ForeignKeySpec) -> bool:
    return all(reference[part] == old[part] for part in ("column", "table", "target"))


def _target(rows: Rows, reference: ForeignKeySpec, targets: Targets) -> tuple[Rows, Source] | None:
    """What is referred to, and its rows; None where it is new, and nothing that exists can refer to it."""
    if reference["table"] not in targets:
        return None
    target = Rows(*targets[reference["table"]], rows.dialect)
    key = next((source for source in target.columns if source.column["name"] == reference["target"]), None)
    return None if key is None or key.former is None else (target, key)


def _go_together(column: Source, key: Source) -> bool:
    """Whether a reference and what it refers to become something else in the same way."""
    return column.former is not None and column.sql("value") == key.sql("value")


def _orphans(rows: Rows, reference: ForeignKeySpec, target: tuple[Rows, Source] | None) -> Refusal:
    column, table = quoted(reference["column"]), reference["table"]
    condition = f"{column} IS NOT NULL"
    if target is not None:
        others, key = target
        table = others.before["table"]
        if key.is_same:
            found = f"SELECT 1 FROM {quoted(table)} AS target WHERE target.{quoted(key.name_before)}"
            condition += f" AND NOT EXISTS ({found} = candidate.{column})"
        else:
            condition += f" AND {column} NOT IN (SELECT {others.value(key)} FROM {quoted(table)})"
    return Refusal(f"whose {rows.name_before(reference['column'])} refers to nothing in {table}", rows.where(condition))


def losses(rows: Rows, dropped: Sequence[str]) -> Iterator[Loss]:
    """What is lost: values of columns that are gone, and what a conversion drops."""
    table = rows.before["table"]
    for name in dropped:
        yield Loss(f"the values of {name} of {table}", rows.as_they_are(f"{quoted(name)} IS NOT NULL"))
    for source in rows.columns:
        if source.former is not None and source.conversion.lossy is not None:
            condition = source.conversion.lossy.format(value=quoted(source.former["name"]))
            what = f"the part of {source.former['name']} of {table} that {_a(source.column)} cannot hold"
            yield Loss(what, rows.as_they_are(condition))


def by_dialect(sqlite: Iterator[Look], postgresql: Iterator[Look]) -> list[Look]:
    """What is looked at on each database: once where it is the same SQL."""
    here = list(sqlite)
    there = list(postgresql)
    return [
        *(item if item in there else replace(item, dialect="sqlite") for item in here),
        *(replace(item, dialect="postgresql") for item in there if item not in here),
    ]
