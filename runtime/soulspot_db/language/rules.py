"""What each kind of value accepts: one Pydantic validator per field type.

Strings are parsed for uuid, decimal, date, time and datetime only; everywhere else a value of the wrong type is an
error, never a guess. Both databases refuse or mangle NUL characters, NaN, infinities and integers beyond 64 bits, so
these are stopped here, before a driver sees them.
"""

import datetime as dt
import math
from decimal import Context, Decimal, InvalidOperation
from uuid import UUID

from pydantic import BeforeValidator

from soulspot_db.language.json_value import freeze
from soulspot_db.language.text import storable

__all__ = ["EXACT", "boolean", "date", "decimal", "integer", "number", "sequence", "text", "time", "utc", "uuid"]

_LEAST, _MOST = -(2**63), 2**63 - 1

EXACT = Context(prec=40)
"""Arithmetic for stored decimals: what a program sets for its own (`getcontext().prec = 6`) must not round them."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {type(value).__name__}")
    return storable(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected an integer, got {type(value).__name__}")
    if not _LEAST <= value <= _MOST:
        raise ValueError("integers are limited to 64 bits")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("the number is too large for a float") from None
    if not math.isfinite(number):
        raise ValueError("NaN and infinities cannot be stored")
    return number


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, got {type(value).__name__}")
    return value


def _uuid(value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            raise ValueError("expected a uuid, 36 characters such as 0190b2d4-...") from None
    raise ValueError(f"expected a uuid, got {type(value).__name__}")


def _utc(value: object) -> dt.datetime:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a date and time in ISO 8601, such as 2026-11-24T12:00:00+00:00") from None
    if not isinstance(value, dt.datetime):
        raise ValueError(f"expected a datetime, got {type(value).__name__}")
    try:
        # A naive datetime is local time, as Python itself reads it.
        return value.astimezone(dt.UTC)
    except (OverflowError, OSError):
        raise ValueError("the datetime is out of range once converted to UTC") from None


def _date(value: object) -> dt.date:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a date such as 2026-11-24") from None
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise ValueError(f"expected a date, got {type(value).__name__}")
    return value


def _time(value: object) -> dt.time:
    if isinstance(value, str):
        try:
            value = dt.time.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a time such as 12:30:00") from None
    if not isinstance(value, dt.time):
        raise ValueError(f"expected a time, got {type(value).__name__}")
    if value.tzinfo is not None:
        raise ValueError("a time of day has no time zone; use datetime")
    return value


def _binary(value: object) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise ValueError(f"expected bytes, got {type(value).__name__}")
    return bytes(value)


def _json(value: object) -> object:
    if value is None:
        raise ValueError("null by itself is not stored as JSON; make the field nullable")
    return freeze(value)


def _sequence(value: object) -> tuple[object, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"expected a list, got {type(value).__name__}")
    return tuple(value)


text = BeforeValidator(_text)
integer = BeforeValidator(_integer)
number = BeforeValidator(_number)
boolean = BeforeValidator(_boolean)
uuid = BeforeValidator(_uuid)
utc = BeforeValidator(_utc)
date = BeforeValidator(_date)
time = BeforeValidator(_time)
binary = BeforeValidator(_binary)
json = BeforeValidator(_json)
sequence = BeforeValidator(_sequence)


def decimal(precision: int, scale: int) -> BeforeValidator:
    """Accept a Decimal, an integer or text that fits `precision` digits, `scale` of them after the point.

    A float is refused, because it is not the number that was written; so is a value that would have to be rounded.
    """
    step = Decimal(1).scaleb(-scale)
    limit = Decimal(10) ** (precision - scale)

    def check(value: object) -> Decimal:
        if isinstance(value, (bool, float)) or not isinstance(value, (Decimal, int, str)):
            raise ValueError(f"expected a decimal, got {type(value).__name__}")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError("expected a decimal such as '12.50'") from None
        if not number.is_finite():
            raise ValueError("NaN and infinities cannot be stored")
        if number.copy_abs() >= limit:  # abs() rounds, and overflows
            raise ValueError(f"at most {precision - scale} digits before the point fit")
        exact = number.quantize(step, context=EXACT)
        if exact != number:
            raise ValueError(f"at most {scale} digits after the point fit")
        return exact

    return BeforeValidator(check)
