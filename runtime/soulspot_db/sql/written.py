"""Queries in SQL made ready for one database: its text, how values are given to it, how its rows are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from soulspot_db.encryption import Cipher, UnreadableError, decryption_failed
from soulspot_db.engine.base import Statement
from soulspot_db.errors import QueryFailedError
from soulspot_db.language.outputs import Output
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.sql_query import SqlQuery
from soulspot_db.language.types import TYPES
from soulspot_db.sql.codec import decoder
from soulspot_db.sql.dialects import Dialect

__all__ = ["PreparedSql", "prepared", "row_reader"]

Row = Sequence[Any]
# The types to which values are cast, so that PostgreSQL has to guess none of them.
_TYPES: Mapping[str, str] = {
    "uuid": "uuid",
    "string": "text",
    "text": "text",
    "integer": "bigint",
    "float": "double precision",
    "decimal": "numeric",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "datetime": "timestamptz",
    "enum": "text",
    "bytes": "bytea",
    "json": "jsonb",
    "list": "jsonb",
}


@dataclass(frozen=True)
class PreparedSql:
    """A query in SQL for one database.

    `names` are the parameters in the order in which the text takes them, `places` says where in a row the values that are
    wanted stand, in their order.
    """

    sql: str
    names: tuple[str, ...]
    encoders: Mapping[str, Callable[[Any], Any]]
    places: tuple[int, ...]

    def statement(self, values: Mapping[str, Any]) -> Statement:
        """The statement with these values of its parameters."""
        return Statement(self.sql, tuple([self._encoded(name, values[name]) for name in self.names]))

    def _encoded(self, name: str, value: Any) -> Any:
        encode = self.encoders.get(name)
        return value if value is None or encode is None else encode(value)

    def in_order(self, row: Row) -> tuple[Any, ...]:
        """A row whose values stand where they are wanted."""
        return tuple([row[place] for place in self.places])


def prepared(query: QuerySpec, sql: SqlQuery, spec: EntitySpec, dialect: Dialect) -> PreparedSql:
    """Make a query ready."""
    statement, columns = sql.statements[dialect.name], [field.column for field in spec.fields.values()]
    wanted = [output.name for output in query.outputs] or columns
    if sql.verb == "select":
        given = list(statement.selected)
    else:
        # Of what is written the keys must be known; of what is returned, everything.
        given = wanted = columns if query.verb == "list" else [field.column for field in spec.key_fields]
        statement = statement.returning(wanted)
    fields = {name: param.field for name, param in query.params.items()}
    text, names = statement.bound({name: _TYPES[field.type] for name, field in fields.items()})
    encoders = {
        name: make(field) for name, field in fields.items() if (make := TYPES[field.type].codec(dialect.name).encode)
    }
    places = () if query.verb == "count" else tuple(map(given.index, wanted))
    return PreparedSql(text, names, encoders, places)


def row_reader(
    query: QuerySpec, entity_type: str, dialect: Dialect, cipher: Cipher
) -> Callable[[Row], tuple[Any, ...]]:
    """Makes the values of a row.

    What comes back raises QueryFailedError where one is not what the schema says, DecryptionFailedError where no key opens it.
    """
    readers = [_reader(output, dialect, cipher) for output in query.outputs]

    def read(row: Row) -> tuple[Any, ...]:
        found = []
        for output, reader, value in zip(query.outputs, readers, row, strict=True):
            try:
                found.append(reader(value))
            except UnreadableError as problem:
                raise decryption_failed(entity_type, problem, None) from None
            except (ArithmeticError, AttributeError, TypeError, ValueError):
                raise _unreadable(query, output, entity_type) from None
        return tuple(found)

    return read


def _reader(output: Output, dialect: Dialect, cipher: Cipher) -> Callable[[Any], Any]:
    field = output.value
    decode, check, as_number = decoder(field, dialect, cipher), field.adapter.validate_python, _NUMBERS.get(field.type)

    def read(value: Any) -> Any:
        if value is None and output.nullable:
            return None
        if as_number is not None and isinstance(value, (int, float, Decimal)):
            value = as_number(value)
        # Nobody but the author of a text knows the types of what it computes.
        return check(value if decode is None else decode(value))

    return read


def _whole(value: float | Decimal) -> int:
    if value != int(value):
        raise ValueError("a fraction")
    return int(value)


# PostgreSQL gives sums of integers as numeric, SQLite sums of floats without a fraction as they are.
_NUMBERS: Mapping[str, Callable[[Any], Any]] = {"integer": _whole, "float": float}


def _unreadable(query: QuerySpec, output: Output, entity_type: str) -> QueryFailedError:
    kind = f"of type {output.value.type!r}" + (" or null" if output.nullable else ", and not null")
    return QueryFailedError(
        f"{query.name} of {entity_type} found a {output.name!r} that is not {kind}",
        "CAST the value in the text, or correct its type in 'columns'; 'nullable: true' is for what may be null.",
        entity_type=entity_type,
        operation=query.name,
        fields=[output.name],
    )
