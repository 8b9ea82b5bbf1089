"""A row past its time is gone: a new one may have its key and its unique values."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from soulspot_db.engine.base import Statement
from soulspot_db.language.predicates import Compare, Group, Now, Predicate, all_of
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.visibility import present
from soulspot_db.sessions.plan import Plan

__all__ = ["expired", "making_room"]

_ROWS = 100  # that one statement makes room for; SQLite takes expressions of at most 1,000 levels


def expired(spec: EntitySpec, field: str) -> Predicate:
    """The rows of an entity that are past the time in this field."""
    past = Compare(field, "lte", (Now(dt.timedelta()),))
    return Group("and", (Compare(field, "not_null"), past)) if spec.fields[field].nullable else past


def making_room(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[Statement]:
    """What deletes the expired rows that would stand in the way of new ones, and returns their keys.

    Args:
        plan: the entity.
        rows: values of the new rows, by field.
    """
    spec = plan.spec
    if spec.expires is None:
        return []
    # Those that were deleted as well are in nobody's way, and are not told of twice.
    gone = all_of(expired(spec, spec.expires), present(spec))
    chunks = (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
    in_the_way = (Group("or", tuple(_alike(spec, chunk))) for chunk in chunks)
    return [plan.queries.erase(all_of(gone, alike)) for alike in in_the_way if alike.parts]


def _alike(spec: EntitySpec, rows: Sequence[Mapping[str, Any]]) -> Iterator[Predicate]:
    """The rows with the same key or the same unique values as any of these."""
    for group in dict.fromkeys((spec.key, *spec.unique_groups)):
        given = (tuple(row.get(name) for name in group) for row in rows)
        wanted = dict.fromkeys(values for values in given if None not in values)  # null is equal to nothing
        if len(group) == 1 and wanted:
            yield Compare(group[0], "in", tuple(value for (value,) in wanted))
        else:
            for values in wanted:
                yield Group(
                    "and", tuple(Compare(name, "eq", (value,)) for name, value in zip(group, values, strict=True))
                )
