"""Tables in SQLAlchemy's terms, made from their description: what statements are compiled from."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from soulspot_db import ddl
from soulspot_db.language.indexes import constraint_name
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.table import ColumnSpec, TableIndexSpec, TableSpec, TypeSpec, describe, index_part, storage_of
from soulspot_db.sql.dialects import Dialect

__all__ = ["create_statements", "make_table"]


def make_table(spec: TableSpec, metadata: sa.MetaData) -> sa.Table:
    """The table that `spec` describes, added to `metadata`."""
    return sa.Table(
        spec["table"],
        metadata,
        *map(_column, spec["columns"]),
        sa.PrimaryKeyConstraint(*spec["primary_key"], name=constraint_name("pk", spec["table"])),
        *(ddl.check(item["sql"], name=item["name"], dialect=item["dialect"]) for item in spec["checks"]),
        *(
            sa.ForeignKeyConstraint(
                [key["column"]],
                [f"{key['table']}.{key['target']}"],
                name=key["name"],
                ondelete=key["on_delete"].replace("_", " ").upper(),
            )
            for key in spec["foreign_keys"]
        ),
        *map(_index, spec["indexes"]),
        sqlite_strict=True,
    )


def _index(index: TableIndexSpec) -> sa.Index:
    parts = [
        ddl.sql(index_part(part)) if part["function"] or part["descending"] else part["column"]
        for part in index["columns"]
    ]
    where: dict[str, Any] = {f"{dialect}_where": ddl.sql(text) for dialect, text in (index["where"] or {}).items()}
    return sa.Index(index["name"], *parts, unique=index["unique"], **where)


def _column(column: ColumnSpec) -> sa.Column[Any]:
    kind, literal = column["type"], column["default"]
    name, options = storage_of(kind)
    default = None if literal is None else _server_default(literal, kind)
    column_type = getattr(ddl, name)(**options)
    return sa.Column(column["name"], column_type, nullable=column["nullable"], server_default=default)


def _server_default(literal: Any, kind: TypeSpec) -> Any:
    """The server default of a column of this type."""
    if kind["name"] in {"json", "list"}:
        return ddl.json_default(literal)
    return ddl.default(literal, scale=kind.get("scale"))


def create_statements(entity: EntitySpec, target: Callable[[str], tuple[str, str]], dialect: Dialect) -> list[str]:
    """CREATE TABLE and CREATE INDEX for `entity`, each harmless where the thing exists.

    Args:
        entity: the resolved entity.
        target: gives the table and the key column for the text of a `references`.
        dialect: the database they are for.
    """
    metadata = sa.MetaData()
    description = describe(entity, target)
    for key in description["foreign_keys"]:
        if key["table"] != entity.table_name and key["table"] not in metadata.tables:
            # SQLAlchemy wants to see what a foreign key points at.
            sa.Table(key["table"], metadata, sa.Column(key["target"], sa.Text()))
    table = make_table(description, metadata)
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    made: list[Any] = [CreateTable(table, if_not_exists=True)]
    made += [CreateIndex(index, if_not_exists=True) for index in indexes]
    return [str(statement.compile(dialect=dialect.compiler)) for statement in made]
