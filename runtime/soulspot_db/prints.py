"""What a row that a query selects prints as: every value but those that nobody is to read in a log."""

from collections.abc import Collection
from typing import Any

__all__ = ["without"]


def without(row: Any, hidden: Collection[str]) -> str:
    """What a named tuple prints as without these of its values, as a model without its hidden fields does.

    Args:
        row: the named tuple.
        hidden: the names of the values that are left out.
    """
    shown = (f"{name}={value!r}" for name, value in zip(row._fields, row, strict=True) if name not in hidden)
    return f"{type(row).__name__}({', '.join(shown)})"
