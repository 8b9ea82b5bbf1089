"""Guarded deletes: rows for which a guard of the schema holds stay, and so does everything that was to go with them."""

from collections.abc import Iterator
from typing import cast

from soulspot_db.errors import ConstraintViolationError
from soulspot_db.language.predicates import Compare, Group, Predicate, Related
from soulspot_db.language.spec import EntitySpec
from soulspot_db.sql.clauses import Unguarded, Where

__all__ = ["kept_by", "refused_by_guard", "unguarded"]


def unguarded(spec: EntitySpec, where: Where | None, whole: Where | None) -> Where | None:
    """The rows of `where`, or none of them where a guard holds for any of the rows of `whole`, which all are to go."""
    if not spec.guards:
        return where
    guard = Unguarded(tuple(spec.guards.values()), whole)
    return guard if where is None else _both(where, guard)


def kept_by(where: Where | None, guard: Predicate) -> Where:
    """The rows of `where` for which a guard holds."""
    return guard if where is None else _both(where, guard)


def _both(one: Where, other: Where) -> Where:
    return Group("and", (cast("Predicate", one), cast("Predicate", other)))


def refused_by_guard(spec: EntitySpec, name: str, operation: str) -> ConstraintViolationError:
    """The error for rows that a guard keeps."""
    about = ", ".join(dict.fromkeys(_names(spec.guards[name])))
    return ConstraintViolationError(
        f"the guard {name!r} of {spec.entity_type} keeps a row that was to be deleted; nothing was deleted",
        f"Change what the guard asks about, {about}, so that it holds no more.",
        "Or leave such rows out of the condition.",
        kind="guard",
        constraint=name,
        field=None,
        entity_type=spec.entity_type,
        operation=operation,
    )


def _names(predicate: Predicate) -> Iterator[str]:
    """The fields and relations that a predicate asks about."""
    match predicate:
        case Compare():
            yield predicate.field
        case Related():
            yield predicate.relation.name
        case Group():
            for part in predicate.parts:
                yield from _names(part)
