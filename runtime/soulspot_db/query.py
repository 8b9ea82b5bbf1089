"""From predicates to SQL: SQLAlchemy compiles each shape once, then only values change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.dialects import Dialect
from soulspot_db.engine.base import Bulk, Statement
from soulspot_db.language.filters import Compare, Predicate, Term, padded_length
from soulspot_db.language.spec import EntitySpec
from soulspot_db.sequences import moved_to

__all__ = ["EitherKey", "Queries", "Where"]

_MAX_SHAPES = 1024
_PLACE = "Place"  # as no field is called
# Left to itself, SQLite's dialect adds the half of LIMIT and OFFSET that is missing as a parameter we have no value for.
_ZERO, _ONE, _ALL = (sa.literal_column(text, sa.Integer()) for text in ("0", "1", str(2**63 - 1)))

Encode: TypeAlias = Callable[[str, Any], Any]
Build: TypeAlias = Callable[[], sa.sql.ClauseElement]
_OPERATORS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
}


@dataclass(frozen=True, slots=True)
class EitherKey:
    """The row with this primary key or, failing that, with this natural key."""

    key: Compare
    natural: Compare

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        return ("either", self.key.shape, self.natural.shape)


Where: TypeAlias = Predicate | EitherKey


class Queries:
    """The statements of one entity. Compiled text is kept by shape, so no value ever becomes part of it."""

    def __init__(self, spec: EntitySpec, table: sa.Table, encode: Encode, dialect: Dialect) -> None:
        self._dialect = dialect
        self._encode = encode
        self._columns = {name: table.c[field.column] for name, field in spec.fields.items()}
        self._nullable = frozenset(name for name, field in spec.fields.items() if field.nullable)
        self._key = spec.key
        self._table = table
        # The field whose values a sequence gives, which does not know what else is stored.
        self._sequence = next((f.name for f in spec.key_fields if f.assigned and dialect.has_sequences), None)
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
        order = tuple(order_by)
        if not order and (limit is not None or offset):
            order = tuple(Term(name, descending=False) for name in self._key)
        values = [*self._values(where), *([] if limit is None else [limit]), *([offset] if offset else [])]

        def build() -> sa.Select[Any]:
            bind = _Binder()
            query: sa.Select[Any] = sa.select(*self._columns.values())
            query = query.where(self._clause(where, bind)) if where is not None else query
            query = query.order_by(*map(self._order, order))
            if limit is None and not offset:
                return query
            return query.limit(_ALL if limit is None else bind()).offset(bind() if offset else _ZERO)

        return self._statement(("select", where and where.shape, order, limit is None, bool(offset)), build, values)

    def find(self, key: Sequence[Any]) -> Statement:
        """The whole row with this primary key."""
        return Statement(self._find, tuple(map(self._encode, self._key, key)))

    @cached_property
    def _find(self) -> str:
        bind = _Binder()
        query = sa.select(*self._columns.values()).where(*(self._columns[name] == bind() for name in self._key))
        return self._compile(query)[0]

    def keys(self, where: Where | None, limit: int) -> Statement:
        """The keys of the first rows, by key."""

        def build() -> sa.Select[Any]:
            bind = _Binder()
            columns = [self._columns[name] for name in self._key]
            query = sa.select(*columns).order_by(*columns)
            query = query.where(self._clause(where, bind)) if where is not None else query
            return query.limit(bind()).offset(_ZERO)

        return self._statement(("keys", where and where.shape), build, [*self._values(where), limit])

    def count(self, where: Where | None) -> Statement:
        """How many rows there are."""

        def build() -> sa.Select[Any]:
            query: sa.Select[Any] = sa.select(sa.func.count()).select_from(self._table)
            return query if where is None else query.where(self._clause(where, _Binder()))

        return self._statement(("count", where and where.shape), build, self._values(where))

    def exists(self, where: Where | None) -> Statement:
        """One row if there is any, none otherwise."""

        def build() -> sa.Select[Any]:
            query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(self._table).limit(_ONE).offset(_ZERO)
            return query if where is None else query.where(self._clause(where, _Binder()))

        return self._statement(("exists", where and where.shape), build, self._values(where))

    def insert(self, names: tuple[str, ...], row: tuple[Any, ...]) -> Statement:
        """Insert one row that is encoded, with these fields, and return it whole."""

        def build() -> sa.Insert:
            bind = _Binder()
            given = {self._columns[name].name: bind() for name in names}
            if self._sequence in names:
                column = self._columns[self._sequence]
                key = given[column.name]
                given[column.name] = sa.func.coalesce(moved_to(key, column, self._dialect), key)
            return sa.insert(self._table).values(given).returning(*self._columns.values())

        return self._statement(("insert", names), build, row)

    def insert_many(self, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> Statement:
        """Insert rows that are encoded, with these fields, and return them whole in their order; for databases with arrays."""

        def build() -> sa.Insert:
            bind = _Binder()
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
            bind = _Binder()
            return sa.insert(self._table).values({column: bind() for column in columns})

        statement = self._statement("insert all", build, [None] * len(columns))
        insert = Statement(statement.sql, bulk=Bulk(self._table.name, columns, rows))
        if self._sequence is None:
            return [insert]
        column = self._columns[self._sequence]

        def move() -> sa.Select[Any]:
            # Finds nothing, because what it does is no row of the entity.
            return sa.select(_ONE).where(moved_to(_Binder()(), column, self._dialect) < _ZERO)

        position = list(self._columns).index(self._sequence)
        return [self._statement("move", move, [max(row[position] for row in rows)]), insert]

    def update(self, where: Where | None, changes: Mapping[str, Any], *, whole: bool) -> Statement:
        """Change every matching row and return those rows, `whole` or their keys alone."""
        names = tuple(changes)
        returned = tuple(self._columns) if whole else self._key

        def build() -> sa.Update:
            bind = _Binder()
            given = {self._columns[name].name: bind() for name in names}
            query = sa.update(self._table).values(given).returning(*(self._columns[name] for name in returned))
            return query if where is None else query.where(self._clause(where, bind))

        encoded = [self._encode(name, value) for name, value in changes.items()]
        shape = ("update", names, where and where.shape, whole)
        return self._statement(shape, build, [*encoded, *self._values(where)])

    def delete(self, where: Where | None) -> Statement:
        """Delete every matching row and return its key."""

        def build() -> sa.sql.ClauseElement:
            query = sa.delete(self._table).returning(*(self._columns[name] for name in self._key))
            return query if where is None else query.where(self._clause(where, _Binder()))

        return self._statement(("delete", where and where.shape), build, self._values(where))

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
        if where is None:
            return []
        if isinstance(where, Compare):
            values = [self._encode(where.field, value) for value in where.values]
            if where.operator in {"in", "not_in"} and values:
                return [values] if self._dialect.has_arrays else _padded(values)
            return values
        if isinstance(where, EitherKey):
            return [value for part in (where.key, where.natural, where.key) for value in self._values(part)]
        return [value for part in where.parts for value in self._values(part)]

    def _clause(self, where: Where, bind: "_Binder") -> ColumnElement[bool]:
        if isinstance(where, EitherKey):
            return self._either(where, bind)
        if not isinstance(where, Compare):
            parts = [self._clause(part, bind) for part in where.parts]
            if where.operator == "not":
                return sa.not_(parts[0])
            return sa.and_(sa.true(), *parts) if where.operator == "and" else sa.or_(sa.false(), *parts)
        return self._comparison(where, bind)

    def _comparison(self, where: Compare, bind: "_Binder") -> ColumnElement[bool]:
        column = self._columns[where.field]
        if where.operator == "is_null":
            return column.is_(None)
        if where.operator == "not_null":
            return column.is_not(None)
        if where.operator in {"in", "not_in"}:
            return self._membership(column, where, bind)
        return _OPERATORS[where.operator](column, bind() if where.other is None else self._columns[where.other])

    def _membership(self, column: ColumnElement[Any], where: Compare, bind: "_Binder") -> ColumnElement[bool]:
        is_in = where.operator == "in"
        if not where.values:
            # Null is not in an empty list either; and SQLAlchemy's own form of one asks for values when it is compiled.
            return sa.false() if is_in else sa.true()
        if self._dialect.has_arrays:
            return column == sa.func.any(bind()) if is_in else column != sa.func.all(bind())
        listed = column.in_([bind() for _ in range(padded_length(len(where.values)))])
        return listed if is_in else sa.not_(listed)

    def _either(self, where: EitherKey, bind: "_Binder") -> ColumnElement[bool]:
        # In a subquery, so that it names the one row in an UPDATE and a DELETE as well.
        found = self._table.alias("found")
        key, natural = found.c[self._columns[where.key.field].name], found.c[self._columns[where.natural.field].name]
        either = sa.or_(key == bind(), natural == bind())
        chosen = sa.select(key).where(either).order_by((key == bind()).desc()).limit(_ONE).offset(_ZERO)
        return self._columns[where.key.field] == chosen.scalar_subquery()

    def _order(self, term: Term) -> ColumnElement[Any]:
        column = self._columns[term.field]
        ordered = column.desc() if term.descending else column.asc()
        if term.field not in self._nullable:
            return ordered
        # Left to themselves, SQLite puts nulls first and PostgreSQL last.
        return ordered.nulls_first() if term.nulls_first else ordered.nulls_last()


class _Binder:
    """Hands out parameters whose names are their positions in the list of values."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self) -> Any:
        self._next += 1
        return sa.bindparam(f"p{self._next - 1}", type_=sa.types.NullType())


def _padded(values: list[Any]) -> list[Any]:
    """Lists grow to the next power of two by repeating a value, so that few shapes serve every length."""
    return values + values[-1:] * (padded_length(len(values)) - len(values))
