"""Compiled statements of one entity: SQLAlchemy compiles each shape once, then only values change."""

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.visitors import iterate

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Statement
from soulspot_db.language.predicates import Predicate
from soulspot_db.language.spec import EntitySpec
from soulspot_db.sql.clauses import Clauses, Encode, Where, narrowed
from soulspot_db.sql.dialects import Dialect
from soulspot_db.sql.secrecy import has_secrets

__all__ = ["ONE", "ZERO", "Statements"]

_MAX_SHAPES = 1024
ZERO, ONE = (sa.literal_column(text, sa.Integer()) for text in ("0", "1"))
Build: TypeAlias = Callable[[], sa.sql.ClauseElement]


class Statements:
    """What compiles the statements of one entity. Text is kept by shape, so no value ever becomes part of it."""

    def __init__(
        self,
        spec: EntitySpec,
        table: sa.Table,
        encode: Encode,
        dialect: Dialect,
        *,
        find: Callable[[str], Self],
        visible: Predicate | None,
    ) -> None:
        self.visible = visible
        self._dialect = dialect
        self._spec = spec
        self._encode = encode
        self._columns = {name: table.c[field.column] for name, field in spec.fields.items()}
        self._key = spec.key
        self._table = table
        self.clauses = Clauses(
            table, self._columns, key=spec.key, encode=encode, dialect=dialect, find=lambda other: find(other).clauses
        )
        self._compiled: dict[Any, tuple[str, tuple[int, ...], bool]] = {}

    @property
    def shapes(self) -> int:
        """How many compiled statements are held."""
        return len(self._compiled)

    def _seen(self, where: Where | None) -> Where | None:
        """What is visible of the rows that `where` finds."""
        return narrowed(where, self.visible)

    def _statement(self, shape: Any, build: Build, values: Sequence[Any]) -> Statement:
        compiled = self._compiled.get(shape)
        if compiled is None:
            if len(self._compiled) >= _MAX_SHAPES:
                del self._compiled[next(iter(self._compiled))]  # the oldest: keeping count of use costs every call
            compiled = self._compiled[shape] = self._compile(build())
        sql, order, shown = compiled
        return Statement(sql, tuple([values[position] for position in order]), None, shown)

    def _compile(self, query: sa.sql.ClauseElement) -> tuple[str, tuple[int, ...], bool]:
        compiled: Any = query.compile(dialect=self._dialect.compiler)
        shown = not any(isinstance(part, sa.Table) and has_secrets(part.name) for part in iterate(query))
        # In one line, as logs and statistics show it; there is no literal in it that could be changed by that.
        return " ".join(str(compiled).split()), tuple(int(name[1:]) for name in compiled.positiontup or ()), shown

    def _values(self, where: Where | None) -> list[Any]:
        return list(self.clauses.values(where, utc_now()))
