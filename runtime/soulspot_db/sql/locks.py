"""Statements that have others wait until the end of the transaction."""

from typing import Any

import sqlalchemy as sa

from soulspot_db.engine.base import Statement
from soulspot_db.sql.clauses import Binder, Where, narrowed
from soulspot_db.sql.statements import Statements

__all__ = ["Locks"]


class Locks(Statements):
    """The statements that lock."""

    def lock(self, what: str) -> Statement | None:
        """Have others who do the same, called `what`, wait until the end of the transaction; None where one writes at a time anyway."""
        if not self._dialect.has_arrays:
            return None
        name = f"soulspot_db {what} {self._table.name}"
        # Finds nothing, because what it does is no row of the entity; not by `WHERE false`, for which nothing is executed.
        return Statement("SELECT 1 WHERE pg_advisory_xact_lock(hashtextextended($1, 0)) IS NULL", (name,))

    def lock_rows(self, where: Where | None) -> Statement | None:
        """Keep rows as they are, and nobody referring to them anew, until the end of the transaction; None as for `lock`."""
        if not self._dialect.has_arrays:
            return None
        where = self._seen(where)

        def build() -> sa.Select[Any]:
            columns = [self._columns[name] for name in self._key]
            rows = sa.select(*columns).order_by(*columns)
            rows = rows if where is None else rows.where(self.clauses.clause(where, Binder()))
            # In one order, so that no two wait for each other; counted, so that they need not be sent.
            locked = rows.with_for_update(of=self._table).subquery("locked")
            return sa.select(sa.func.count()).select_from(locked)

        return self._statement(("lock rows", where and where.shape), build, self._values(where))

    def hold(self, where: Where) -> Statement:
        """Have others who hold the same row wait until the end of the transaction, and find it again.

        On PostgreSQL by an update that changes nothing: in a block that has seen an older moment it fails where another has held
        the row since then, as a lock would not.
        """
        where = narrowed(where, self.visible)
        columns = [self._columns[name] for name in self._key]

        def build() -> sa.sql.ClauseElement:
            condition = self.clauses.clause(where, Binder())
            if not self._dialect.has_arrays:
                return sa.select(*columns).where(condition)
            same = {column.name: column for column in columns}
            return sa.update(self._table).values(same).where(condition).returning(*columns)

        return self._statement(("hold", where.shape), build, self._values(where))
