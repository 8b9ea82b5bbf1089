"""The physical table of an entity, as plain data: what a snapshot records and what DDL is made from."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Required, TypedDict

from soulspot_db.language.spec import EntitySpec, FieldSpec, Missing, constraint_name
from soulspot_db.language.types import TYPES

__all__ = [
    "CheckSpec",
    "ColumnSpec",
    "ForeignKeySpec",
    "IndexColumnsSpec",
    "TableSpec",
    "TypeSpec",
    "checks",
    "describe",
    "sql_text",
    "storage_check",
]


class TypeSpec(TypedDict, total=False):
    """A column's type: the name of a field type and what its SQL depends on."""

    name: Required[str]
    precision: int
    scale: int


class ColumnSpec(TypedDict):
    """One column. `default` is the literal server default, or None."""

    name: str
    type: TypeSpec
    nullable: bool
    default: str | int | float | bool | list[Any] | None


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


class IndexColumnsSpec(TypedDict):
    """An index: its columns in order, and those that run downwards."""

    name: str
    columns: list[str]
    descending: list[str]
    unique: bool


class TableSpec(TypedDict):
    """A table with everything in it that DDL can say."""

    table: str
    columns: list[ColumnSpec]
    primary_key: list[str]
    checks: list[CheckSpec]
    foreign_keys: list[ForeignKeySpec]
    indexes: list[IndexColumnsSpec]


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
        checks=[check for field in fields for check in checks(entity.table_name, field)],
        foreign_keys=[
            _foreign_key(entity.table_name, field, target) for field in fields if field.references and target
        ],
        indexes=[*_unique_fields(entity), *_indexes(entity)],
    )


def _column(field: FieldSpec) -> ColumnSpec:
    kind = TypeSpec(name=field.type)
    if field.type == "decimal":
        kind["precision"], kind["scale"] = field.precision or 0, field.scale or 0
    return ColumnSpec(name=field.column, type=kind, nullable=field.nullable, default=_default(field))


def _default(field: FieldSpec) -> Any:
    if field.default is Missing or field.default is None:
        return None
    encode = TYPES[field.type].sqlite.encode
    if field.type in {"uuid", "date", "time", "list"} and encode:
        # The one spelling that the column's CHECK lets through and that a filter compares with.
        stored = encode(field)(field.adapter.validate_python(field.default))
        return json.loads(stored) if field.type == "list" else stored
    return field.default


def checks(table: str, field: FieldSpec) -> list[CheckSpec]:
    """The CHECK constraints that keep every writer of the table to the field's type, length and values."""
    found = []
    quoted = f'"{field.column}"'  # always: which words are reserved differs between databases
    stored = TYPES[field.type].sqlite.check
    if stored is not None:
        name = constraint_name("ck", table, field.column, field.type)
        found.append(CheckSpec(name=name, sql=stored.format(column=quoted), dialect="sqlite"))
    if field.max_length is not None:
        name = constraint_name("ck", table, field.column, "length")
        found.append(CheckSpec(name=name, sql=f"length({quoted}) <= {field.max_length}", dialect=None))
    if field.values:
        values = ", ".join(sql_text(value) for value in field.values)
        name = constraint_name("ck", table, field.column, "values")
        found.append(CheckSpec(name=name, sql=f"{quoted} IN ({values})", dialect=None))
    return found


def storage_check(column: str, field_type: str) -> str | None:
    """What SQLite checks because of a field's type alone, if anything."""
    check = TYPES[field_type].sqlite.check
    return None if check is None else check.format(column=f'"{column}"')


def sql_text(value: str) -> str:
    """`value` as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def _foreign_key(table: str, field: FieldSpec, target: Callable[[str], tuple[str, str]]) -> ForeignKeySpec:
    target_table, target_column = target(field.references or "")
    return ForeignKeySpec(
        name=constraint_name("fk", table, field.column),
        column=field.column,
        table=target_table,
        target=target_column,
        on_delete=field.on_delete,
    )


def _unique_fields(entity: EntitySpec) -> list[IndexColumnsSpec]:
    return [
        IndexColumnsSpec(
            name=constraint_name("uq", entity.table_name, field.column),
            columns=[field.column],
            descending=[],
            unique=True,
        )
        for field in entity.fields.values()
        if field.unique and entity.key != (field.name,)
    ]


def _indexes(entity: EntitySpec) -> list[IndexColumnsSpec]:
    column: Mapping[str, str] = {field.name: field.column for field in entity.fields.values()}
    return [
        IndexColumnsSpec(
            name=index.name,
            columns=[column[name] for name in index.fields],
            descending=[column[name] for name, down in zip(index.fields, index.descending, strict=True) if down],
            unique=index.unique,
        )
        for index in entity.indexes
    ]
