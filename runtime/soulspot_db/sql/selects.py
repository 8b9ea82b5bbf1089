"""Statements that read rows, or values of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import sqlalchemy as sa

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Statement
from soulspot_db.language.order import Term
from soulspot_db.language.outputs import Output
from soulspot_db.language.predicates import Compare, Predicate, all_of
from soulspot_db.language.queries import QuerySpec
from soulspot_db.sql.clauses import Binder, Clauses, Where, narrowed
from soulspot_db.sql.secrecy import has_secrets
from soulspot_db.sql.selection import selected
from soulspot_db.sql.statements import ONE, ZERO, Statements

__all__ = ["Link", "Selects"]

_PARENT, _RANK = "Parent", "Rank"
# Left to itself, SQLite's dialect adds the half of LIMIT and OFFSET that is missing as a parameter we have no value for.
_ALL = sa.literal_column(str(2**63 - 1), sa.Integer())


@dataclass(frozen=True, slots=True)
class Link:
    """How rows are linked to those of another entity: their `field` names the other's row.

    `through` an entity in between it is that one's field; the one called `remote` there names our row, by our field `own`, and
    `position` says in which order.
    """

    name: tuple[str, str]
    field: str
    through: "Selects | None" = None
    remote: str = ""
    own: str = ""
    position: str | None = None

    @property
    def visible(self) -> Predicate | None:
        """The condition for rows in between."""
        return None if self.through is None else self.through.visible


class Selects(Statements):
    """The statements that read. Only rows that are `visible` are found, but for those that `find`, `find_many` and `keys` find."""

    def select(
        self,
        where: Where | None,
        *,
        order_by: Sequence[Term] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> Statement:
        """Whole rows. A limit or an offset without an order means by key."""
        where = self._seen(where)
        order = tuple(order_by)
        if not order and (limit is not None or offset):
            order = tuple(Term(name, descending=False) for name in self._key)
        values = [*self._values(where), *([] if limit is None else [limit]), *([offset] if offset else [])]

        def build() -> sa.Select[Any]:
            bind = Binder()
            query: sa.Select[Any] = sa.select(*self._columns.values())
            query = query.where(self.clauses.clause(where, bind)) if where is not None else query
            query = query.order_by(*map(self.clauses.order, order))
            if limit is None and not offset:
                return query
            return query.limit(_ALL if limit is None else bind()).offset(bind() if offset else ZERO)

        return self._statement(("select", where and where.shape, order, limit is None, bool(offset)), build, values)

    def find(self, key: Sequence[Any]) -> Statement:
        """The whole row with this primary key."""
        return Statement(self._find, tuple(map(self._encode, self._key, key)), None, self._is_shown)

    @cached_property
    def _is_shown(self) -> bool:
        return not has_secrets(self._table.name)

    @cached_property
    def _find(self) -> str:
        bind = Binder()
        query = sa.select(*self._columns.values()).where(*(self._columns[name] == bind() for name in self._key))
        return self._compile(query)[0]

    def find_many(self, name: str, keys: Sequence[Any]) -> Statement:
        """The whole rows with these keys, which are of one field."""
        where = Compare(name, "in", tuple(keys))

        def build() -> sa.Select[Any]:
            return sa.select(*self._columns.values()).where(self.clauses.clause(where, Binder()))

        return self._statement(("find", where.shape), build, self._values(where))

    def keys(self, where: Where | None, limit: int) -> Statement:
        """The keys of the first rows, by key, visible or not."""

        def build() -> sa.Select[Any]:
            bind = Binder()
            columns = [self._columns[name] for name in self._key]
            query = sa.select(*columns).order_by(*columns)
            query = query.where(self.clauses.clause(where, bind)) if where is not None else query
            return query.limit(bind()).offset(ZERO)

        return self._statement(("keys", where and where.shape), build, [*self._values(where), limit])

    def count(self, where: Where | None) -> Statement:
        """How many rows there are."""
        where = self._seen(where)

        def build() -> sa.Select[Any]:
            query: sa.Select[Any] = sa.select(sa.func.count()).select_from(self._table)
            return query if where is None else query.where(self.clauses.clause(where, Binder()))

        return self._statement(("count", where and where.shape), build, self._values(where))

    def exists(self, where: Where | None) -> Statement:
        """One row if there is any, none otherwise."""
        where = self._seen(where)

        def build() -> sa.Select[Any]:
            query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(self._table).limit(ONE).offset(ZERO)
            return query if where is None else query.where(self.clauses.clause(where, Binder()))

        return self._statement(("exists", where and where.shape), build, self._values(where))

    def selected(
        self, query: QuerySpec, outputs: Sequence[Output], where: Predicate | None, limit: int | None
    ) -> Statement:
        """The values that a named query selects."""
        where, now, conditions = all_of(where, self.visible), utc_now(), [output.where for output in outputs]

        def build() -> sa.Select[Any]:
            bind = Binder()
            found = selected(query, outputs, self._columns, self.clauses, bind)
            found = found if where is None else found.where(self.clauses.clause(where, bind))
            return found if limit is None else found.limit(bind()).offset(ZERO)

        values = [value for condition in (*conditions, where) for value in self.clauses.values(condition, now)]
        shapes = tuple(condition and condition.shape for condition in (*conditions, where))
        shape = ("selected", query.name, shapes, limit is None)
        return self._statement(shape, build, values if limit is None else [*values, limit])

    def children(
        self, link: "Link", keys: Sequence[Any], where: Where | None, order: Sequence[Term], limit: int | None
    ) -> Statement:
        """Whole rows that are linked to `keys`, each with the one that it is linked to behind; at most `limit` for each."""
        where, linked = self._seen(where), narrowed(Compare(link.field, "in", tuple(keys)), link.visible)
        by_position = link.position if not order else None
        order = tuple(order) or tuple(Term(name, descending=False) for name in self._key)

        def build() -> sa.Select[Any]:
            bind = Binder()
            source, linking = (self._table, self.clauses) if link.through is None else self._joined(link)
            parent = linking.columns[link.field].label(_PARENT)
            found = sa.select(*self._columns.values(), parent).select_from(source)
            found = found.where(linking.clause(linked, bind))
            found = found if where is None else found.where(self.clauses.clause(where, bind))
            places = [] if by_position is None else [linking.columns[by_position]]
            terms = [*places, *(self.clauses.order(term) for term in order)]
            if limit is None:
                return found.order_by(*terms)
            rank = sa.func.row_number().over(partition_by=parent.element, order_by=terms).label(_RANK)
            ranked = found.add_columns(rank).subquery("ranked")
            chosen: list[Any] = [column for column in ranked.c if column.key != _RANK]
            limited = sa.select(*chosen).where(ranked.c[_RANK] <= bind()).order_by(ranked.c[_RANK])
            return cast("sa.Select[Any]", limited)

        now, linking = utc_now(), self.clauses if link.through is None else link.through.clauses
        values = [*linking.values(linked, now), *self.clauses.values(where, now), *([] if limit is None else [limit])]
        shape = ("children", link.name, linked.shape, where and where.shape, order, by_position, limit is None)
        return self._statement(shape, build, values)

    def _joined(self, link: "Link") -> tuple[sa.FromClause, Clauses]:
        between = cast("Selects", link.through).clauses.aliased()
        on = between.columns[link.remote] == self._columns[link.own]
        return between.table.join(self._table, on), between
