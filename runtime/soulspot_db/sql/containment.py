"""Whether a stored JSON value has everything that another one has: PostgreSQL's `@>`, on both databases.

An object contains another one if it has each of its keys with a value that contains the other's; a list another one if it
has, for each item, one that contains it; anything else contains itself. A list contains a plain value that it has, too.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.sql.dialects import Dialect

__all__ = ["clause", "values"]


class Bind(Protocol):
    """Hands out the next parameter."""

    def __call__(self) -> Any:
        """The parameter."""
        ...


def clause(column: ColumnElement[Any], wanted: str, bind: Bind, dialect: Dialect) -> ColumnElement[bool]:
    """The condition that a column's value contains `wanted`, JSON text of which only the form matters."""
    if dialect.has_arrays:
        return column.op("@>", is_comparison=True)(sa.cast(bind(), JSONB))
    value = from_json(wanted)
    kind = sa.func.json_type(column)
    if isinstance(value, (dict, list)):
        found = _contains(kind, column, value, bind)
    else:
        plain = _contains(kind, sa.func.json_extract(column, _name("$")), value, bind)
        found = sa.or_(plain, sa.and_(kind == _name("array"), _some(column, value, bind)))
    # Null does not have it, and does not lack it either.
    return sa.case((column.is_not(None), found))


def values(wanted: str, dialect: Dialect) -> Iterator[Any]:
    """What to bind."""
    if dialect.has_arrays:
        yield wanted
        return
    value = from_json(wanted)
    yield from _bound(value)
    if not isinstance(value, (dict, list)):
        yield from _bound(value)  # once as the whole, once as an item


def _contains(kind: ColumnElement[Any], stored: Any, wanted: Any, bind: Bind) -> ColumnElement[bool]:
    """The condition on a value, given its kind and, where it is plain, itself or, where it is not, its text."""
    match wanted:
        case dict():
            return sa.and_(kind == _name("object"), *(_some(stored, item, bind, key=True) for item in wanted.values()))
        case list():
            return sa.and_(kind == _name("array"), *(_some(stored, item, bind) for item in wanted))
        case bool() | None:
            return kind == _name({None: "null", True: "true", False: "false"}[wanted])
        case str():
            return sa.and_(kind == _name("text"), stored == bind())
        case _:
            return sa.and_(kind.in_([_name("integer"), _name("real")]), stored == bind())


def _some(stored: Any, wanted: Any, bind: Bind, *, key: bool = False) -> ColumnElement[bool]:
    """The condition that some item of an object or a list, with a key that is bound, contains `wanted`."""
    items = sa.func.json_each(stored).table_valued("key", "value", "type", joins_implicitly=True)
    conditions = [items.c.key == bind()] if key else []
    conditions.append(_contains(items.c.type, items.c.value, wanted, bind))
    return sa.select(sa.literal_column("1")).select_from(items).where(*conditions).exists()


def _bound(wanted: Any) -> Iterator[Any]:
    match wanted:
        case dict():
            for key, item in wanted.items():
                yield key
                yield from _bound(item)
        case list():
            for item in wanted:
                yield from _bound(item)
        case bool() | None:
            return
        case _:
            yield wanted


def _name(text: str) -> ColumnElement[str]:
    return sa.literal_column(f"'{text}'")
