"""The filter language for type checkers: what a field of each type may be compared with."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, TypeVar

__all__ = [
    "CheckDocuments",
    "DatetimeFilter",
    "FieldDocuments",
    "FieldFilter",
    "IndexDocuments",
    "Json",
    "JsonFilter",
    "JsonInput",
    "ListFilter",
    "Moment",
    "NullFilter",
    "NullOperators",
    "Operators",
    "OtherField",
    "PartOperators",
    "QueryDocuments",
    "RelatedFilter",
    "RelationDocuments",
    "SqlAnalyses",
    "TextFilter",
    "TextOperators",
]

T = TypeVar("T")

# `in` and `is` are keywords, so only a call can name them, and a TypedDict made by a call cannot be generic. A plain list,
# which means the same as `in`, is checked item by item.
_Keywords = TypedDict("_Keywords", {"in": Sequence[Any], "is": Any}, total=False)


class OtherField(TypedDict):
    """The value of another field of the same row."""

    field: str


class Moment(TypedDict):
    """A moment counted from now: `{"now": "-10m"}`."""

    now: str


class Operators(_Keywords, Generic[T], total=False):
    """Operators that must all hold."""

    eq: T | OtherField | None
    ne: T | OtherField | None
    is_not: T | OtherField | None
    lt: T | OtherField
    lte: T | OtherField
    gt: T | OtherField
    gte: T | OtherField
    between: Sequence[T]
    not_in: Sequence[T | None]


class TextOperators(Operators[T], Generic[T], total=False):
    """Operators of text, too; those with an `i` take ASCII letters of either case for the same. A list means any of it."""

    like: str | Sequence[str]
    not_like: str | Sequence[str]
    ilike: str | Sequence[str]
    not_ilike: str | Sequence[str]
    ieq: str | Sequence[str]
    starts_with: str | Sequence[str]
    istarts_with: str | Sequence[str]
    ends_with: str | Sequence[str]
    iends_with: str | Sequence[str]
    contains: str | Sequence[str]
    icontains: str | Sequence[str]


class NullOperators(TypedDict, total=False):
    """Operators of an encrypted value, of which only this can be told."""

    eq: None
    ne: None
    is_not: None


VirtualOperators = TypedDict(
    "VirtualOperators",
    {
        "eq": str | None,
        "ne": str | None,
        "is": str | None,
        "is_not": str | None,
        "in": Sequence[str | None],
        "not_in": Sequence[str | None],
        "starts_with": str | Sequence[str],
    },
    total=False,
)
"""Operators of virtual fields: those that mean the same with the prefix as without it."""


class PartOperators(_Keywords, total=False):
    """Operators of lists and JSON values, which have no order but can be looked into."""

    eq: Any
    ne: Any
    is_not: Any
    not_in: Sequence[Any]
    contains: Any


FieldFilter: TypeAlias = T | Sequence[T | None] | Operators[T] | None
"""A value to equal, None to be null, a list to be in, or operators."""

TextFilter: TypeAlias = T | Sequence[T | None] | TextOperators[T] | None
"""The same for text."""

VirtualFilter: TypeAlias = str | Sequence[str | None] | VirtualOperators | None
"""The same for a virtual field."""

DatetimeFilter: TypeAlias = dt.datetime | Sequence[dt.datetime | None] | Operators[dt.datetime | Moment] | None
"""The same for moments."""


NullFilter: TypeAlias = NullOperators | None
"""To be null, or not."""


class RelatedFilter(TypedDict, Generic[T], total=False):
    """Conditions on the related rows: of some of them, of none, or of every one."""

    some: T
    none: T
    every: T


JsonFilter: TypeAlias = PartOperators | None
"""A whole JSON value, compared as it is stored, or what it contains."""

ListFilter: TypeAlias = Sequence[Any] | PartOperators | None
"""A whole list, compared as it is stored, or what it contains."""

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

QueryDocuments: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Named queries as YAML says them."""

RelationDocuments: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Relations: a name, the entity, our field `local` and its field `remote`, `many`, and the entity that it goes `through`."""

SqlAnalyses: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What the generator found out of queries in SQL: the tables that each `reads`, the fields it `sets`, the `origins` of values."""
