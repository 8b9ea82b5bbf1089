"""Tables as plain data that can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["SERIAL", "Column", "ForeignKey", "Index", "Structure", "TableStructure"]

SERIAL = "the next number of its own sequence"
"""The default of a key on PostgreSQL that the server counts."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `key` is its place in the primary key, from 1, or 0; `default` is SQL."""

    type: str
    nullable: bool
    default: str | None
    key: int
    collation: str
    generated: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Where columns point, and what happens here when that row goes. `name` is the constraint's, where it has one."""

    table: str
    targets: tuple[str, ...]
    on_delete: str
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Index:
    """An index: its parts with direction and expressions, and the condition of a partial one."""

    unique: bool
    parts: str
    where: str


@dataclass(frozen=True, slots=True)
class TableStructure:
    """A table; foreign keys by their columns, joined by commas."""

    columns: Mapping[str, Column]
    checks: Mapping[str, str]
    foreign_keys: Mapping[str, ForeignKey]
    indexes: Mapping[str, Index]
    strict: bool


Structure: TypeAlias = Mapping[str, TableStructure]
"""Tables by name."""
