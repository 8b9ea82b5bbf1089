"""One valid value for a field: how each field type makes one, within the field's length, range and pattern."""

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any
from uuid import UUID

from polyfactory.value_generators.regex import RegexFactory
from pydantic import TypeAdapter, ValidationError

from soulspot_db.errors import ValidationFailedError
from soulspot_db.language.field import INPUT_CONFIG, FieldSpec, input_rule

__all__ = ["MAKERS", "Values", "accepts"]

_TRIES = 100
_INT64 = (-(2**63), 2**63 - 1)
_FIRST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
_SPAN = dt.timedelta(days=730)
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@lru_cache(maxsize=4096)
def _adapter(field: FieldSpec) -> TypeAdapter[Any]:
    return TypeAdapter(input_rule(field), config=INPUT_CONFIG)


def accepts(field: FieldSpec, value: Any) -> bool:
    """Whether the rules of `field` take `value`."""
    try:
        _adapter(field).validate_python(value)
    except ValidationError:
        return False
    return True


class Values:
    """Makes values from one source of randomness, so that the same seed makes the same ones.

    Values count up where they can (`title 1`, `title 2`; ids in the order of rows), which keeps unique ones apart and makes
    a failing test easy to read.

    Args:
        random: where everything random comes from.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.regex = RegexFactory(random)
        self._counted: dict[str, int] = {}

    def count(self, what: str) -> int:
        """1, 2, 3, ... for each thing that is counted."""
        self._counted[what] = number = self._counted.get(what, 0) + 1
        return number

    def of(self, entity_type: str, field: FieldSpec) -> Any:
        """A value that the field's rules accept; never None.

        Raises:
            ValidationFailedError: none was found, because the rules leave very few or are beyond what can be guessed.
        """
        make = MAKERS[field.type]
        for _ in range(_TRIES):
            value = make(self, field, self.count(f"{entity_type}.{field.name}"))
            if value is not None and accepts(field, value):
                return value
        raise ValidationFailedError(
            f"no value for {field.name!r} of {entity_type} could be made",
            f"Give one: factories.build({entity_type!r}, {field.name}=...).",
            entity_type=entity_type,
            field=field.name,
            operation="build",
        )


def _uuid(values: Values, _field: FieldSpec, _number: int) -> UUID:
    # Of version 7, as the runtime makes them: rows sort by key in the order in which they were made.
    moment = int(_FIRST.timestamp() * 1000) + values.count("uuid")
    return UUID(
        int=moment << 80 | 0x7 << 76 | values.random.getrandbits(12) << 64 | 0x2 << 62 | values.random.getrandbits(62)
    )


def _text(values: Values, field: FieldSpec, number: int) -> str | None:
    if field.pattern is not None:
        return _of_pattern(values, field.pattern)
    text = f"{field.name.replace('_', ' ')} {number}"
    if field.max_length is None or len(text) <= field.max_length:
        return text
    return "".join(values.random.choices(_LETTERS, k=field.max_length))


def _of_pattern(values: Values, pattern: str) -> str | None:
    try:
        return values.regex(pattern)
    except (KeyError, IndexError, TypeError, ValueError):  # the generator does not know all that `re` does
        return None


def _integer(values: Values, field: FieldSpec, _number: int) -> int | None:
    low, high = _range(field, 1_000_000)
    least, most = max(math.ceil(low), _INT64[0]), min(math.floor(high), _INT64[1])
    return values.random.randint(least, most) if least <= most else None


def _range(field: FieldSpec, width: int) -> tuple[float, float]:
    """The limits of a number: the field's own, and where it has none some that are near."""
    low, high = field.minimum, field.maximum
    if low is None:
        low = 0 if high is None or high >= 0 else high - width
    return low, low + width if high is None else high


def _float(values: Values, field: FieldSpec, _number: int) -> float:
    low, high = _range(field, 1_000)
    share = values.random.random()
    number = float(low) * (1 - share) + float(high) * share  # the difference of the two might be too large
    short = round(number, 3)
    return short if low <= short <= high else min(max(number, low), high)


def _decimal(values: Values, field: FieldSpec, _number: int) -> Decimal | None:
    scale = field.scale or 0
    most = 10 ** (field.precision or 18) - 1
    low, high = (Decimal(str(limit)).scaleb(scale) for limit in _range(field, 1_000))
    lowest, highest = max(math.ceil(low), -most), min(math.floor(high), most)
    return Decimal(values.random.randint(lowest, highest)).scaleb(-scale) if lowest <= highest else None


def _boolean(values: Values, _field: FieldSpec, _number: int) -> bool:
    return values.random.random() < 0.5


def _datetime(values: Values, _field: FieldSpec, _number: int) -> dt.datetime:
    return _FIRST + dt.timedelta(seconds=values.random.randrange(int(_SPAN.total_seconds())))


def _date(values: Values, field: FieldSpec, number: int) -> dt.date:
    return _datetime(values, field, number).date()


def _time(values: Values, field: FieldSpec, number: int) -> dt.time:
    return _datetime(values, field, number).time()


def _enum(values: Values, field: FieldSpec, _number: int) -> str:
    return values.random.choice(field.values)


def _bytes(values: Values, field: FieldSpec, _number: int) -> bytes:
    return values.random.randbytes(min(field.max_length or 16, 16))


def _json(values: Values, field: FieldSpec, number: int) -> dict[str, Any]:
    return {"number": number, "text": f"{field.name} {number}", "list": [values.random.random(), None, True]}


def _list(values: Values, field: FieldSpec, number: int) -> list[Any]:
    make = MAKERS[field.item.type]
    return [make(values, field.item, number) for _ in range(values.random.randint(1, 4))]


MAKERS: dict[str, Callable[[Values, FieldSpec, int], Any]] = {
    "uuid": _uuid,
    "string": _text,
    "text": _text,
    "integer": _integer,
    "float": _float,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "enum": _enum,
    "bytes": _bytes,
    "json": _json,
    "list": _list,
}
"""How each field type makes a value; None where it could not."""
