"""Cursors: the place of a row in an order, as text that callers pass on without looking into it."""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.order import Term
from soulspot_db.language.spec import EntitySpec

__all__ = ["CursorError", "read_cursor", "write_cursor"]


_STORED = {"decimal": TypeAdapter(Decimal)}


class CursorError(ValueError):
    """Text that is no cursor, or one of another order."""


def write_cursor(order: Sequence[Term], values: Sequence[Any], spec: EntitySpec) -> str:
    """The cursor of the row that has these values in the fields of a complete order."""
    text = json.dumps([_mark(order, spec), *map(_plain, values)], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: object, order: Sequence[Term], spec: EntitySpec) -> tuple[Any, ...]:
    """The values that `write_cursor` was given.

    Raises:
        CursorError: it is none, or belongs to another order or entity.
    """
    if not isinstance(cursor, str):
        raise CursorError(f"a cursor is text, got {type(cursor).__name__}")
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise CursorError("it is not a cursor that a page has given") from None
    if not isinstance(found, list) or len(found) != len(order) + 1:
        raise CursorError("it is not a cursor of this order")
    mark, *values = found
    if mark != _mark(order, spec):
        raise CursorError("it is not a cursor of this order")
    try:
        return tuple(_value(spec.fields[term.field], value) for term, value in zip(order, values, strict=True))
    except (ValidationError, ValueError, TypeError):
        raise CursorError("it is not a cursor that a page has given") from None


def _mark(order: Sequence[Term], spec: EntitySpec) -> str:
    """Tells the orders of all entities apart."""
    terms = [[term.field, term.descending, bool(term.nulls_first)] for term in order]
    return blake2b(json.dumps([spec.entity_type, terms]).encode(), digest_size=6).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case UUID() | Decimal():
            return str(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            return value


def _value(field: FieldSpec, value: Any) -> Any:
    if value is None:
        if not field.nullable:
            raise CursorError("the field is never null")
        return None
    if field.type == "bytes":
        return bytes.fromhex(value)
    # What is stored may be more than may be given by now.
    return _STORED[field.type].validate_python(value) if field.type in _STORED else field.adapter.validate_python(value)
