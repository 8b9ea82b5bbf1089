"""The filter language for type checkers: what a field of each type may be compared with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, TypeVar

__all__ = [
    "CheckDocuments",
    "FieldDocuments",
    "FieldFilter",
    "IndexDocuments",
    "Json",
    "JsonFilter",
    "JsonInput",
    "JsonOperators",
    "ListFilter",
    "Operators",
    "OtherField",
]

T = TypeVar("T")

# `in` is a keyword, so only a call can name it, and a TypedDict made by a call cannot be generic. A plain list, which
# means the same, is checked item by item.
_In = TypedDict("_In", {"in": Sequence[Any]}, total=False)


class OtherField(TypedDict):
    """The value of another field of the same row."""

    field: str


class Operators(_In, Generic[T], total=False):
    """Operators that must all hold."""

    eq: T | OtherField | None
    ne: T | OtherField | None
    lt: T | OtherField
    lte: T | OtherField
    gt: T | OtherField
    gte: T | OtherField
    not_in: Sequence[T | None]


class JsonOperators(_In, total=False):
    """Operators that must all hold; JSON values have no order."""

    eq: Any
    ne: Any
    not_in: Sequence[Any]


FieldFilter: TypeAlias = T | Sequence[T | None] | Operators[T] | None
"""A value to equal, None to be null, a list to be in, or operators."""

JsonFilter: TypeAlias = JsonOperators | None
"""A whole JSON value, compared as it is stored."""

ListFilter: TypeAlias = Sequence[Any] | None
"""A whole list, compared as it is stored."""

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | tuple[Json, ...] | Mapping[str, Json] | None"
else:
    Json = Any  # checked and frozen on its way in; to Pydantic it is what it is
"""A JSON value as a row holds it: deeply immutable."""

JsonInput: TypeAlias = Any
"""What may be given for a JSON value; checked when it is."""

FieldDocuments: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Fields as YAML says them: the name, then the keys of the language."""

CheckDocuments: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Checks as YAML says them: a name and a filter that every row must pass."""

IndexDocuments: TypeAlias = Sequence[Mapping[str, Any]]
"""Indexes as YAML says them."""
