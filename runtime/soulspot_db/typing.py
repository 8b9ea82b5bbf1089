"""The filter language for type checkers: what a field of each type may be compared with."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar

__all__ = ["FieldDocuments", "FieldFilter", "IndexDocuments", "ListFilter", "Operators"]

T = TypeVar("T")

# `in` is a keyword, so only a call can name it, and a TypedDict made by a call cannot be generic. A plain list, which
# means the same, is checked item by item.
_In = TypedDict("_In", {"in": Sequence[Any]}, total=False)


class Operators(_In, Generic[T], total=False):
    """Operators that must all hold."""

    eq: T | None
    ne: T | None
    lt: T
    lte: T
    gt: T
    gte: T
    not_in: Sequence[T | None]


FieldFilter: TypeAlias = T | Sequence[T | None] | Operators[T] | None
"""A value to equal, None to be null, a list to be in, or operators."""

ListFilter: TypeAlias = Sequence[Any] | None
"""A whole list, compared as it is stored."""

FieldDocuments: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Fields as YAML says them: the name, then the keys of the language."""

IndexDocuments: TypeAlias = Sequence[Mapping[str, Any]]
"""Indexes as YAML says them."""
