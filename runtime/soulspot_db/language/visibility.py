"""Rows that are stored and usually not found: those that were deleted softly, and those that are past their time."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from soulspot_db.language.field import FieldSpec, Missing, Problem
from soulspot_db.language.nearest import nearest
from soulspot_db.language.order import Term
from soulspot_db.language.predicates import Compare, Group, Now, Predicate, all_of

__all__ = ["EVERYBODY", "HasHidden", "Visibility", "check_hiding", "latest", "present", "visible"]


@dataclass(frozen=True, slots=True)
class Visibility:
    """What is found beside the rows that everybody finds."""

    deleted: bool = False
    expired: bool = False


EVERYBODY = Visibility()
"""Nothing is found beside them."""


class HasHidden(Protocol):
    """An entity, as far as it hides rows."""

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        """The entity's fields by name."""
        ...

    @property
    def soft_delete(self) -> str | None:
        """The field that says when a row was deleted, where that only hides it."""
        ...

    @property
    def expires(self) -> str | None:
        """The field that says until when a row is found."""
        ...


def visible(entity: HasHidden, also: Visibility = EVERYBODY) -> Predicate | None:
    """The condition for a row of `entity` to be found, None where all are."""
    return all_of(None if also.deleted else present(entity), None if also.expired else _lasting(entity))


def present(entity: HasHidden) -> Predicate | None:
    """The condition for a row not to be deleted softly, None where no row of `entity` can be."""
    return None if entity.soft_delete is None else Compare(entity.soft_delete, "is_null")


def latest(entity: HasHidden) -> tuple[Term, ...]:
    """The order in which a row that is not deleted comes first, and then the one that was deleted last."""
    return () if entity.soft_delete is None else (Term(entity.soft_delete, descending=True, nulls_first=True),)


def _lasting(entity: HasHidden) -> Predicate | None:
    if entity.expires is None:
        return None
    lasting = Compare(entity.expires, "gt", (Now(dt.timedelta()),))
    # Without an end it lasts for ever.
    is_nullable = entity.fields[entity.expires].nullable
    return Group("or", (Compare(entity.expires, "is_null"), lasting)) if is_nullable else lasting


def check_hiding(entity: HasHidden, key: tuple[str, ...], problems: list[Problem]) -> None:
    """Check the fields by which an entity hides rows; what is wrong goes to `problems`."""
    for setting, name in (("soft_delete", entity.soft_delete), ("expires", entity.expires)):
        if name is None:
            continue
        field = entity.fields.get(name)
        if field is None:
            problems.append(Problem((setting,), f"unknown field {name!r}", nearest(name, entity.fields)))
        elif field.type != "datetime" or name in key:
            message = f"{name!r} is part of the key" if name in key else f"{name!r} is of type {field.type!r}"
            problems.append(Problem((setting,), message, f"'{setting}' names a datetime beside the key"))
        elif setting == "soft_delete" and not (field.nullable and field.default in (Missing, None) and not field.made):
            message = f"{name!r} must be null for every row that is not deleted"
            problems.append(Problem((setting,), message, "give it 'nullable: true' and no default"))
    for field in entity.fields.values():
        if entity.expires is not None and field.exclusive is not None:
            message = "'exclusive' does not go with 'expires'"
            hint = "a row past its time would have the flag, and nobody could take it"
            problems.append(Problem(("fields", field.name, "exclusive"), message, hint))
    if entity.soft_delete is not None and entity.soft_delete == entity.expires:
        problems.append(Problem(("expires",), "'soft_delete' names the same field", "they need a field each"))
