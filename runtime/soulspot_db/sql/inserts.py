"""Statements that insert rows: one, one unless it is there, many whose keys are given, many whose keys are not known."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Bulk, Statement
from soulspot_db.sql.clauses import Binder, Where, narrowed
from soulspot_db.sql.sequences import moved_to
from soulspot_db.sql.statements import ONE, ZERO, Statements

__all__ = ["Inserts"]

_PLACE = "Place"  # as no field is called


class Inserts(Statements):
    """The statements that insert."""

    @cached_property
    def _sequence(self) -> str | None:
        """The field whose values a sequence gives, which does not know what else is stored."""
        return next((f.name for f in self._spec.key_fields if f.assigned and self._dialect.has_sequences), None)

    @property
    def has_insert_many(self) -> bool:
        """Whether one statement inserts rows whose keys are not known."""
        return self._dialect.has_arrays

    def insert(self, names: tuple[str, ...], row: tuple[Any, ...]) -> Statement:
        """Insert one row that is encoded, with these fields, and return it whole."""

        def build() -> sa.Insert:
            given = self._given(names, Binder())
            return sa.insert(self._table).values(given).returning(*self._columns.values())

        return self._statement(("insert", names), build, row)

    def insert_unless(self, where: Where, names: tuple[str, ...], row: tuple[Any, ...], *, quietly: bool) -> Statement:
        """Insert one row that is encoded, with these fields, and return it whole, unless `where` finds one.

        `quietly` does nothing either where a unique value exists, also one that others have inserted meanwhile.
        """
        found = narrowed(where, self.visible)

        def build() -> sa.sql.ClauseElement:
            bind = Binder()
            # In a SELECT, PostgreSQL has nothing to tell the types of parameters by.
            given = self._given(names, bind, typed=self._dialect.has_arrays)
            missing = ~sa.select(ONE).select_from(self._table).where(self.clauses.clause(found, bind)).exists()
            insert = self._dialect.insert(self._table)
            insert = insert.from_select([*given], sa.select(*given.values()).where(missing))
            insert = insert.on_conflict_do_nothing() if quietly else insert
            return insert.returning(*self._columns.values())  # type: ignore[no-any-return]

        shape = ("insert unless", names, found.shape, quietly)
        return self._statement(shape, build, [*row, *self.clauses.values(found, utc_now())])

    def insert_many(self, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> Statement:
        """Insert rows that are encoded, with these fields, and return them whole in their order; for databases with arrays."""

        def build() -> sa.Insert:
            bind = Binder()
            columns = [self._columns[name] for name in names]
            arrays = [sa.cast(bind(), ARRAY(column.type)) for column in columns]
            given = sa.func.unnest(*arrays).table_valued(*names, with_ordinality=_PLACE).render_derived(name="given")
            # Sorted, because who sorts before he inserts has keys assigned, and rows returned, in that order.
            chosen = sa.select(*(given.c[name] for name in names)).order_by(given.c[_PLACE])
            inserted = sa.insert(self._table).from_select([column.name for column in columns], chosen)
            return inserted.returning(*self._columns.values())

        return self._statement(("insert many", names), build, list(map(list, zip(*rows, strict=True))))

    def insert_all(self, rows: Sequence[tuple[Any, ...]]) -> list[Statement]:
        """Insert rows that are encoded, in the schema's order; what is stored is what is bound, so nothing is returned."""
        columns = [column.name for column in self._columns.values()]

        def build() -> sa.Insert:
            bind = Binder()
            return sa.insert(self._table).values({column: bind() for column in columns})

        statement = self._statement("insert all", build, [None] * len(columns))
        insert = Statement(statement.sql, bulk=Bulk(self._table.name, columns, rows))
        if self._sequence is None:
            return [insert]
        column = self._columns[self._sequence]

        def move() -> sa.Select[Any]:
            # Finds nothing, because what it does is no row of the entity.
            return sa.select(ONE).where(moved_to(Binder()(), column, self._dialect) < ZERO)

        position = list(self._columns).index(self._sequence)
        return [self._statement("move", move, [max(row[position] for row in rows)]), insert]

    def _given(self, names: Sequence[str], bind: Binder, *, typed: bool = False) -> dict[str, Any]:
        """The values of a new row, by column; a key that is given moves the sequence, which would give it to another."""
        given: dict[str, Any] = {}
        for name in names:
            column = self._columns[name]
            value = sa.cast(bind(), column.type) if typed else bind()
            moved = sa.func.coalesce(moved_to(value, column, self._dialect), value) if name == self._sequence else value
            given[column.name] = moved
        return given
