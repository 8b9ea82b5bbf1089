"""Predicates as conditions of SQL, and the values that go with them in the same order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any, TypeAlias, cast, overload

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.language.order import Term
from soulspot_db.language.patterns import ESCAPE, TEXT_OPERATORS, pattern, symbol
from soulspot_db.language.predicates import Compare, Group, Now, Predicate, Related, all_of, padded_length
from soulspot_db.sql import containment
from soulspot_db.sql.dialects import Dialect

__all__ = ["Binder", "Chosen", "Clauses", "Encode", "FirstOf", "Rivals", "Unguarded", "Where", "narrowed", "ordered"]

Encode: TypeAlias = Callable[[str, Any], Any]
_ONE, _ZERO = (sa.literal_column(text, sa.Integer()) for text in ("1", "0"))
_OPERATORS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": eq,
    "ne": ne,
    "lt": lt,
    "lte": le,
    "gt": gt,
    "gte": ge,
    "is": lambda column, value: column.is_not_distinct_from(value),
    "is_not": lambda column, value: column.is_distinct_from(value),
}


@dataclass(frozen=True, slots=True)
class FirstOf:
    """The row that the first of several predicates finds: each is asked for only where those before it find none.

    `order` says which of several rows that one of them finds.
    """

    alternatives: tuple[Predicate, ...]
    order: tuple[Term, ...] = ()

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        return ("first of", self.order, *(each.shape for each in self.alternatives))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The first rows that a predicate finds, but for those that somebody else is choosing at this moment."""

    where: Predicate | None
    order: tuple[Term, ...]
    limit: int

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        return ("chosen", self.where and self.where.shape, self.order)


@dataclass(frozen=True, slots=True)
class Rivals:
    """The rows whose flag those that `where` finds, or all, are about to get: of the same group, and other rows than these.

    `given` are the values of fields of the group that they get with it. Where the row `is_new`, so are all fields of its
    group, and these are the rows if `where` finds none.
    """

    flag: str
    where: "Where | None"
    group: tuple[str, ...] = ()
    given: tuple[tuple[str, Any], ...] = ()
    is_new: bool = False

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        names = tuple(name for name, _ in self.given)
        return ("rivals", self.flag, self.where and self.where.shape, self.group, names, self.is_new)


@dataclass(frozen=True, slots=True)
class Unguarded:
    """The rows for which no guard holds, and none at all where one holds for any of those that `whole` finds."""

    guards: tuple[Predicate, ...]
    whole: "Where | None"

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        return ("unguarded", *(guard.shape for guard in self.guards), self.whole and self.whole.shape)


Where: TypeAlias = Predicate | FirstOf | Chosen | Rivals | Unguarded


_WHERE = (Compare, Group, Related, FirstOf, Chosen, Rivals, Unguarded, type(None))


@overload
def narrowed(where: Where, condition: Predicate | None) -> Where: ...


@overload
def narrowed(where: None, condition: Predicate) -> Where: ...


@overload
def narrowed(where: Where | None, condition: Predicate | None) -> Where | None: ...


def narrowed(where: Where | None, condition: Predicate | None) -> Where | None:
    """Of the rows that `where` finds, or would find first, those for which a condition holds; None is all rows, or no condition."""
    if condition is None:
        return where
    match where:
        case None:
            return condition
        case FirstOf():
            return replace(where, alternatives=tuple(Group("and", (each, condition)) for each in where.alternatives))
        case Chosen():
            return Chosen(all_of(where.where, condition), where.order, where.limit)
        case Rivals():
            found: Where = replace(where, where=narrowed(where.where, condition))
        case Unguarded():
            found = replace(where, whole=narrowed(where.whole, condition))
        case Group(operator="and"):
            found = Group("and", tuple(_narrowed_part(part, condition) for part in where.parts))
        case _:
            found = where
    return Group("and", (cast("Predicate", found), condition))


def _narrowed_part(part: Predicate, condition: Predicate) -> Predicate:
    """Of a condition that holds together with others, those that look for rows of their own."""
    if isinstance(part, (FirstOf, Chosen, Rivals, Unguarded)):  # which a group can have as well
        return cast("Predicate", narrowed(part, condition))
    return part


