"""Which columns an INSERT or UPDATE in SQL must give, and which it may not, so that no rule of the entity is passed over."""

from collections.abc import Collection, Iterator
from typing import Protocol

from soulspot_db.language.nearest import nearest
from soulspot_db.language.scope import HasKey
from soulspot_db.language.sql_statement import SqlError, SqlStatement
from soulspot_db.language.visibility import HasHidden

__all__ = ["IsWritten", "check_insert", "check_update", "fields_set"]


class IsWritten(HasKey, HasHidden, Protocol):
    """An entity whose rows are written."""


def check_insert(statement: SqlStatement, entity: IsWritten) -> None:
    """Refuse an INSERT that cannot succeed, or passes over a rule; raises SqlError."""
    given = statement.inserted
    if given is None:
        raise SqlError("the INSERT names no columns", "name them, because no schema tells their order")
    _check_given(given, entity, "`save`")
    for field in entity.fields.values():
        if field.assigned and field.column in given:
            raise SqlError(f"{field.column} is given by the database", "leave it out of the INSERT")
        if field.column in given or field.nullable:
            continue
        if field.made is not None:
            hint = f"give it a parameter: 'params: {{{field.name}: {{type: {field.type}, default: {field.made}}}}}'"
            raise SqlError(f"{field.column}, whose default is made by us, is not in the INSERT", hint)
        if field.required:
            raise SqlError(f"{field.column}, which must be given, is not in the INSERT", "name it, with its value")


def check_update(statement: SqlStatement, entity: IsWritten) -> None:
    """Refuse an UPDATE that passes over a rule; raises SqlError."""
    given = statement.assigned
    for field in entity.fields.values():
        if field.name in entity.key and field.column in given:
            raise SqlError(f"{field.name} is part of the key, which cannot be changed")
    _check_given(given, entity, "'update' in place of 'sql'")
    for field in entity.fields.values():
        if field.touched and field.column not in given:
            hint = f"write `{field.column} = :now`, with 'params: {{now: {{type: datetime, default: now}}}}'"
            raise SqlError(f"{field.name}, which changes with every update, is not set", hint)
        if field.version and field.column not in given:
            hint = f"write `{field.column} = {field.column} + 1`"
            raise SqlError(f"{field.name}, which counts every update, is not set", hint)


def fields_set(statement: SqlStatement, entity: IsWritten) -> Iterator[str]:
    """The fields that an UPDATE sets, of which its events tell."""
    fields = [field for field in entity.fields.values() if field.column in statement.assigned]
    named = [field.name for field in fields if not (field.touched or field.version)]
    yield from named or [field.name for field in fields]


def _check_given(given: Collection[str], entity: IsWritten, instead: str) -> None:
    by_column = {field.column: field for field in entity.fields.values()}
    for column in given:
        field = by_column.get(column)
        if field is None:
            # Also where only the case differs: quoted, that is another column to PostgreSQL and the same to SQLite.
            hint = nearest(column.lower(), by_column) or "name columns as the database does"
            raise SqlError(f"{entity.entity_type} has no column {column!r}", hint)
        if field.name == entity.soft_delete:
            raise SqlError(f"{field.name} is set by deleting, and cleared by restoring", "use 'delete' and `restore`")
        if field.encrypted:
            raise SqlError(f"{field.name} is encrypted, and SQL would store it as it is", f"use {instead}")
        if field.exclusive is not None:
            message = f"{field.name} is exclusive, and SQL does not take it from the row that has it"
            raise SqlError(message, f"use {instead}")
