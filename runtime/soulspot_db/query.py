"""From predicates to SQL: SQLAlchemy compiles each shape once, then only values change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from soulspot_db.clauses import Binder, Clauses, Encode, Where, narrowed
from soulspot_db.defaults import utc_now
from soulspot_db.dialects import Dialect
from soulspot_db.engine.base import Bulk, Statement
from soulspot_db.language.order import Term
from soulspot_db.language.outputs import Output
from soulspot_db.language.predicates import Compare, Increment, Merged, OtherField, Predicate, all_of
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.spec import EntitySpec
from soulspot_db.merging import bound_values, form, merged
from soulspot_db.placing import Placing, place, place_values
from soulspot_db.selection import selected
from soulspot_db.sequences import moved_to
from soulspot_db.touching import with_touched

__all__ = ["Link", "Queries"]

_MAX_SHAPES = 1024
_PARENT, _RANK = "Parent", "Rank"
_PLACE = "Place"  # as no field is called
# Left to itself, SQLite's dialect adds the half of LIMIT and OFFSET that is missing as a parameter we have no value for.
_ZERO, _ONE, _ALL = (sa.literal_column(text, sa.Integer()) for text in ("0", "1", str(2**63 - 1)))

Build: TypeAlias = Callable[[], sa.sql.ClauseElement]


@dataclass(frozen=True, slots=True)
class Link:
    """How rows are linked to those of another entity: their `field` names the other's row.

    `through` an entity in between it is that one's field; the one called `remote` there names our row, by our field `own`, and
    `position` says in which order.
    """

    name: tuple[str, str]
    field: str
    through: "Queries | None" = None
    remote: str = ""
    own: str = ""
    position: str | None = None

    @property
    def visible(self) -> Predicate | None:
        """The condition for rows in between."""
        return None if self.through is None else self.through.visible


class Queries:
    """The statements of one entity. Compiled text is kept by shape, so no value ever becomes part of it.

    Only rows that are `visible` are found and changed, but for those that `find` and `find_many` find.
    """

    def __init__(
        self,
        spec: EntitySpec,
        table: sa.Table,
        encode: Encode,
        dialect: Dialect,
        *,
        find: "Callable[[str], Queries]",
        visible: Predicate | None,
    ) -> None:
        self.visible = visible
        self._dialect = dialect
        self._spec = spec
        self._encode = encode
        self._columns = {name: table.c[field.column] for name, field in spec.fields.items()}
        self._key = spec.key
        self._table = table
        # The field whose values a sequence gives, which does not know what else is stored.
        self._sequence = next((f.name for f in spec.key_fields if f.assigned and dialect.has_sequences), None)
        self.clauses = Clauses(
            table, self._columns, key=spec.key, encode=encode, dialect=dialect, find=lambda other: find(other).clauses
        )
        self._compiled: dict[Any, tuple[str, tuple[int, ...]]] = {}

    @property
    def shapes(self) -> int:
        """How many compiled statements are held."""
        return len(self._compiled)

    @property
    def has_insert_many(self) -> bool:
        """Whether one statement inserts rows whose keys are not known."""
        return self._dialect.has_arrays

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
            return query.limit(_ALL if limit is None else bind()).offset(bind() if offset else _ZERO)

        return self._statement(("select", where and where.shape, order, limit is None, bool(offset)), build, values)

    def find(self, key: Sequence[Any]) -> Statement:
        """The whole row with this primary key."""
        return Statement(self._find, tuple(map(self._encode, self._key, key)))

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
            return query.limit(bind()).offset(_ZERO)

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
            query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(self._table).limit(_ONE).offset(_ZERO)
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
            return found if limit is None else found.limit(bind()).offset(_ZERO)

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
        between = cast("Queries", link.through).clauses.aliased()
        on = between.columns[link.remote] == self._columns[link.own]
        return between.table.join(self._table, on), between

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
            missing = ~sa.select(_ONE).select_from(self._table).where(self.clauses.clause(found, bind)).exists()
            insert = self._dialect.insert(self._table)
            insert = insert.from_select([*given], sa.select(*given.values()).where(missing))
            insert = insert.on_conflict_do_nothing() if quietly else insert
            return insert.returning(*self._columns.values())  # type: ignore[no-any-return]

        shape = ("insert unless", names, found.shape, quietly)
        return self._statement(shape, build, [*row, *self.clauses.values(found, utc_now())])

    def _given(self, names: Sequence[str], bind: Binder, *, typed: bool = False) -> dict[str, Any]:
        """The values of a new row, by column; a key that is given moves the sequence, which would give it to another."""
        given: dict[str, Any] = {}
        for name in names:
            column = self._columns[name]
            value = sa.cast(bind(), column.type) if typed else bind()
            moved = sa.func.coalesce(moved_to(value, column, self._dialect), value) if name == self._sequence else value
            given[column.name] = moved
        return given

    def lock_rows(self, where: Where | None) -> Statement | None:
        """Keep rows as they are, and nobody referring to them anew, until the end of the transaction; None as for `lock`."""
        if not self._dialect.has_arrays:
            return None

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

    def place(self, placing: Placing) -> Statement:
        """Give many rows a position each, and return their keys."""
        now = utc_now()
        changes = with_touched(self._spec, {}, now)

        def changed(bind: Binder) -> dict[str, Any]:
            return {self._columns[name].name: self._changed(name, value, bind) for name, value in changes.items()}

        def build() -> sa.Update:
            query = place(self._table, self._columns, placing, changed, self._dialect)
            return query.returning(*(self._columns[name] for name in self._key))

        given = [self._encode(name, each) for name, value in changes.items() for each in bound_values(value, now)]
        shape = ("place", placing.local, placing.remote, placing.position)
        return self._statement(shape, build, [*place_values(placing, self._encode, self._dialect), *given])

    def lock(self, what: str) -> Statement | None:
        """Have others who do the same, called `what`, wait until the end of the transaction; None where one writes at a time anyway."""
        if not self._dialect.has_arrays:
            return None
        name = f"soulspot_db {what} {self._table.name}"
        # Finds nothing, because what it does is no row of the entity; not by `WHERE false`, for which nothing is executed.
        return Statement("SELECT 1 WHERE pg_advisory_xact_lock(hashtextextended($1, 0)) IS NULL", (name,))

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
            return sa.select(_ONE).where(moved_to(Binder()(), column, self._dialect) < _ZERO)

        position = list(self._columns).index(self._sequence)
        return [self._statement("move", move, [max(row[position] for row in rows)]), insert]

    def update(self, where: Where | None, changes: Mapping[str, Any], *, whole: bool) -> Statement:
        """Change every matching row and return those rows, `whole` or their keys alone."""
        where = self._seen(where)
        names = tuple(changes)
        returned = tuple(self._columns) if whole else self._key

        def build() -> sa.Update:
            bind = Binder()
            given = {self._columns[name].name: self._changed(name, value, bind) for name, value in changes.items()}
            query = sa.update(self._table).values(given).returning(*(self._columns[name] for name in returned))
            return query if where is None else query.where(self.clauses.clause(where, bind))

        now = utc_now()
        values = [self._encode(name, given) for name, value in changes.items() for given in bound_values(value, now)]
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

    def _changed(self, name: str, value: Any, bind: Binder) -> Any:
        column = self._columns[name]
        match value:
            case OtherField():
                return self._columns[value.name]
            case Increment():
                return sa.func.coalesce(column, _ZERO) + bind()
            case Merged():
                return merged(column, value.rule, bind)
            case _:
                return bind()

    def delete(self, where: Where | None) -> Statement:
        """Delete every matching row and return its key."""
        return self.erase(self._seen(where))

    def erase(self, where: Where | None) -> Statement:
        """Delete every matching row, visible or not, and return its key."""

        def build() -> sa.sql.ClauseElement:
            query = sa.delete(self._table).returning(*(self._columns[name] for name in self._key))
            return query if where is None else query.where(self.clauses.clause(where, Binder()))

        return self._statement(("delete", where and where.shape), build, self._values(where))

    def _seen(self, where: Where | None) -> Where | None:
        """What is visible of the rows that `where` finds."""
        return self.visible if where is None else narrowed(where, self.visible)

    def _statement(self, shape: Any, build: Build, values: Sequence[Any]) -> Statement:
        compiled = self._compiled.get(shape)
        if compiled is None:
            if len(self._compiled) >= _MAX_SHAPES:
                del self._compiled[next(iter(self._compiled))]  # the oldest: keeping count of use costs every call
            compiled = self._compiled[shape] = self._compile(build())
        sql, order = compiled
        return Statement(sql, tuple([values[position] for position in order]))

    def _compile(self, query: sa.sql.ClauseElement) -> tuple[str, tuple[int, ...]]:
        compiled: Any = query.compile(dialect=self._dialect.compiler)
        # In one line, as logs and statistics show it; there is no literal in it that could be changed by that.
        return " ".join(str(compiled).split()), tuple(int(name[1:]) for name in compiled.positiontup or ())

    def _values(self, where: Where | None) -> list[Any]:
        return list(self.clauses.values(where, utc_now()))
