"""The field types: one row each, with its Python form and how SQLite stores it; `ddl` has the types of columns."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import TypeAdapter

from soulspot_db.language import rules
from soulspot_db.language.json_value import dump_json, load_json, thaw

if TYPE_CHECKING:
    from soulspot_db.language.field import FieldSpec

__all__ = ["TYPES", "Codec", "FieldType", "python_type", "rule"]

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Codec:
    """How a dialect stores a value; None means that the driver's own value is already right.

    `check` is a CHECK constraint with `{column}` in it that keeps other writers of the database honest.
    """

    encode: Callable[["FieldSpec"], Convert] | None = None
    decode: Callable[["FieldSpec"], Convert] | None = None
    check: str | None = None


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type of the YAML language.

    `python` is the annotation that generated code shows, `imports` where it comes from, `keys` the field keys that
    only some types take, `export` the form in the facade's dicts where that differs from the Python value.
    """

    name: str
    python: str
    rule: str
    sqlite: Codec = Codec()
    postgresql: Codec = Codec()
    imports: str | None = None
    keys: frozenset[str] = frozenset()
    export: Convert | None = None

    def codec(self, dialect: str) -> Codec:
        """How `dialect` stores it."""
        return self.sqlite if dialect == "sqlite" else self.postgresql


# NULL passes a CHECK, and date functions answer it for text that is no date: so `IS`, not `=`. The modifier makes SQLite
# normalise what it would repeat otherwise, such as 30 February and 24:00.
_MICROSECONDS = ".[0-9][0-9][0-9][0-9][0-9][0-9]'"
_UUID_CHECK = (
    "{column} GLOB '????????-????-????-????-????????????' AND {column} NOT GLOB '*[^-0-9a-f]*' "
    "AND length(replace({column}, '-', '')) = 32"
)
_DATE_CHECK = "{column} >= '0001' AND {column} IS date({column}, '+0 days')"
_TIME_CHECK = (
    "{column} GLOB '??:??:??" + _MICROSECONDS + " AND substr({column}, 1, 8) IS time(substr({column}, 1, 8), '+0 days')"
)
_DATETIME_CHECK = (
    "{column} GLOB '????-??-?? ??:??:??" + _MICROSECONDS + " AND {column} >= '0001' "
    "AND substr({column}, 1, 19) IS datetime(substr({column}, 1, 19), '+0 days')"
)

# To older versions of SQLite, NULL is no valid JSON.
_JSON_CHECK = "{column} IS NULL OR json_valid({column})"


_NO_ZONE = len("0001-01-01 00:00:00.000000")


def _encode_datetime(value: dt.datetime) -> str:
    # One width, so that text sorts as time does; isoformat() drops the microseconds when they are zero.
    return (value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)).isoformat(" ", "microseconds")[:_NO_ZONE]


def _decode_datetime(text: str) -> dt.datetime:
    # Read as UTC at once: replacing the zone of a naive one takes four times as long.
    return dt.datetime.fromisoformat(text + "+00:00")


def _aware(value: dt.datetime) -> dt.datetime:
    # What the driver makes of infinity, as which it stores the first and the last moment, has no zone.
    return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)


# Pydantic's own, because the one in `uuid` is written in Python and takes five times as long.
_decode_uuid: Convert = TypeAdapter(UUID).validator.validate_python


def _plain_uuid(value: UUID) -> UUID:
    return _decode_uuid(value.bytes)  # type: ignore[no-any-return]


def _encode_time(value: dt.time) -> str:
    return value.isoformat("microseconds")


def _scaled(field: "FieldSpec") -> Convert:
    scale = field.scale or 0
    return lambda value: int(value.scaleb(scale, rules.EXACT))


def _unscaled(field: "FieldSpec") -> Convert:
    scale = field.scale or 0
    return lambda number: Decimal(number).scaleb(-scale, rules.EXACT)


def _encode_list(field: "FieldSpec") -> Convert:
    item = field.item
    encode = TYPES[item.type].sqlite.encode
    convert = encode(item) if encode else None

    def dump(values: tuple[Any, ...]) -> str:
        plain = [convert(value) for value in values] if convert else list(values)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    return dump


