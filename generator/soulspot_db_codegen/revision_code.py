"""A revision's operations to the code that does them."""

import re
from collections.abc import Iterator
from functools import singledispatch

from soulspot_db_codegen.layout import Expression, call, layout, literal
from soulspot_db_codegen.migrations.operations import (
    AddColumn,
    Archive,
    CreateIndex,
    CreateTable,
    DropIndex,
    DropTable,
    Encrypt,
    Loss,
    Operation,
    RebuildTable,
    Refusal,
    RenameColumn,
    RenameTable,
)
from soulspot_db_codegen.migrations.revision import Steps
from soulspot_db_codegen.table_code import check, column, create_index, foreign_key, table_items

__all__ = ["body", "imports_of"]

_IMPORTS = (
    ("sa.", "import sqlalchemy as sa"),
    ("op.", "from alembic import op"),
    ("ddl.", "from soulspot_db import ddl"),
    ("steps.", "from soulspot_db.migrations import steps"),
)
_INDENT = 4


def body(steps: Steps) -> str:
    """The statements of one direction: what is looked at before anything is changed, and what is done then."""
    lines: list[str] = []
    looks = [
        *(call("first.refuse", literal(item.what), literal(item.keys), **_for(item)) for item in steps.refusals),
        *(call("first.loses", literal(item.what), literal(item.rows), **_for(item)) for item in steps.losses),
    ]
    if looks:
        lines.append("with steps.first() as first:")
        lines += [" " * _INDENT + layout(look, 2 * _INDENT) for look in looks]
    lines += [layout(statement, _INDENT) for operation in steps.operations for statement in _statements(operation)]
    return "\n".join(" " * _INDENT + line for line in lines)


def _for(item: Refusal | Loss) -> dict[str, Expression]:
    return {} if item.dialect is None else {"dialect": literal(item.dialect)}


def imports_of(*texts: str) -> list[str]:
    """The imports that these statements need, in the order in which they are written."""
    return [line for name, line in _IMPORTS if any(re.search(rf"\b{re.escape(name)}", text) for text in texts)]


@singledispatch
def _statements(operation: Operation) -> Iterator[Expression]:
    raise TypeError(operation)


@_statements.register
def _(operation: Archive) -> Iterator[Expression]:
    yield call("steps.archive", literal(operation.table), literal(operation.select))


@_statements.register
def _(operation: CreateTable) -> Iterator[Expression]:
    table = operation.table
    yield call("op.create_table", literal(table["table"]), *table_items(table, frozen=True), sqlite_strict="True")
    yield from (create_index(table["table"], index) for index in table["indexes"])


@_statements.register
def _(operation: DropTable) -> Iterator[Expression]:
    yield call("op.drop_table", literal(operation.table))


@_statements.register
def _(operation: RenameTable) -> Iterator[Expression]:
    yield call("op.rename_table", literal(operation.table), literal(operation.to))


@_statements.register
def _(operation: RenameColumn) -> Iterator[Expression]:
    new = literal(operation.to)
    yield call("op.alter_column", literal(operation.table), literal(operation.column), new_column_name=new)


@_statements.register
def _(operation: AddColumn) -> Iterator[Expression]:
    parts = list(map(check, operation.checks))
    if operation.foreign_key:
        parts.append(foreign_key(operation.foreign_key))
    yield call("steps.add_column", literal(operation.table), column(operation.column), *parts)


@_statements.register
def _(operation: RebuildTable) -> Iterator[Expression]:
    table, values = operation.after, dict(operation.values)
    options: dict[str, Expression] = {"values": literal(values)} if values else {}
    if operation.postgresql != operation.values:
        options["postgresql"] = literal(dict(operation.postgresql))
    options["without"] = literal(list(operation.without))
    yield call("steps.rebuild_table", literal(table["table"]), *table_items(table, frozen=True), **options)
    yield from (create_index(table["table"], index) for index in table["indexes"])


@_statements.register
def _(operation: CreateIndex) -> Iterator[Expression]:
    yield create_index(operation.table, operation.index)


@_statements.register
def _(operation: DropIndex) -> Iterator[Expression]:
    yield call("op.drop_index", literal(operation.name), table_name=literal(operation.table))


@_statements.register
def _(operation: Encrypt) -> Iterator[Expression]:
    yield call("steps.to_be_encrypted", literal(operation.table), literal(list(operation.columns)))
