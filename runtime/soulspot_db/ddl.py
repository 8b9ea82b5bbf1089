"""Column types, defaults and checks by name: what revisions and generated tables are written with.

What a name stores never changes, because revisions that were applied long ago call it: another storage is another name.
"""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.language.conditions import sql_text
from soulspot_db.language.json_value import dump_json
from soulspot_db.language.table import storage_check

__all__ = [
    "boolean",
    "bytes",
    "check",
    "date",
    "datetime",
    "decimal",
    "default",
    "encrypted",
    "encrypted_bytes",
    "enum",
    "float",
    "integer",
    "json",
    "json_default",
    "list",
    "sql",
    "stored",
    "string",
    "text",
    "time",
    "uuid",
]

Type = sa.types.TypeEngine[Any]


def uuid() -> Type:
    """36 lower-case characters on SQLite, uuid on PostgreSQL."""
    return sa.Text().with_variant(postgresql.UUID(), "postgresql")


def text() -> Type:
    """Text that compares by code point on both databases."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


string = text
enum = text


def integer() -> Type:
    """64 bits."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def float() -> Type:
    """A double."""
    return sa.REAL().with_variant(sa.Double(), "postgresql")


def decimal(precision: int, scale: int) -> Type:
    """An integer scaled by 10^scale on SQLite, NUMERIC on PostgreSQL."""
    # The number first: from a key that is an integer first, SQLAlchemy makes a SERIAL.
    return sa.Numeric(precision, scale).with_variant(sa.Integer(), "sqlite")


def boolean() -> Type:
    """0 and 1 on SQLite, boolean on PostgreSQL."""
    return sa.Integer().with_variant(sa.Boolean(), "postgresql")


def date() -> Type:
    """ISO text on SQLite, date on PostgreSQL."""
    return sa.Text().with_variant(sa.Date(), "postgresql")


def time() -> Type:
    """ISO text with microseconds on SQLite, time on PostgreSQL."""
    return sa.Text().with_variant(sa.Time(), "postgresql")


def datetime() -> Type:
    """UTC, as text of one width on SQLite, timestamptz on PostgreSQL."""
    return sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def json() -> Type:
    """Compact JSON text on SQLite, jsonb on PostgreSQL."""
    return sa.Text().with_variant(postgresql.JSONB(), "postgresql")


def bytes() -> Type:
    """BLOB on SQLite, bytea on PostgreSQL."""
    return sa.LargeBinary()


def list() -> Type:
    """Compact JSON text on SQLite, jsonb on PostgreSQL."""
    return sa.Text().with_variant(postgresql.JSONB(), "postgresql")


def encrypted() -> Type:
    """What text and JSON become where they are encrypted: text."""
    return text()


def encrypted_bytes() -> Type:
    """What bytes become where they are encrypted: bytes."""
    return bytes()


class _ScaledDecimal(ColumnElement[Any]):
    """A decimal that is written as the scaled integer that SQLite stores, and as itself elsewhere."""

    inherit_cache = False

    def __init__(self, value: Decimal, scale: int) -> None:
        self.value = value
        self.scale = scale


@compiles(_ScaledDecimal)
def _plain(element: _ScaledDecimal, _compiler: Any, **_options: Any) -> str:
    return str(element.value)


@compiles(_ScaledDecimal, "sqlite")
def _scaled(element: _ScaledDecimal, _compiler: Any, **_options: Any) -> str:
    return str(int(element.value.scaleb(element.scale)))


def default(value: Any, *, scale: int | None = None) -> Any:
    """A literal server default, as each dialect stores such a value; `scale` is that of a decimal."""
    if scale is not None:
        return _ScaledDecimal(Decimal(str(value)), scale)
    if isinstance(value, bool):
        return sa.true() if value else sa.false()
    if isinstance(value, str):
        return sql(sql_text(value))
    return sql(repr(value))


def json_default(value: Any) -> Any:
    """A literal server default of a list or a JSON value."""
    return sql(sql_text(dump_json(value)))


def check(condition: str, *, name: str, dialect: str | None = None) -> sa.CheckConstraint:
    """A CHECK constraint, on every dialect or on `dialect` alone."""
    constraint = sa.CheckConstraint(sql(condition), name=name)
    return constraint.ddl_if(dialect=dialect) if dialect else constraint


def stored(column: str, field_type: str, *, name: str) -> sa.CheckConstraint:
    """The CHECK by which SQLite keeps a column to the values of a field type, as PostgreSQL's own types do."""
    return check(storage_check(column, field_type) or "", name=name, dialect="sqlite")


def sql(text: str) -> sa.TextClause:
    """SQL that stands in a table as it is, such as the condition of a partial index."""
    # A colon would begin a parameter.
    return sa.text(text.replace(":", r"\:"))
