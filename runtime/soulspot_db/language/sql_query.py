"""A query in SQL with everything decided: its statements, and what a database told the generator of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from soulspot_db.language.conditions import Dialect
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.outputs import Output
from soulspot_db.language.sql_statement import SqlStatement, SqlVerb

__all__ = ["Analyse", "SqlAnalysis", "SqlQuery", "Statements"]

Statements: TypeAlias = Mapping[Dialect, SqlStatement]
"""The same for each database."""

# What of a field decides how its values are read.
_SHAPE = ("type", "precision", "scale", "values", "items", "encrypted")


@dataclass(frozen=True)
class SqlAnalysis:
    """What a database knows of a statement: the tables it reads, the fields it sets, where the values it selects come from."""

    reads: tuple[str, ...]
    sets: tuple[str, ...] = ()
    origins: tuple[Output, ...] = ()

    def as_given(self) -> dict[str, Any]:
        """What generated code holds of it."""
        origins = {output.name: _as_given(output) for output in self.origins}
        found = {"reads": self.reads, "sets": self.sets, "origins": origins}
        return {name: value for name, value in found.items() if value}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "SqlAnalysis":
        """The analysis that generated code holds.

        Raises:
            TypeError: it holds something else.
        """
        origins = tuple(_origin(name, field) for name, field in given.get("origins", {}).items())
        return cls(tuple(given.get("reads", ())), tuple(given.get("sets", ())), origins)


@dataclass(frozen=True)
class SqlQuery:
    """The statements of a query and what they do; an answer is not kept if it is `timed`, and may be another one next time."""

    statements: Statements
    analysis: SqlAnalysis
    is_timed: bool

    @property
    def verb(self) -> SqlVerb:
        """What it does, on both databases."""
        return self.statements["sqlite"].verb


Analyse: TypeAlias = Callable[[str, Statements], SqlAnalysis]
"""Says what a database knows of the statements of a query, by the query's name; raises SqlError where they are mistaken."""


def _as_given(output: Output) -> dict[str, Any]:
    shape = {key: getattr(output.value, key) for key in _SHAPE}
    found = {key: value for key, value in shape.items() if value not in (None, ()) and value is not False}
    return found | ({"nullable": True} if output.nullable else {})


def _origin(name: str, given: Mapping[str, Any]) -> Output:
    shape = {key: value for key, value in given.items() if key != "nullable"}
    return Output(name, FieldSpec(name=name, column=name, **shape), nullable=given.get("nullable", False))
