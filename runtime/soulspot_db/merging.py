"""What an upsert makes of the value that is there and the one that comes, by the rule of the field."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.clauses import Binder
from soulspot_db.language.predicates import Merged

__all__ = ["merged", "merged_values"]


def merged(column: ColumnElement[Any], rule: str, bind: Binder) -> ColumnElement[Any]:
    """The new value of a column, with a parameter for each of `merged_values`."""
    match rule:
        case "fill_null":
            return sa.func.coalesce(column, bind())
        case "keep_if_null":
            return sa.func.coalesce(bind(), column)
        case "sticky_true":
            return sa.case((column.is_(sa.true()), column), else_=bind())
        case "max":
            return sa.case((sa.or_(column.is_(None), column < bind()), bind()), else_=column)
        case "min":
            return sa.case((sa.or_(column.is_(None), column > bind()), bind()), else_=column)
        case _:  # differs
            return sa.case((column.is_(None), bind()), (column == bind(), column), else_=bind())


def merged_values(value: Merged) -> Iterator[Any]:
    """What to bind."""
    yield value.value
    if value.rule in {"max", "min", "differs"}:
        yield value.value
    if value.rule == "differs":
        yield value.otherwise
