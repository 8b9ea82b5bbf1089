"""What all documents of the language are made of: a base that refuses what it does not know, and values of any kind."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

__all__ = ["Document", "Filter", "Literals", "Number"]


class Document(BaseModel):
    """Part of a schema, as its file says it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _literal(value: object) -> object:
    if isinstance(value, dict):
        for item in value.values():
            _literal(item)
    elif isinstance(value, list):
        for item in value:
            _literal(item)
    elif value is not None and not isinstance(value, (str, int, float)):
        raise ValueError("a default is text, a number, true, false, null, or a list or a mapping of these")
    return value


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError("the number is too large")
    return value


# Checked by one function each: a union would report every member that the value is not.
Literals = Annotated[Any, AfterValidator(_literal), WithJsonSchema({})]
Filter = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
Number = Annotated[Any, AfterValidator(_number), WithJsonSchema({"type": "number"})]
