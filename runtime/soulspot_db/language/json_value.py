"""JSON values that nobody can change, and the one text that each is stored as."""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from immutabledict import immutabledict
from pydantic_core import from_json

from soulspot_db.language.text import storable

__all__ = ["dump_json", "freeze", "load_json", "thaw"]

_LEAST, _MOST = -(2**63), 2**63 - 1
_MAX_DEPTH = 64
_NESTS = (dict, list)
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=dict)
# Texts, to pass over them, and floats from 1e16.
_BIG = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[-.0-9]+e\+[0-9]+')


def freeze(value: Any, depth: int = 0) -> Any:
    """`value` with tuples for lists and immutable mappings for dicts, checked on the way.

    Raises:
        ValueError: it is not JSON, or not what both databases can store.
    """
    if depth > _MAX_DEPTH:
        raise ValueError(f"JSON nested more than {_MAX_DEPTH} levels deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise ValueError("integers are limited to 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("NaN and infinities cannot be stored")
        return value
    if isinstance(value, (list, tuple)):
        return tuple([freeze(item, depth + 1) for item in value])
    if isinstance(value, Mapping):
        return immutabledict({_name(key): freeze(item, depth + 1) for key, item in value.items()})
    raise ValueError(f"expected JSON, got {type(value).__name__}")


def _name(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"keys of JSON objects are text, got {type(key).__name__}")
    return storable(key)


def thaw(value: Any) -> Any:
    """A copy of a frozen value, in the lists and dicts that its caller may change."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    return [thaw(item) for item in value] if isinstance(value, tuple) else value


def dump_json(value: Any) -> str:
    """The stored text: compact, keys sorted, so that equal values are equal texts."""
    text = _ENCODER.encode(value)
    return _BIG.sub(_written_out, text) if "e+" in text else text


def _written_out(found: re.Match[str]) -> str:
    # jsonb keeps digits and no exponents: a float would come back as an integer, and be too big to be written again.
    text = found[0]
    return text if text.startswith('"') else f"{Decimal(text):.1f}"


def load_json(text: str) -> Any:
    """The frozen value of a stored text."""
    return _loaded(from_json(text))


def _loaded(value: Any) -> Any:
    # Most values have nothing inside: not calling this for them halves the time of a row.
    if isinstance(value, dict):
        return immutabledict({key: _loaded(item) if isinstance(item, _NESTS) else item for key, item in value.items()})
    return (
        tuple([_loaded(item) if isinstance(item, _NESTS) else item for item in value])
        if isinstance(value, list)
        else value
    )
