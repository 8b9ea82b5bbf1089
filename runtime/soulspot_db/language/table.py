"""The physical table of an entity, as plain data: what a snapshot records and what DDL is made from."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NotRequired, Required, TypedDict

from soulspot_db.language.conditions import DIALECTS, Dialect, condition_sql, literal_sql, quoted, sql_text
from soulspot_db.language.field import FieldSpec, Missing
from soulspot_db.language.indexes import IndexSpec, constraint_name
from soulspot_db.language.json_value import freeze, thaw
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.types import TYPES

__all__ = [
    "AppliedSpec",
    "CheckSpec",
    "ColumnSpec",
    "ForeignKeySpec",
    "IndexColumnSpec",
    "TableIndexSpec",
    "TableSpec",
    "TypeSpec",
    "checks",
    "describe",
    "index_part",
    "index_sql",
    "storage_check",
    "storage_of",
    "stored_literal",
]


class TypeSpec(TypedDict, total=False):
    """A column's type: the name of a field type and what its SQL depends on.

    `items`, the type of a list's items, is nothing to SQL; it tells whether the lists that are stored can still be read.
    `encrypted` values are stored as what they became, text or bytes.
    """

    name: Required[str]
    precision: int
    scale: int
    items: str
    encrypted: bool


class ColumnSpec(TypedDict):
    """One column. `default` is the literal server default, or None."""

    name: str
    type: TypeSpec
    nullable: bool
    default: Any


class CheckSpec(TypedDict):
    """A CHECK constraint, on every dialect or on one."""

    name: str
    sql: str
    dialect: str | None


class ForeignKeySpec(TypedDict):
    """A foreign key from one column to the key of another table."""

    name: str
    column: str
    table: str
    target: str
    on_delete: str


class IndexColumnSpec(TypedDict):
    """One part of an index: a column, perhaps through an SQL function, perhaps downwards."""

    column: str
    function: str | None
    descending: bool


class TableIndexSpec(TypedDict):
    """An index; `where` is the condition of a partial one, by dialect."""

    name: str
    columns: list[IndexColumnSpec]
    unique: bool
    where: dict[str, str] | None


class AppliedSpec(TypedDict, total=False):
    """Renames that a table has behind it: the former name of its entity, and of columns, new to old names."""

    entity: str
    columns: dict[str, str]


class TableSpec(TypedDict):
    """A table with everything in it that DDL can say. `applied` is in snapshots alone."""

    table: str
    columns: list[ColumnSpec]
    primary_key: list[str]
    checks: list[CheckSpec]
    foreign_keys: list[ForeignKeySpec]
    indexes: list[TableIndexSpec]
    applied: NotRequired[AppliedSpec]


def describe(entity: EntitySpec, target: Callable[[str], tuple[str, str]] | None) -> TableSpec:
    """The table of `entity`.

    Args:
        entity: the resolved entity.
        target: gives the table and the key column for the text of a `references`; None leaves foreign keys out.
    """
    fields = tuple(entity.fields.values())
    return TableSpec(
        table=entity.table_name,
        columns=[_column(field) for field in fields],
        primary_key=[field.column for field in entity.key_fields],
        checks=[
            *(check for field in fields for check in checks(entity.table_name, field)),
            *_entity_checks(entity),
        ],
        foreign_keys=[
            _foreign_key(entity.table_name, field, target) for field in fields if field.references and target
        ],
        indexes=[*_unique_fields(entity), *(_index(index, entity) for index in entity.indexes)],
    )


def _column(field: FieldSpec) -> ColumnSpec:
    kind = TypeSpec(name=field.type)
    if field.type == "decimal":
        kind["precision"], kind["scale"] = field.precision or 0, field.scale or 0
    if field.items is not None:
        kind["items"] = field.items
    if field.encrypted:
        kind["encrypted"] = True
    return ColumnSpec(name=field.column, type=kind, nullable=field.nullable, default=_default(field))


def _default(field: FieldSpec) -> Any:
    if field.default is Missing or field.default is None or field.encrypted:
        return None  # of an encrypted field the runtime gives it: the database would store it in plain
    encode = TYPES[field.type].sqlite.encode
    if field.type in {"uuid", "date", "time", "list"} and encode:
        # The one spelling that the column's CHECK lets through and that a filter compares with.
        stored = encode(field)(field.adapter.validate_python(field.default))
        return json.loads(stored) if field.type == "list" else stored
    return thaw(freeze(field.default)) if field.type == "json" else field.default


def stored_literal(field: FieldSpec, value: Any, dialect: Dialect) -> str:
    """A value of the schema as a database stores it, as an SQL literal."""
    return literal_sql(field.adapter.validate_python(value), field, dialect)


def checks(table: str, field: FieldSpec) -> list[CheckSpec]:
    """The CHECK constraints that keep every writer of the table to the field's type, length and values."""
    found: list[CheckSpec] = []
    if field.encrypted:
        return found  # they would be about what the value became
    column = quoted(field.column)
    stored = TYPES[field.type].sqlite.check
    if stored is not None:
        name = constraint_name("ck", table, field.column, field.type)
        found.append(CheckSpec(name=name, sql=stored.format(column=column), dialect="sqlite"))
    if field.max_length is not None:
        name = constraint_name("ck", table, field.column, "length")
        found.append(CheckSpec(name=name, sql=f"length({column}) <= {field.max_length}", dialect=None))
    if field.values:
        values = ", ".join(sql_text(value) for value in field.values)
        name = constraint_name("ck", table, field.column, "values")
        found.append(CheckSpec(name=name, sql=f"{column} IN ({values})", dialect=None))
    return found


