"""What Pydantic found wrong with a value, in our words."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

__all__ = ["first_reason", "reason"]


def reason(item: Mapping[str, Any]) -> str:
    """One of `ValidationError.errors()` as a sentence, without the value."""
    return str(item["msg"]).removeprefix("Value error, ")


def first_reason(error: ValidationError) -> str:
    """The first thing that is wrong with a value."""
    return reason(error.errors(include_input=False, include_url=False)[0])
