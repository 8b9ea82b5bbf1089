"""Predicates: what a filter means, checked and frozen. A tree of comparisons, with its values apart from its shape."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from soulspot_db.language.field import Missing
from soulspot_db.language.relations import HasRelations, RelationSpec
from soulspot_db.language.virtual import VirtualId

__all__ = [
    "Compare",
    "Group",
    "Increment",
    "Merged",
    "Now",
    "OtherField",
    "Param",
    "Predicate",
    "Related",
    "all_of",
    "compares",
    "filled",
    "is_timed",
    "padded_length",
    "tables_of",
]


def padded_length(length: int) -> int:
    """The next power of two: the length that a list of values is filled up to."""
    return 1 << (length - 1).bit_length() if length else 0


@dataclass(frozen=True, slots=True)
class Now:
    """A value: the moment at which the statement is sent, and `offset` from there."""

    offset: dt.timedelta


@dataclass(frozen=True, slots=True)
class Param:
    """A value: what the caller of a named query gives, or its default. One that is `optional` may be left out, and what it is
    part of is then left out, too. Where it is the value of a `virtual` field, the stored one gets it with its prefix.
    """

    name: str
    optional: bool = False
    default: Any = Missing
    virtual: VirtualId | None = None


@dataclass(frozen=True, slots=True)
class OtherField:
    """A value: that of another field of the same row."""

    name: str


@dataclass(frozen=True, slots=True)
class Increment:
    """A value: what the field has, and `amount` more. Null counts as 0."""

    amount: Any


@dataclass(frozen=True, slots=True)
class Merged:
    """A value: what `rule` makes of the field's and another one.

    fill_null keeps what is there, keep_if_null too where the other is null; sticky_true stays true; max and min keep the greater
    and the lesser; differs is `otherwise` where the two are not the same.
    """

    rule: str
    value: Any
    otherwise: Any = None


@dataclass(frozen=True, slots=True)
class Compare:
    """`field operator value`; `is_null` and `not_null` have no values, `in` and `not_in` any number.

    `other` is the field that the field is compared with, where that is not a value.
    """

    field: str
    operator: str
    values: tuple[Any, ...] = ()
    other: str | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values: two predicates of one shape are one SQL statement, and lists share a few."""
        if self.operator == "has":
            return (self.field, self.operator, _form(self.values[0]))
        return (self.field, self.operator, padded_length(len(self.values)), self.other)


@dataclass(frozen=True, slots=True)
class Group:
    """`and` or `or` over any number of parts, `not` over one."""

    operator: str
    parts: "tuple[Predicate, ...]"

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        return (self.operator, tuple(part.shape for part in self.parts))


@dataclass(frozen=True, slots=True)
class Related:
    """`some`, `none` or `every` of the related rows pass a predicate, which is about `target`; None passes every row.

    `tables` are those that it looks into; of these only such rows count for which `visible`, and for those of the entity in
    between `visible_between`, hold.
    """

    relation: RelationSpec
    quantifier: str
    where: "Predicate | None"
    target: HasRelations = field(compare=False, repr=False)
    tables: tuple[str, ...] = ()
    visible: "Predicate | None" = None
    visible_between: "Predicate | None" = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        return ("related", self.relation.name, self.quantifier, self.where and self.where.shape)


Predicate = Compare | Group | Related


def all_of(*conditions: Predicate | None) -> Predicate | None:
    """The predicate that holds where all of these do; None asks nothing."""
    parts = tuple(condition for condition in conditions if condition is not None)
    return parts[0] if len(parts) == 1 else Group("and", parts) if parts else None


def _form(value: Any) -> Any:
    """What of a JSON value the statement depends on: everything but plain values and names."""
    if isinstance(value, Mapping):
        return ("object", *(_form(value[key]) for key in sorted(value)))
    if isinstance(value, tuple):
        return ("list", *map(_form, value))
    if value is None or isinstance(value, bool):
        return value
    return "number" if isinstance(value, (int, float)) else "text"


def filled(predicate: Predicate | None) -> Iterator[str]:
    """The fields that a predicate says are not null."""
    if isinstance(predicate, Compare):
        if predicate.operator == "not_null":
            yield predicate.field
    elif isinstance(predicate, Group) and predicate.operator == "and":
        for part in predicate.parts:
            yield from filled(part)


def compares(predicate: Predicate | None) -> Iterator[Compare]:
    """Every comparison in a predicate, also of related rows."""
    match predicate:
        case Compare():
            yield predicate
        case Group():
            for part in predicate.parts:
                yield from compares(part)
        case Related():
            for inner in (predicate.where, predicate.visible, predicate.visible_between):
                yield from compares(inner)


def tables_of(predicate: Predicate | None) -> Iterator[str]:
    """The other tables that a predicate looks into."""
    match predicate:
        case Group():
            for part in predicate.parts:
                yield from tables_of(part)
        case Related():
            yield from predicate.tables
            yield from tables_of(predicate.where)


def is_timed(predicate: Predicate | None) -> bool:
    """Whether what a predicate finds changes as time passes, so that no answer may be kept."""
    return any(isinstance(value, Now) for compare in compares(predicate) for value in compare.values)
