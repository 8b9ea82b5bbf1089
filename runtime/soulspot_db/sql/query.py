"""From predicates to SQL: all statements of one entity, and here those that change and delete rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Statement
from soulspot_db.language.predicates import Increment, Merged, OtherField
from soulspot_db.sql.clauses import Binder, Where
from soulspot_db.sql.inserts import Inserts
from soulspot_db.sql.locks import Locks
from soulspot_db.sql.merging import bound_values, form, merged
from soulspot_db.sql.placing import Placing, place, place_values
from soulspot_db.sql.selects import Selects
from soulspot_db.sql.statements import ZERO
from soulspot_db.sql.touching import with_touched

__all__ = ["Queries"]


class Queries(Selects, Inserts, Locks):
    """The statements of one entity. Only rows that are `visible` are changed, but by `replace`, `place` and `erase`."""

    def update(self, where: Where | None, changes: Mapping[str, Any], *, whole: bool) -> Statement:
        """Change every matching row and return those rows, `whole` or their keys alone."""
        where = self._seen(where)
        names = tuple(changes)
        returned = tuple(self._columns) if whole else self._key

        def build() -> sa.Update:
            bind = Binder()
            query = (
                sa.update(self._table)
                .values(self._assigned(changes, bind))
                .returning(*(self._columns[name] for name in returned))
            )
            return query if where is None else query.where(self.clauses.clause(where, bind))

        now = utc_now()
        values = self._assigned_values(changes, now)
        forms = tuple(map(form, changes.values()))
        shape = ("update", names, forms, where and where.shape, whole)
        return self._statement(shape, build, [*values, *self.clauses.values(where, now)])

    def replace(self, name: str, key: Sequence[Any], stored: Any, by: Any) -> Statement:
        """Put one stored value of a field in the place of another; finds nothing where others have changed it meanwhile.

        `key` is as it is stored, and `stored` and `by` are.
        """

        def build() -> sa.Update:
            bind, column = Binder(), self._columns[name]
            query = sa.update(self._table).values({column.name: bind()})
            query = query.where(*(self._columns[part] == bind() for part in self._key), column == bind())
            return query.returning(*(self._columns[part] for part in self._key))

        return self._statement(("replace", name), build, [by, *key, stored])

    def _assigned(self, changes: Mapping[str, Any], bind: Binder) -> dict[str, Any]:
        return {self._columns[name].name: self._changed(name, value, bind) for name, value in changes.items()}

    def _assigned_values(self, changes: Mapping[str, Any], now: datetime) -> list[Any]:
        return [self._encode(name, given) for name, value in changes.items() for given in bound_values(value, now)]

    def _changed(self, name: str, value: Any, bind: Binder) -> Any:
        column = self._columns[name]
        match value:
            case OtherField():
                return self._columns[value.name]
            case Increment():
                return sa.func.coalesce(column, ZERO) + bind()
            case Merged():
                return merged(column, value.rule, bind)
            case _:
                return bind()

    def place(self, placing: Placing) -> Statement:
        """Give many rows a position each, and return their keys."""
        now = utc_now()
        changes = with_touched(self._spec, {}, now)

        def build() -> sa.Update:
            query = place(self._table, self._columns, placing, partial(self._assigned, changes), self._dialect)
            return query.returning(*(self._columns[name] for name in self._key))

        given = self._assigned_values(changes, now)
        shape = ("place", placing.local, placing.remote, placing.position)
        return self._statement(shape, build, [*place_values(placing, self._encode, self._dialect), *given])

    def delete(self, where: Where | None) -> Statement:
        """Delete every matching row and return its key."""
        return self.erase(self._seen(where))

    def erase(self, where: Where | None) -> Statement:
        """Delete every matching row, visible or not, and return its key."""

        def build() -> sa.sql.ClauseElement:
            query = sa.delete(self._table).returning(*(self._columns[name] for name in self._key))
            return query if where is None else query.where(self.clauses.clause(where, Binder()))

        return self._statement(("delete", where and where.shape), build, self._values(where))