def constrained(entity: EntitySpec) -> dict[str, tuple[str, ...]]:
    """The fields that each constraint of a table is about, by its name."""
    table, fields = entity.table_name, entity.fields.values()
    return {
        constraint_name("pk", table): entity.key,
        **{check["name"]: (field.name,) for field in fields for check in checks(table, field)},
        **{constraint_name("uq", table, field.column): (field.name,) for field in fields if field.unique},
        **{constraint_name("fk", table, field.column): (field.name,) for field in fields if field.references},
        **{index.name: index.fields for index in entity.indexes},
        **{
            constraint_name("uq", table, field.column): (field.name,) for field in fields if field.exclusive is not None
        },
    }


def storage_of(kind: TypeSpec) -> tuple[str, dict[str, int]]:
    """How `ddl` makes a column's type: the name of a function there, and its arguments."""
    if kind.get("encrypted"):
        return "encrypted_bytes" if kind["name"] == "bytes" else "encrypted", {}
    return kind["name"], {"precision": kind["precision"], "scale": kind.get("scale", 0)} if "precision" in kind else {}


def index_part(part: IndexColumnSpec) -> str:
    """One part of an index in SQL."""
    column = quoted(part["column"])
    return (f"{part['function']}({column})" if part["function"] else column) + (" DESC" if part["descending"] else "")


def index_sql(table: str, index: TableIndexSpec) -> str:
    """The statement that makes an index in SQLite."""
    parts = ", ".join(map(index_part, index["columns"]))
    where = "" if index["where"] is None else f" WHERE {index['where']['sqlite']}"
    unique = "UNIQUE " if index["unique"] else ""
    return f"CREATE {unique}INDEX {quoted(index['name'])} ON {quoted(table)} ({parts}){where}"


def storage_check(column: str, field_type: str) -> str | None:
    """What SQLite checks because of a field's type alone, if anything."""
    check = TYPES[field_type].sqlite.check
    return None if check is None else check.format(column=quoted(column))


def _foreign_key(table: str, field: FieldSpec, target: Callable[[str], tuple[str, str]]) -> ForeignKeySpec:
    target_table, target_column = target(field.references or "")
    return ForeignKeySpec(
        name=constraint_name("fk", table, field.column),
        column=field.column,
        table=target_table,
        target=target_column,
        on_delete=field.on_delete,
    )


def _unique_fields(entity: EntitySpec) -> list[TableIndexSpec]:
    return [
        TableIndexSpec(
            name=constraint_name("uq", entity.table_name, field.column),
            columns=[IndexColumnSpec(column=field.column, function=None, descending=False)],
            unique=True,
            where=None,
        )
        for field in entity.fields.values()
        if field.unique and entity.key != (field.name,)
    ]


def _index(index: IndexSpec, entity: EntitySpec) -> TableIndexSpec:
    where = index.where
    return TableIndexSpec(
        name=index.name,
        columns=[
            IndexColumnSpec(column=entity.fields[part.field].column, function=part.function, descending=part.descending)
            for part in index.parts
        ],
        unique=index.unique,
        where=None if where is None else {name: condition_sql(where, entity.fields, name) for name in DIALECTS},
    )


def _entity_checks(entity: EntitySpec) -> Iterator[CheckSpec]:
    for name, predicate in entity.checks.items():
        full_name = constraint_name("ck", entity.table_name, name)
        by_dialect = {dialect: condition_sql(predicate, entity.fields, dialect) for dialect in DIALECTS}
        if len(set(by_dialect.values())) == 1:
            yield CheckSpec(name=full_name, sql=by_dialect["sqlite"], dialect=None)
        else:
            yield from (CheckSpec(name=full_name, sql=sql, dialect=dialect) for dialect, sql in by_dialect.items())