class Binder:
    """Hands out parameters whose names are their positions in the list of values."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self) -> Any:
        self._next += 1
        return sa.bindparam(f"p{self._next - 1}", type_=sa.types.NullType())


class Clauses:
    """The conditions of one entity's statements.

    Args:
        table: the entity's table.
        columns: its columns by the names of the fields.
        key: the fields of its key.
        encode: a field's value as the driver takes it.
        dialect: the database.
        find: finds the conditions of another entity.
    """

    def __init__(
        self,
        table: sa.FromClause,
        columns: Mapping[str, ColumnElement[Any]],
        *,
        key: Sequence[str],
        encode: Encode,
        dialect: Dialect,
        find: "Callable[[str], Clauses]",
    ) -> None:
        self.table = table
        self._key = key
        self.columns = columns
        self._encode = encode
        self._dialect = dialect
        self._find = find

    def aliased(self) -> "Clauses":
        """The conditions of the same table under a name of its own, to be asked beside it."""
        table = self.table.alias()
        columns = {name: table.c[column.key or name] for name, column in self.columns.items()}
        return Clauses(table, columns, key=self._key, encode=self._encode, dialect=self._dialect, find=self._find)

    def clause(self, where: Where, bind: Binder) -> ColumnElement[bool]:
        """The condition, with a parameter for each of its `values`."""
        match where:
            case FirstOf():
                found = self._first_of(where, bind)
            case Chosen():
                found = self._chosen(where, bind)
            case Rivals():
                found = self._rivals(where, bind)
            case Unguarded():
                found = self._unguarded(where, bind)
            case Compare():
                found = self._comparison(where, bind)
            case Related():
                found = self._related(where, bind)
            case Group():
                found = self._group(where, bind)
        return found

    def _group(self, where: Group, bind: Binder) -> ColumnElement[bool]:
        parts = [self.clause(part, bind) for part in where.parts]
        if where.operator == "not":
            return sa.not_(parts[0])
        return sa.and_(sa.true(), *parts) if where.operator == "and" else sa.or_(sa.false(), *parts)

    def values(self, where: Where | None, now: datetime) -> Iterator[Any]:
        """What to bind, `now` being the moment from which others are counted."""
        match where:
            case None:
                return
            case Compare():
                yield from self._compared(where, now)
            case Related():
                if where.relation.through is not None:
                    yield from self._find(where.relation.through.entity).values(where.visible_between, now)
                target = self._find(where.relation.entity)
                yield from (*target.values(where.visible, now), *target.values(where.where, now))
            case Group():
                for part in where.parts:
                    yield from self.values(part, now)
            case _:
                for each in self._bound(where):
                    yield from self.values(each, now) if isinstance(each, _WHERE) else [each]

    def _bound(self, where: FirstOf | Chosen | Rivals | Unguarded) -> Iterator[Any]:
        """What to bind of these: values, and conditions with values of their own."""
        match where:
            case FirstOf():
                # Once to find them, and once, but for the last, to say which comes first.
                yield from (*where.alternatives, *where.alternatives[:-1])
            case Chosen():
                yield from (where.where, where.limit)
            case Rivals():
                yield from (self._encode(name, value) for name, value in where.given)
                yield from [where.where] * (1 if where.is_new else 2)
            case Unguarded():
                yield from (*where.guards, where.whole, *where.guards)

    def _compared(self, where: Compare, now: datetime) -> Iterator[Any]:
        operator = where.operator
        if operator in {"in", "not_in"}:
            values = [self._encode(where.field, value) for value in where.values]
            if values:
                yield from [values] if self._dialect.has_arrays else _padded(values)
        elif operator == "has":
            yield from containment.values(self._encode(where.field, where.values[0]), self._dialect)
        elif operator in TEXT_OPERATORS:
            yield pattern(operator, where.values[0], self._dialect.name)
        else:
            for value in where.values:
                yield self._encode(where.field, now + value.offset if isinstance(value, Now) else value)

    def _comparison(self, where: Compare, bind: Binder) -> ColumnElement[bool]:
        column, operator = self.columns[where.field], where.operator
        if operator == "is_null":
            return column.is_(None)
        if operator == "not_null":
            return column.is_not(None)
        if operator in {"in", "not_in"}:
            return self._membership(column, where, bind)
        if operator == "has":
            return containment.clause(column, self._encode(where.field, where.values[0]), bind, self._dialect)
        if operator in TEXT_OPERATORS:
            return self._match(column, operator, bind())
        return _OPERATORS[operator](column, bind() if where.other is None else self.columns[where.other])

    def _membership(self, column: ColumnElement[Any], where: Compare, bind: Binder) -> ColumnElement[bool]:
        is_in = where.operator == "in"
        if not where.values:
            # Null is not in an empty list either; and SQLAlchemy's own form of one asks for values when it is compiled.
            return sa.false() if is_in else sa.true()
        if self._dialect.has_arrays:
            return column == sa.func.any(bind()) if is_in else column != sa.func.all(bind())
        listed = column.in_([bind() for _ in range(padded_length(len(where.values)))])
        return listed if is_in else sa.not_(listed)

    def _match(self, column: ColumnElement[Any], operator: str, bound: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool]
        match operator if operator in {"ieq", "trimmed_ieq"} else symbol(operator, self._dialect.name):
            case "ieq":
                found = sa.func.lower(column) == bound
            case "trimmed_ieq":
                found = sa.func.lower(sa.func.trim(column)) == bound
            case "ILIKE":
                found = column.ilike(bound)
            case "LIKE":
                found = column.like(bound, escape=ESCAPE)
            case name:
                found = column.op(name, return_type=sa.Boolean())(bound)
        return found

    def _related(self, where: Related, bind: Binder) -> ColumnElement[bool]:
        relation, target = where.relation, self._find(where.relation.entity).aliased()
        own, found = self.columns[relation.local], target.columns[relation.remote]
        rows: sa.FromClause = target.table
        conditions = [found == own]
        if relation.through is not None:
            between = self._find(relation.through.entity).aliased()
            rows = between.table.join(rows, between.columns[relation.through.remote] == found)
            conditions = [between.columns[relation.through.local] == own]
            conditions += [] if where.visible_between is None else [between.clause(where.visible_between, bind)]
        conditions += [] if where.visible is None else [target.clause(where.visible, bind)]
        inner = None if where.where is None else target.clause(where.where, bind)
        if inner is not None and where.quantifier == "every":
            # One for which it is unknown does not pass either.
            inner = sa.not_(sa.func.coalesce(inner, sa.false()))
        conditions += [] if inner is None else [inner]
        exists = sa.select(_ONE).select_from(rows).where(*conditions).exists()
        if where.quantifier == "some":
            return exists
        # Every row passes where nothing is asked of it.
        return sa.true() if inner is None and where.quantifier == "every" else ~exists

    def _first_of(self, where: FirstOf, bind: Binder) -> ColumnElement[bool]:
        # In a subquery, so that it names the one row in an UPDATE and a DELETE as well.
        found = self.aliased()
        any_of = sa.or_(sa.false(), *(found.clause(each, bind) for each in where.alternatives))
        ranks = [(found.clause(each, bind), rank) for rank, each in enumerate(where.alternatives[:-1])]
        order: list[ColumnElement[Any]] = []
        if ranks:
            order.append(sa.case(*((when, _rank(rank)) for when, rank in ranks), else_=_rank(len(ranks))))
        keys = [found.columns[name] for name in self._key]
        order += map(found.order, where.order)
        chosen = sa.select(*keys).where(any_of).order_by(*order, *keys).limit(_ONE).offset(_ZERO)
        own = [self.columns[name] for name in self._key]
        return own[0] == chosen.scalar_subquery() if len(own) == 1 else sa.tuple_(*own).in_(chosen)

    def _chosen(self, where: Chosen, bind: Binder) -> ColumnElement[bool]:
        keys = [self.columns[name] for name in self._key]
        found = sa.select(*keys).order_by(*map(self.order, where.order))
        found = found if where.where is None else found.where(self.clause(where.where, bind))
        # In a common table expression, which is evaluated once: a subquery could be again, and then choose other rows.
        chosen = found.limit(bind()).offset(_ZERO).with_for_update(skip_locked=True).cte("chosen")
        return sa.tuple_(*keys).in_(sa.select(*chosen.c)) if len(keys) > 1 else keys[0].in_(sa.select(*chosen.c))

    def _rivals(self, where: Rivals, bind: Binder) -> ColumnElement[bool]:
        # Written out, so that the partial index of the flag serves.
        have = self.columns[where.flag] == sa.literal_column("true" if self._dialect.has_arrays else "1")
        same = [self.columns[name] == bind() for name, _ in where.given]

        def found(*names: str) -> ColumnElement[bool]:
            rows = self.aliased()
            inner = [] if where.where is None else [rows.clause(where.where, bind)]
            links = [rows.columns[name] == self.columns[name] for name in names]
            return sa.select(_ONE).select_from(rows.table).where(*inner, *links).exists()

        if where.is_new:
            return sa.and_(have, *same, ~found())
        others = [name for name in where.group if name not in dict(where.given)]
        return sa.and_(have, *same, found(*others), ~found(*self._key))

    def _unguarded(self, where: Unguarded, bind: Binder) -> ColumnElement[bool]:
        # Of the row itself once more, because on PostgreSQL it may have changed when others are done with it.
        free = [~sa.func.coalesce(self.clause(guard, bind), sa.false()) for guard in where.guards]
        rows = self.aliased()
        inner = [] if where.whole is None else [rows.clause(where.whole, bind)]
        kept = sa.or_(*(rows.clause(guard, bind) for guard in where.guards))
        return sa.and_(*free, ~sa.select(_ONE).select_from(rows.table).where(*inner, kept).exists())

    def order(self, term: Term) -> ColumnElement[Any]:
        """One part of an order."""
        column = self.columns[term.field]
        return ordered(column, term, nullable=bool(getattr(column, "nullable", True)))


def ordered(column: ColumnElement[Any], term: Term, *, nullable: bool) -> ColumnElement[Any]:
    """A column in the direction of a term."""
    found = column.desc() if term.descending else column.asc()
    if not nullable:
        return found
    # Left to themselves, SQLite puts nulls first and PostgreSQL last.
    return found.nulls_first() if term.nulls_first else found.nulls_last()


def _rank(rank: int) -> ColumnElement[int]:
    return sa.literal_column(str(rank), sa.Integer())


def _padded(values: list[Any]) -> list[Any]:
    """Lists grow to the next power of two by repeating a value, so that few shapes serve every length."""
    return values + values[-1:] * (padded_length(len(values)) - len(values))
