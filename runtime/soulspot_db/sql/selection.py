"""What a named query selects: values of columns and functions over groups, as SQL and back as Python values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.encryption import Cipher, UnreadableError, decryption_failed
from soulspot_db.language.outputs import Output
from soulspot_db.language.predicates import Predicate
from soulspot_db.language.queries import QuerySpec
from soulspot_db.sql.clauses import Binder, Clauses, ordered
from soulspot_db.sql.codec import decoder
from soulspot_db.sql.dialects import Dialect

__all__ = ["bound_outputs", "row_decoder", "selected"]

_TYPES: Mapping[str, Any] = {"integer": sa.BigInteger(), "float": sa.Double()}


def selected(
    query: QuerySpec, outputs: Sequence[Output], columns: Mapping[str, sa.Column[Any]], clauses: Clauses, bind: Binder
) -> sa.Select[Any]:
    """The values that a query selects, of all rows and in its order.

    Args:
        query: the query.
        outputs: what it selects, without parameters.
        columns: the columns by the names of the fields.
        clauses: makes conditions.
        bind: hands out parameters.
    """
    named = {output.name: _value(output, columns, clauses, bind).label(output.name) for output in outputs}
    # Counting rows names no column, by which SQLAlchemy would know the table.
    found = sa.select(*named.values()).select_from(clauses.table).group_by(*(columns[name] for name in query.group_by))
    nullable = {output.name: output.nullable for output in outputs}
    # By the expression and not by its label, which could be a column's name as well.
    order = (ordered(named[term.field].element, term, nullable=nullable[term.field]) for term in query.order)
    return (found.distinct() if query.distinct else found).order_by(*order)


def _value(output: Output, columns: Mapping[str, sa.Column[Any]], clauses: Clauses, bind: Binder) -> ColumnElement[Any]:
    column: Any = None if output.field is None else columns[output.field.name]
    match output.function:
        case None:
            return column  # type: ignore[no-any-return] # the column of a field, which there is then
        case "count":
            counted = sa.func.count(*([] if column is None else [column.distinct() if output.distinct else column]))
            return counted if output.where is None else counted.filter(clauses.clause(output.where, bind))
        case "min" | "max":
            return getattr(sa.func, output.function)(column)  # type: ignore[no-any-return]
        case function:
            # PostgreSQL gives sums of integers and all averages as numeric.
            found = getattr(sa.func, function)(column)
            kind = _TYPES.get(output.value.type)
            return found if kind is None else sa.cast(found, kind)


def row_decoder(
    entity_type: str, outputs: Sequence[Output], dialect: Dialect, cipher: Cipher
) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Makes the values of a row of what `outputs` select; raises DecryptionFailedError where no key opens one."""
    decoders = [_decoder(output, dialect, cipher) for output in outputs]

    def decode(row: Sequence[Any]) -> tuple[Any, ...]:
        try:
            return tuple(
                value if value is None or convert is None else convert(value)
                for convert, value in zip(decoders, row, strict=True)
            )
        except UnreadableError as problem:
            raise decryption_failed(entity_type, problem, None) from None

    return decode


def _decoder(output: Output, dialect: Dialect, cipher: Cipher) -> Callable[[Any], Any] | None:
    field = output.value
    if output.virtual is not None:
        return output.virtual.read
    if (
        output.function == "avg"
        and output.field is not None
        and output.field.type == "decimal"
        and not dialect.has_arrays
    ):
        scale = 10 ** (output.field.scale or 0)  # which SQLite stores as an integer
        return lambda value: float(value) / scale
    return decoder(field, dialect, cipher)


def bound_outputs(outputs: Sequence[Output], bound: Callable[[Predicate], Predicate | None]) -> Iterator[Output]:
    """The outputs with values in place of their parameters."""
    for output in outputs:
        where = None if output.where is None else bound(output.where)
        yield replace(output, where=where)
