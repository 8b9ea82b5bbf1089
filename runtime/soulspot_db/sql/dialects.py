"""What differs between the databases before a statement reaches one: placeholders, lists of values, stored forms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["DIALECTS", "Dialect"]


@dataclass(frozen=True)
class Dialect:
    """One database.

    `compiler` makes SQL text as the driver takes it, `insert` a statement that can pass over rows that exist. Where `has_arrays`, a list of values is one parameter, and one shape
    serves every length. Where `has_sequences`, these and not the rows say which key the database gives next.
    """

    name: Literal["sqlite", "postgresql"]
    compiler: Any
    insert: Callable[[Any], Any]
    has_arrays: bool
    has_sequences: bool


DIALECTS: Mapping[str, Dialect] = {
    "sqlite": Dialect(
        "sqlite", sqlite.dialect(paramstyle="qmark"), sqlite.insert, has_arrays=False, has_sequences=False
    ),
    "postgresql": Dialect(
        "postgresql",
        postgresql.dialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
        postgresql.insert,
        has_arrays=True,
        has_sequences=True,
    ),
}
