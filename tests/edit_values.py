"""What a stored value becomes in a column of another type, in plain Python."""

import re
from collections.abc import Callable
from typing import Any

__all__ = ["CONVERSIONS", "DEFAULTS", "ENUMS", "TYPES", "VALUES", "RefusedError", "converted"]

TEXTS = [
    "",
    "a",
    "A",
    "bb",
    'it\'s: "ä"',
    "12",
    "-3",
    "007",
    "1.5",
    "[]",
    '["x"]',
    "2026-01-02",
    "true",
    "x" * 12,
    "0.1234567890123456",
]
UUIDS = [f"0190b2d4-0000-7000-8000-00000000000{number}" for number in range(6)]
ENUMS = ["a", "A", "bb", 'it\'s: "ä"', "12"]
VALUES: dict[str, list[Any]] = {
    "uuid": UUIDS,
    "string": TEXTS,
    "text": TEXTS,
    "integer": [0, 1, -1, 2, 7, 12, 2**53 + 1, -(2**63), 2**63 - 1],
    "float": [0.0, 1.0, -2.25, 1.5, 7.0, 12.34, 1e300],
    "boolean": [0, 1],
    "date": ["2026-01-02", "0001-01-01", "9999-12-31"],
    "time": ["00:00:00.000000", "23:59:59.999999", "12:00:00.500000"],
    "datetime": ["2026-01-02 00:00:00.000000", "2026-01-02 12:00:00.000001", "1969-12-31 23:59:59.999999"],
    "json": ['{"a":1}', "[]", "[1]", '"x"', "1.5", "null"],
    "list": ["[]", '["x"]', '["a","b"]'],
    "bytes": [b"", b"\x00\xff", b"abc"],
}
DEFAULTS: dict[str, list[tuple[Any, Any]]] = {  # as the schema says it, and as it is stored
    "string": [("a", "a"), ("it's: x", "it's: x"), ("", "")],
    "text": [("a", "a"), ("12", "12")],
    "integer": [(0, 0), (-5, -5), (2**62, 2**62)],
    "float": [(1, 1.0), (1.0, 1.0), (-2.5, -2.5)],
    "decimal": [(0, "0"), ("-1.5", "-1.5"), (2, "2")],
    "boolean": [(True, 1), (False, 0)],
    "date": [("2026-01-02", "2026-01-02")],
    "json": [({"a": 1}, '{"a":1}'), ({"a": True}, '{"a":true}'), ([], "[]")],
    "list": [([], "[]"), (["x"], '["x"]')],
}
TYPES = [*VALUES, "decimal", "enum"]

Rules = dict[str, Any]
Convert = Callable[[Any, Rules, Rules], Any]


class RefusedError(Exception):
    """A value that has no counterpart in another type."""


def converted(value: Any, old: Rules, new: Rules) -> tuple[Any, bool]:
    """A stored value in another type, and whether something of it is lost."""
    if value is None:
        return None, False
    convert, loses = _WAYS[old["type"], new["type"]]
    return convert(value, old, new), loses(value, old, new)


def _same(value: Any, _old: Rules, _new: Rules) -> Any:
    return value


def _nothing(_value: Any, _old: Rules, _new: Rules) -> bool:
    return False


def _only(accepts: Callable[[Any], bool], make: Callable[[Any], Any] = lambda value: value) -> Convert:
    def convert(value: Any, _old: Rules, _new: Rules) -> Any:
        if not accepts(value):
            raise RefusedError
        return make(value)

    return convert


def _matching(pattern: str, make: Callable[[Any], Any]) -> Convert:
    return _only(lambda value: re.fullmatch(pattern, value) is not None, make)


def _scaled(value: int, old: Rules, new: Rules) -> int:
    """A whole number at another scale, cut off towards zero."""
    shift = new.get("scale", 0) - old.get("scale", 0)
    found = value * 10**shift if shift >= 0 else abs(value) // 10**-shift * (1 if value >= 0 else -1)
    if abs(found) >= 10 ** new.get("precision", 18):
        raise RefusedError
    return int(found)


def _loses_digits(value: int, old: Rules, new: Rules) -> bool:
    shift = new.get("scale", 0) - old.get("scale", 0)
    return shift < 0 and value % 10**-shift != 0


def _rounded(value: float, _old: Rules, new: Rules) -> int:
    found = int(abs(value * 10 ** new["scale"]) + 0.5) * (1 if value >= 0 else -1)
    if abs(found) >= 10 ** new["precision"]:
        raise RefusedError
    return found


def _is_rounded(value: float, _old: Rules, new: Rules) -> bool:
    return _rounded(value, _old, new) / 10 ** new["scale"] != value


def _has_many_digits(value: str, _old: Rules, _new: Rules) -> bool:
    return len(re.sub(r"\D", "", value).strip("0")) > 15


def _is_inexact(value: int, _old: Rules, _new: Rules) -> bool:
    return abs(value) > 2**53


_WAYS: dict[tuple[str, str], tuple[Convert, Callable[[Any, Rules, Rules], bool]]] = {
    ("boolean", "integer"): (_same, _nothing),
    ("boolean", "string"): (lambda value, _old, _new: "true" if value else "false", _nothing),
    ("integer", "boolean"): (_only(lambda value: value in {0, 1}), _nothing),
    ("integer", "float"): (lambda value, _old, _new: float(value), _is_inexact),
    ("float", "integer"): (
        _only(lambda value: abs(value) < 9.2e18, int),
        lambda value, _old, _new: value != int(value),
    ),
    ("float", "decimal"): (_rounded, _is_rounded),
    ("decimal", "float"): (lambda value, old, _new: value / 10 ** old["scale"], _is_inexact),
    ("decimal", "decimal"): (_scaled, _loses_digits),
    ("decimal", "integer"): (_scaled, _loses_digits),
    ("integer", "decimal"): (_scaled, _nothing),
    ("date", "datetime"): (lambda value, _old, _new: f"{value} 00:00:00.000000", _nothing),
    ("datetime", "date"): (
        lambda value, _old, _new: value[:10],
        lambda value, _old, _new: not value.endswith(" 00:00:00.000000"),
    ),
    ("list", "json"): (_same, _nothing),
}
for _text in ("string", "text", "enum"):
    _WAYS |= {(_text, other): (_same, _nothing) for other in ("string", "text", "enum")}
    _WAYS |= {(other, _text): (_same, _nothing) for other in ("uuid", "date", "time", "datetime", "json", "list")}
    _WAYS |= {
        (_text, kind): (_only(VALUES[kind].__contains__), _nothing) for kind in ("uuid", "date", "time", "datetime")
    }
    _WAYS |= {
        ("integer", _text): (lambda value, _old, _new: str(value), _nothing),
        (_text, "integer"): (_matching(r"0|-?[1-9]\d{0,17}", int), _nothing),
        (_text, "float"): (_matching(r"-?(0|[1-9]\d*)(\.\d+)?", float), _has_many_digits),
    }

CONVERSIONS = {
    kind: sorted(new for old, new in _WAYS if old == kind and (new != kind or kind == "decimal")) for kind in TYPES
}
"""The types that a type may become."""
