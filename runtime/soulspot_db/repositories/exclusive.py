"""Exclusive flags: who gets one takes it from the row that has it, in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.errors import ConstraintViolationError, SerializationFailedError, ValidationFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.indexes import constraint_name
from soulspot_db.language.predicates import Compare, Group, Merged, Predicate
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.visibility import present
from soulspot_db.sessions.operations import Effects, Write
from soulspot_db.sessions.plan import Plan
from soulspot_db.sql.clauses import Rivals, Where, narrowed
from soulspot_db.sql.touching import with_touched

__all__ = ["Take", "overtaken", "takes_of_changes", "takes_of_rows", "takes_of_upsert", "taking"]

T = TypeVar("T")
_AT_ONCE = 100  # groups that one statement asks for: SQLite takes no condition of very many parts
_SETS = frozenset({"sticky_true", "keep_if_null"})
"""The rules of an upsert by which true becomes the value of a flag that is false."""


@dataclass(frozen=True, slots=True)
class Take:
    """A flag, and the rows that it is taken from."""

    flag: FieldSpec
    rows: Where


def takes_of_rows(spec: EntitySpec, rows: Sequence[Mapping[str, Any]], operation: str) -> list[Take]:
    """What new rows take.

    Raises:
        ValidationFailedError: two of them want the same flag.
    """
    found = []
    for flag in spec.exclusive:
        groups = [tuple(row[name] for name in flag.exclusive or ()) for row in rows if row.get(flag.name) is True]
        if len(set(groups)) < len(groups):
            raise ValidationFailedError(
                f"{operation} of {spec.entity_type} gives {flag.name} to several rows, and one can have it",
                f"Give {flag.name}=True to one of them.",
                entity_type=spec.entity_type,
                operation=operation,
                field=flag.name,
            )
        for start in range(0, len(groups), _AT_ONCE):
            some = groups[start : start + _AT_ONCE]
            found.append(Take(flag, Group("and", (Compare(flag.name, "eq", (True,)), *_in(flag, some)))))
    return found


def _in(flag: FieldSpec, groups: Sequence[tuple[Any, ...]]) -> list[Predicate]:
    names = flag.exclusive or ()
    if len(names) == 1:
        return [Compare(names[0], "in", tuple(value for (value,) in groups))]
    same = [
        Group("and", tuple(Compare(name, "eq", (value,)) for name, value in zip(names, group, strict=True)))
        for group in groups
    ]
    return [Group("or", tuple(same))] if names else []


def takes_of_changes(spec: EntitySpec, where: Where | None, values: Mapping[str, Any]) -> list[Take]:
    """What the rows that `where` finds take when they get new values."""
    return [
        Take(flag, Rivals(flag.name, where, flag.exclusive or (), _given(flag, values)))
        for flag in spec.exclusive
        if values.get(flag.name) is True
    ]


def takes_of_upsert(
    spec: EntitySpec, where: Where, values: Mapping[str, Any], changes: Mapping[str, Any]
) -> list[Take]:
    """What a row takes that is changed where `where` finds it, or else inserted."""
    found = []
    for flag in spec.exclusive:
        change, group = changes.get(flag.name), flag.exclusive or ()
        if change is True or (isinstance(change, Merged) and change.value is True and change.rule in _SETS):
            found.append(Take(flag, Rivals(flag.name, where, group, _given(flag, changes))))
        if values[flag.name] is True:
            found.append(Take(flag, Rivals(flag.name, where, group, _given(flag, values), is_new=True)))
    return found


def _given(flag: FieldSpec, values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, values[name]) for name in flag.exclusive or () if name in values)


def taking(plan: Plan, takes: Sequence[Take], write: Write[T], lock: Statement | None = None) -> Write[T]:
    """A write before which flags are taken from the rows that have them; these are told of it as of any change.

    A `lock` that the write needs as well comes before all others, because two who take theirs in another order wait for ever.
    On PostgreSQL others who take the same flag wait until the end of the transaction. Without that, two would each take it from
    the row that had it before and then meet in the unique index.
    """
    if not takes and lock is None:
        return write
    names = dict.fromkeys(take.flag.name for take in takes)
    flags = (plan.queries.lock(f"exclusive {name}") for name in sorted(names))
    locks = [each for each in (lock, *flags) if each is not None]
    now = utc_now()
    taken = [
        plan.queries.update(
            # The index of a flag knows none that are deleted, whoever sees them.
            narrowed(take.rows, present(plan.spec)),
            with_touched(plan.spec, {take.flag.name: False}, now),
            whole=False,
        )
        for take in takes
    ]
    before, until = len(locks), len(locks) + len(taken)

    def effects(results: Sequence[Rows]) -> Effects:
        done = Effects()
        for take, rows in zip(takes, results[before:until], strict=True):
            done.add(plan.effects(rows, "updated", [take.flag.name]))
        done.add(write.effects(results[until:]))
        return done

    statements = [*locks, *taken, *write.statements]
    tags = {*write.tags, *plan.touched()}  # whose flag it is, only the database knows
    return Write(statements, tags, effects, lambda results: write.result(results[until:]))


def overtaken(error: ConstraintViolationError, plan: Plan, takes: Sequence[Take]) -> SerializationFailedError | None:
    """The error for a transaction whose view of the database is older than another's flag, which it could not take.

    On PostgreSQL a block sees the moment of its first statement; what was given the flag since then it meets in the index alone.
    """
    table = plan.spec.table_name
    indexes = {constraint_name("uq", table, take.flag.column) for take in takes}
    if error.context.get("constraint") not in indexes:
        return None
    names = " and ".join(dict.fromkeys(take.flag.name for take in takes))
    return SerializationFailedError(
        f"another transaction has given {names} to a row of {plan.spec.entity_type} since this one began",
        "Run the transaction again; `db.run_in_transaction` does.",
        entity_type=plan.spec.entity_type,
        field=names,
    )
