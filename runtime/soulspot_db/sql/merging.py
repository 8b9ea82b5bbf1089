"""What a write makes of the value that is there and the one that comes, and what is bound for that."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.language.predicates import Increment, Merged, Now, OtherField
from soulspot_db.sql.clauses import Binder

__all__ = ["bound_values", "form", "merged"]


def merged(column: ColumnElement[Any], rule: str, bind: Binder) -> ColumnElement[Any]:
    """The new value of a column, with a parameter for each of `_merged_values`."""
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


def _merged_values(value: Merged) -> Iterator[Any]:
    """What to bind."""
    yield value.value
    if value.rule in {"max", "min", "differs"}:
        yield value.value
    if value.rule == "differs":
        yield value.otherwise


def bound_values(value: Any, now: datetime) -> Iterator[Any]:
    """What of a change is bound."""
    match value:
        case OtherField():
            return
        case Increment():
            yield value.amount
        case Merged():
            yield from _merged_values(value)
        case Now():
            yield now + value.offset
        case _:
            yield value


def form(value: Any) -> Any:
    """What of a change the statement depends on."""
    if isinstance(value, Merged):
        return value.rule
    return value if isinstance(value, OtherField) else isinstance(value, Increment)
