"""Tags: what an answer can depend on, and a write can touch. A row, the bulk writes of a table, everything in a table."""

from collections.abc import Collection
from typing import Any, TypeAlias
from uuid import UUID

__all__ = ["Tag", "bulk", "is_row", "may_share_rows", "row", "table"]

Tag: TypeAlias = tuple[Any, ...]


def row(table_name: str, key: tuple[Any, ...]) -> Tag:
    """The tag of one row."""
    # A UUID is hashed and compared by Python code; in one table its number is as good.
    return (table_name, "row", *[part.int if type(part) is UUID else part for part in key])


def is_row(tag: Tag) -> bool:
    """Whether a tag is that of one row."""
    return len(tag) > 1 and tag[1] == "row"


def bulk(table_name: str) -> Tag:
    """The tag of writes that touch rows whose keys are not known beforehand."""
    return (table_name, "*")


def table(table_name: str) -> Tag:
    """The tag of everything in a table; queries depend on it."""
    return (table_name,)


def may_share_rows(one: Collection[Tag], other: Collection[Tag]) -> bool:
    """Whether two writes may have touched the same row: both name it, or one of them may have touched any of its table."""
    return any(is_row(tag) or bulk(tag[0]) in one or bulk(tag[0]) in other for tag in set(one).intersection(other))
