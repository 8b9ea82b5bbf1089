"""Insert or update: the row that is there is found by what is unique about it, and nobody else's can come in between."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.entity import Entity, EntityCreate
from soulspot_db.errors import ConstraintViolationError, SerializationFailedError, ValidationFailedError
from soulspot_db.language.predicates import Compare, Group, Merged, Predicate
from soulspot_db.language.scope import stored_name
from soulspot_db.language.upserts import Match, Rule, is_unique
from soulspot_db.repositories.exclusive import Take, takes_of_upsert
from soulspot_db.repositories.expiry import making_room
from soulspot_db.repositories.in_sql import SqlQueries
from soulspot_db.sessions.operations import Effects, Write
from soulspot_db.sql.clauses import FirstOf, Where
from soulspot_db.sql.touching import with_touched

__all__ = ["UpsertRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
# How often it is looked again where somebody else inserts the row between the two statements, and deletes it again.
_ATTEMPTS = 3


class UpsertRepository(SqlQueries[Model, KeyType], Generic[Model, KeyType]):
    """The writes that look first whether there is a row.

    An UPDATE of the row and an INSERT that does nothing where it exists are one transaction. On SQLite, where one writes at a
    time, one of the two always meets the row. On PostgreSQL another may insert it after the UPDATE has found none: then the
    INSERT waits for the other's COMMIT and does nothing, and both are run again.
    """

    async def _upsert(self, new: EntityCreate, *, on: Sequence[str] | None = None) -> Model:
        values = self._values_of(new, now=utc_now(), operation="upsert")
        names = self._unique(on, new, "upsert")
        changes = {name: values[name] for name in self._given(new) if name not in names}
        model, _ = await self._put("upsert", values, changes, _equal(names, values))
        return model

    async def _get_or_create(self, new: EntityCreate, *, on: Sequence[str] | None = None) -> tuple[Model, bool]:
        """The row, and whether it is new."""
        values = self._values_of(new, now=utc_now(), operation="get_or_create")
        where = _equal(self._unique(on, new, "get_or_create"), values)
        found = await self._found("get_or_create", None, self._by_unique(where), kept=False, fresh=True, point=True)
        return (found[0], False) if found else await self._put("get_or_create", values, {}, where)

    async def _named_upsert(self, name: str, new: EntityCreate) -> Model:
        query, spec = self._query_spec(name), self._plan.spec
        values = self._values_of(new, now=utc_now(), operation=name)
        changes = {field: _merged(query.rules.get(field), values[field]) for field in self._given(new)}
        matches = [match for match in query.match if all(values[part.field] is not None for part in match)]
        where = FirstOf(tuple(_matching(match, values) for match in matches))
        # What no unique index forbids, two could insert at the same time.
        is_locked = any(not is_unique(match, spec) for match in query.match)
        model, _ = await self._put(name, values, changes, where, locked=is_locked)
        return model

    def _given(self, new: EntityCreate) -> list[str]:
        """The fields that are given and can be changed."""
        return [
            name
            for name in self._plan.spec.fields
            if name in new.model_fields_set and name not in {*self._plan.spec.key, self._plan.spec.soft_delete}
        ]

    async def _put(
        self,
        operation: str,
        values: Mapping[str, Any],
        changes: Mapping[str, Any],
        where: Where,
        *,
        locked: bool = False,
    ) -> tuple[Model, bool]:
        """Change the row that is there, or insert one.

        Args:
            operation: what the caller called.
            values: a whole new row.
            changes: what is changed of one that is there; nothing is where this is empty.
            where: finds the one that is there.
            locked: whether others who do the same must wait, because nothing in the table would stop them.

        Returns:
            The row, and whether it is new.
        """
        plan = self._plan
        if plan.spec.soft_delete is not None and plan.visibility.deleted:
            # Unique values are so among the others alone: there is no one row that could be meant.
            raise self._refuse(operation, "no rows that were deleted into account; call it without with_deleted")
        names, row = tuple(values), plan.codec.encode_row(values)
        changed = with_touched(plan.spec, changes, utc_now())
        look = plan.queries.update(where, changed, whole=True) if changes else plan.queries.select(where)
        lock = plan.queries.lock("upsert") if locked else None
        before = [*making_room(plan, [values]), look]
        takes = takes_of_upsert(plan.spec, where, values, changes)
        for attempt in range(1, _ATTEMPTS + 1):
            # At last not quietly: if something else of the row exists already, the error says what.
            insert = plan.queries.insert_unless(where, names, row, quietly=attempt < _ATTEMPTS and not takes)
            try:
                done = await self._look_and_insert(operation, [*before, insert], [*changes], takes, lock)
            except ConstraintViolationError:
                # Not quietly, because then a flag would stay taken that nobody was given; undone as a whole, it goes again.
                if not takes or attempt == _ATTEMPTS:
                    raise
                continue
            if done is not None:
                return done
        raise SerializationFailedError(
            f"{operation} of {plan.spec.entity_type} met a row that others inserted and deleted again, {_ATTEMPTS} times",
            "Call again.",
            entity_type=plan.spec.entity_type,
            operation=operation,
        )

    async def _look_and_insert(
        self,
        operation: str,
        statements: Sequence[Statement],
        fields: Sequence[str],
        takes: Sequence[Take],
        lock: Statement | None,
    ) -> tuple[Model, bool] | None:
        """Run them, and say what the last two have found and made: the row, and whether it is new; None for neither.

        What others return are expired rows that made room.
        """
        plan = self._plan

        def effects(results: Sequence[Rows]) -> Effects:
            found, made = ([plan.codec.stored_key(row) for row in rows] for rows in results[-2:])
            done = plan.effects(found, "updated", fields) if fields else Effects()
            done.add(self._replaced(results[:-2], made))
            return done

        def result(results: Sequence[Rows]) -> tuple[Model, bool] | None:
            found, made = results[-2:]
            row = next(iter([*found, *made]), None)
            return None if row is None else (self._decode(row), not found)

        tags = plan.touched() if plan.spec.expires is None else plan.touched() | plan.cascaded()
        return await self._do_taking(operation, Write(statements, tags, effects, result), takes, lock=lock)

    def _unique(self, on: Sequence[str] | None, new: EntityCreate, operation: str) -> Sequence[str]:
        """The fields by which a row is found."""
        spec, given = self._plan.spec, {name for name in new.model_fields_set if getattr(new, name) is not None}
        natural = [] if spec.natural_key is None else [(stored_name(spec.natural_key, spec),)]
        # A key that is given says which row is meant; otherwise what people know it by.
        groups: list[tuple[str, ...]] = list(dict.fromkeys([spec.key, *natural, *spec.unique_groups]))
        known = " or ".join(" and ".join(group) for group in groups)
        if on is None:
            chosen = next((group for group in groups if given.issuperset(group)), None)
            problem = f"needs a value for what is unique about the row: {known}"
        else:
            wanted = sorted(stored_name(name, spec) for name in ([on] if isinstance(on, str) else on))
            chosen = next((group for group in groups if sorted(group) == wanted), None)
            problem = f"cannot find a row by {' and '.join(wanted)}, which is not unique; it can by {known}"
        missing = [] if chosen is None else [name for name in chosen if name not in given]
        if missing:
            chosen, problem = None, f"finds the row by {' and '.join(missing)}, which is not given, or null"
        if chosen is None:
            raise ValidationFailedError(
                f"{operation} of {spec.entity_type} {problem}",
                "Give what is unique about the row, not null, and name it with on= where several values are given.",
                entity_type=spec.entity_type,
                operation=operation,
            )
        return chosen


def _equal(names: Sequence[str], values: Mapping[str, Any]) -> Predicate:
    return Group("and", tuple(Compare(name, "eq", (values[name],)) for name in names))


def _matching(match: Match, values: Mapping[str, Any]) -> Predicate:
    return Group("and", tuple(Compare(part.field, part.operator, (values[part.field],)) for part in match))


def _merged(rule: Rule | None, value: Any) -> Any:
    return value if rule is None else Merged(rule.name, value, rule.otherwise)