def _decode_list(field: "FieldSpec") -> Convert:
    item = field.item
    decode = TYPES[item.type].sqlite.decode
    convert = decode(item) if decode else None
    return lambda text: tuple(map(convert, json.loads(text)) if convert else json.loads(text))


def _same(convert: Convert) -> Callable[["FieldSpec"], Convert]:
    return lambda _field: convert


_TEXT_KEYS = frozenset({"max_length", "pattern"})
_RANGE_KEYS = frozenset({"minimum", "maximum"})

_ROWS = (
    FieldType(
        "uuid",
        "UUID",
        "uuid",
        Codec(_same(str), _same(_decode_uuid), _UUID_CHECK),
        # The driver has a class of its own, which is another type to the cache.
        Codec(decode=_same(_plain_uuid)),
        imports="uuid",
        export=str,
    ),
    FieldType("string", "str", "text", keys=_TEXT_KEYS),
    FieldType("text", "str", "text", keys=_TEXT_KEYS),
    FieldType("integer", "int", "integer", keys=_RANGE_KEYS),
    FieldType("float", "float", "number", keys=_RANGE_KEYS),
    FieldType(
        "decimal",
        "Decimal",
        "decimal",
        Codec(_scaled, _unscaled),
        imports="decimal",
        keys=_RANGE_KEYS | {"precision", "scale"},
    ),
    FieldType(
        "boolean",
        "bool",
        "boolean",
        Codec(_same(int), _same(bool), "{column} IN (0, 1)"),
    ),
    FieldType(
        "date",
        "date",
        "date",
        Codec(_same(dt.date.isoformat), _same(dt.date.fromisoformat), _DATE_CHECK),
        imports="datetime",
    ),
    FieldType(
        "time",
        "time",
        "time",
        Codec(_same(_encode_time), _same(dt.time.fromisoformat), _TIME_CHECK),
        imports="datetime",
    ),
    FieldType(
        "datetime",
        "datetime",
        "utc",
        Codec(_same(_encode_datetime), _same(_decode_datetime), _DATETIME_CHECK),
        Codec(decode=_same(_aware)),
        imports="datetime",
    ),
    FieldType("enum", "Literal", "text", imports="typing", keys=frozenset({"values"})),
    FieldType("bytes", "bytes", "binary", keys=frozenset({"max_length"})),
    FieldType(
        "json",
        "Json",
        "json",
        Codec(_same(dump_json), _same(load_json), _JSON_CHECK),
        Codec(_same(dump_json), _same(load_json)),
        export=thaw,
    ),
    FieldType(
        "list",
        "tuple",
        "sequence",
        Codec(_encode_list, _decode_list, "json_type({column}) = 'array'"),
        Codec(_encode_list, _decode_list),
        keys=frozenset({"items"}),
        export=list,
    ),
)

TYPES: Mapping[str, FieldType] = {row.name: row for row in _ROWS}

_PYTHON: Mapping[str, Any] = {
    "uuid": UUID,
    "string": str,
    "text": str,
    "integer": int,
    "float": float,
    "decimal": Decimal,
    "boolean": bool,
    "date": dt.date,
    "time": dt.time,
    "datetime": dt.datetime,
    "bytes": bytes,
    "json": Any,
}


def python_type(field: "FieldSpec") -> Any:
    """The type of a stored value, without None: what a generated model declares."""
    if field.type == "enum":
        return Literal[field.values]
    if field.type == "list":
        item: Any = python_type(field.item)
        return tuple[item, ...]
    return _PYTHON[field.type]


def rule(field: "FieldSpec", *limits: Any) -> Any:
    """The annotation that checks an input value of this field; `limits` are its length, range and pattern."""
    kind, check = python_type(field), getattr(rules, TYPES[field.type].rule)
    if field.type == "decimal":
        check = check(field.precision or 0, field.scale or 0)
    if field.type == "list":
        item: Any = rule(field.item)
        kind = tuple[item, ...]
    # Limits before the check, so that they bind to the type itself and their messages speak of characters.
    return Annotated[(kind, *limits, check)]
