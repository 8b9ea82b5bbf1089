"""Writing an entity: statements, what they touch, and what is published of them."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

from soulspot_db.cache.tags import Tag
from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.entity import Entity, EntityCreate, EntityUpdate
from soulspot_db.errors import (
    ConstraintViolationError,
    DatabaseError,
    UnsafeWriteError,
    ValidationFailedError,
    VersionConflictError,
)
from soulspot_db.fairness import spread
from soulspot_db.language.folding import folded
from soulspot_db.language.predicates import Compare, Group, Predicate, all_of
from soulspot_db.language.scope import stored_name
from soulspot_db.repositories.access import Filter
from soulspot_db.repositories.bulk import Key, Progress, batched, check_progress, checked_size, each, each_batch
from soulspot_db.repositories.exclusive import Take, overtaken, takes_of_changes, takes_of_rows, taking
from soulspot_db.repositories.expiry import making_room
from soulspot_db.repositories.paging import PagingRepository
from soulspot_db.repositories.refusals import stopped_after
from soulspot_db.sessions.batching import MOST, chunks
from soulspot_db.sessions.operations import Effects, Read, Write
from soulspot_db.sql.clauses import Where
from soulspot_db.sql.touching import with_touched

__all__ = ["WriteRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
T = TypeVar("T")


class WriteRepository(PagingRepository[Model, KeyType]):
    """Reads and writes one entity. What a write does to cache and events needs no more than keys.

    Args:
        db: a database, whose current transaction the calls join, or one transaction.
    """

    async def _save(self, new: EntityCreate) -> Model:
        return self._decode(await self._saved(new))

    async def _saved(self, new: EntityCreate) -> tuple[Any, ...]:
        """The row that is stored."""
        rows = await self._insert("save", [self._values_of(new, now=utc_now(), operation="save")])
        return rows[0]

    async def _save_many(self, new: Sequence[EntityCreate]) -> list[Model]:
        rows = await self._saved_many(tuple(self._listed(new, "rows", "save_many")))
        return await spread(rows, self._decode, self._plan.turns)

    async def _saved_many(self, new: Sequence[EntityCreate]) -> Sequence[tuple[Any, ...]]:
        """The rows that are stored, in order."""
        values_of = partial(self._values_of, now=utc_now(), operation="save_many")
        return await self._insert("save_many", await spread(new, values_of, self._plan.turns))

    async def _save_stream(
        self,
        new: Iterable[EntityCreate] | AsyncIterable[EntityCreate],
        *,
        batch_size: int = 1000,
        progress: Progress | None = None,
    ) -> int:
        size, saved = checked_size(batch_size), 0
        check_progress(progress)
        async for batch in batched(self._streamed(new), size):
            try:
                values_of = partial(self._values_of, now=utc_now(), operation="save_stream")
                await self._insert("save_stream", await spread(batch, values_of, self._plan.turns))
            except DatabaseError as error:
                raise stopped_after(saved, error).with_traceback(error.__traceback__) from error.__cause__
            saved += len(batch)
            if progress is not None:
                progress(saved)
        return saved

    def _streamed(self, given: Any) -> AsyncIterator[Any]:
        if not isinstance(given, (Iterable, AsyncIterable)):
            raise self._refuse("save_stream", f"rows one after another, got {type(given).__name__}")
        return each(given)

    async def _insert(self, operation: str, rows: Sequence[Mapping[str, Any]]) -> Sequence[tuple[Any, ...]]:
        """Insert rows, all or none; returns them as they are stored."""
        plan = self._plan
        if not rows:
            return []
        keys = [tuple(values[name] for name in plan.spec.key) for values in rows if plan.spec.key[0] in values]
        if 1 < len(rows) == len(keys):
            return await self._insert_all(operation, rows)

        room = making_room(plan, rows)

        def effects(results: Sequence[Rows]) -> Effects:
            made = [plan.codec.stored_key(row) for rows in results[len(room) :] for row in rows]
            return self._replaced(results[: len(room)], made)

        inserts = await self._inserts(rows, any_key=bool(keys)) if len(rows) > 1 else [self._insert_one(rows[0])]
        request = Write(
            statements=[*room, *inserts],
            tags=self._touched_by_new(room, keys if len(keys) == len(rows) else ()),
            effects=effects,
            result=lambda results: [row for rows in results[len(room) :] for row in rows],
        )
        return await self._do_taking(operation, request, takes_of_rows(plan.spec, rows, operation))

    def _touched_by_new(self, room: Sequence[Statement], keys: Sequence[Key]) -> Collection[Tag]:
        """What new rows with these keys may touch, and the expired ones that make room for them."""
        plan = self._plan
        return plan.touched() | plan.cascaded() if room else plan.touched(keys)

    def _replaced(self, gone: Sequence[Rows], made: Sequence[Sequence[Any]]) -> Effects:
        """The effects of new rows, and of the expired ones that made room for them, by their key columns."""
        found = self._plan.erased([row for rows in gone for row in rows])
        found.add(self._plan.effects(made, "created"))
        return found

    async def _inserts(self, rows: Sequence[Mapping[str, Any]], *, any_key: bool) -> Sequence[Statement]:
        """Statements that insert rows of which some have `any_key`, or none of them, and return them in order."""
        plan, names = self._plan, tuple(rows[0])
        if any_key or not names or not plan.queries.has_insert_many:
            return await spread(rows, self._insert_one, plan.turns)
        encoded = await spread(rows, plan.codec.encode_row, plan.turns)
        return [plan.queries.insert_many(names, chunk) for chunk in chunks(encoded)]

    def _insert_one(self, row: Mapping[str, Any]) -> Statement:
        return self._plan.queries.insert(tuple(row), self._plan.codec.encode_row(row))

    async def _insert_all(self, operation: str, rows: Sequence[Mapping[str, Any]]) -> Sequence[tuple[Any, ...]]:
        """Insert rows whose keys are known with one statement: what was bound is what is stored."""
        plan = self._plan
        stored = await spread(rows, plan.codec.encode_row, plan.turns)
        keys = await spread(stored, plan.codec.stored_key, plan.turns)
        room = making_room(plan, rows)
        request = Write(
            statements=[*room, *plan.queries.insert_all(stored)],
            tags=self._touched_by_new(room, list(map(plan.codec.decode_key, keys)) if len(keys) <= MOST else ()),
            effects=lambda results: self._replaced(results[: len(room)], keys),
            result=lambda _results: stored,
        )
        return await self._do_taking(operation, request, takes_of_rows(plan.spec, rows, operation))

    async def _do_taking(
        self,
        operation: str,
        request: Write[T],
        takes: Sequence[Take],
        *,
        single: bool = True,
        lock: Statement | None = None,
    ) -> T:
        """Take a lock and flags, and write; `single` where of the rows that are written no two can want the same."""
        plan = self._plan
        try:
            return await self._do(operation, taking(plan, takes, request, lock))
        except ConstraintViolationError as error:
            is_old_view = single and plan.dialect.has_arrays and self._session.current() is not None
            told = overtaken(error, plan, takes) if is_old_view else None
            if told is None:
                raise
            raise told from error

    def _values_of(self, new: EntityCreate, *, now: datetime, operation: str) -> dict[str, Any]:
        self._check_model(new, self._plan.schema.create_model, operation)
        plan, given = self._plan, new.__dict__
        values = {name: given[name] for name in plan.spec.fields}
        for name in plan.made_now:
            # The time of the save and not of the model, and the same for every field of the row.
            if name not in new.model_fields_set:
                values[name] = now
        if plan.assigned is not None and values[plan.assigned] is None:
            del values[plan.assigned]
        return values

    async def _update(self, key: KeyType, changes: EntityUpdate) -> Model | None:
        plan = self._plan
        values = plan.keys.values(key, "update")
        self._check_model(changes, plan.schema.update_model, "update")
        if not changes.model_fields_set:
            return await self._find(values, "update", fresh=True)

        def result(rows: Rows) -> Model | None:
            return self._decode(rows[0]) if rows else None

        where, tags = plan.by_key(values), plan.touched([values])
        changed = await self._change("update", self._as_read(where, changes), changes, tags, result, whole=True)
        if changed is None:
            await self._check_version(where, changes)
        return changed

    def _as_read(self, where: Where, changes: EntityUpdate) -> Where:
        """The row that `where` finds, if it has the version that is given."""
        version = self._plan.spec.version
        if version is None or version not in changes.model_fields_set:
            return where
        return Group("and", (cast("Predicate", where), Compare(version, "eq", (getattr(changes, version),))))

    async def _check_version(self, where: Where, changes: EntityUpdate) -> None:
        """Of a row that was not changed, tell one that somebody else has changed from one that is not there."""
        spec = self._plan.spec
        if spec.version is None or spec.version not in changes.model_fields_set:
            return
        if await self._answer("update", None, self._plan.queries.exists(where), bool, fresh=True):
            raise VersionConflictError(
                f"this {spec.entity_type} was changed since it was read: {spec.version} is not "
                f"{getattr(changes, spec.version)} any more",
                "Read the row again, decide again, and update it with its new version.",
                entity_type=spec.entity_type,
                operation="update",
                field=spec.version,
            )

    async def _change(
        self,
        operation: str,
        where: Where | None,
        changes: EntityUpdate,
        tags: Collection[Tag],
        result: Callable[[Rows], T],
        *,
        names: Sequence[str] | None = None,
        whole: bool = False,
    ) -> T:
        """Change the rows that `where` finds, as `_set` does; `names` is the order in which the caller gave the fields."""
        spec = self._plan.spec
        named = dict.fromkeys(stored_name(name, spec) for name in names or spec.fields)
        given = [name for name in named if name in changes.model_fields_set and name != spec.version]
        values = {name: getattr(changes, name) for name in given}
        return await self._set(operation, where, values, tags, result, whole=whole)

    async def _set(
        self,
        operation: str,
        where: Where | None,
        values: Mapping[str, Any],
        tags: Collection[Tag],
        result: Callable[[Rows], T],
        *,
        whole: bool = False,
    ) -> T:
        """Set fields of the rows that `where` finds.

        Args:
            operation: what the caller called.
            where: the rows.
            values: the new values by field, at least one, in the caller's order.
            tags: what that may touch.
            result: makes the caller's result of the changed rows.
            whole: whether the changed rows are needed, or only their keys.
        """
        plan = self._plan
        given = list(values)

        def effects(results: Sequence[Rows]) -> Effects:
            keys = list(map(plan.codec.stored_key, results[0])) if whole else results[0]
            return plan.effects(keys, "updated", given)

        statement = plan.queries.update(where, with_touched(plan.spec, values, utc_now()), whole=whole)
        request = Write([statement], tags, effects, lambda results: result(results[0]))
        takes = takes_of_changes(plan.spec, where, values)
        return await self._do_taking(operation, request, takes, single=operation == "update")

    async def _update_where(
        self,
        where: Filter,
        changes: EntityUpdate,
        *,
        all_rows: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
        names: Sequence[str] | None = None,
    ) -> int:
        predicate = self._condition(where, all_rows, "update_where")
        self._check_model(changes, self._plan.schema.update_model, "update_where")
        version = self._plan.spec.version
        if version is not None and version in changes.model_fields_set:
            raise ValidationFailedError(
                f"update_where of {self._plan.spec.entity_type} takes no {version}, which each row has for itself",
                f"Leave it out, or make {version} part of the filter.",
                entity_type=self._plan.spec.entity_type,
                operation="update_where",
                field=version,
            )
        if not changes.model_fields_set:
            return await self._count(where, fresh=True)

        def write(rows: Where | None) -> Awaitable[int]:
            return self._change("update_where", rows, changes, self._plan.touched(), len, names=names)

        return await self._in_batches("update_where", predicate, write, batch_size, progress)

    async def _in_batches(
        self,
        operation: str,
        predicate: Predicate | None,
        write: Callable[[Where | None], Awaitable[int]],
        size: int | None,
        progress: Progress | None,
    ) -> int:
        """Write to all rows at once, or to `size` at a time."""
        check_progress(progress)
        if size is None:
            written = await write(predicate)
            if progress is not None:
                progress(written)
            return written
        plan, limit = self._plan, checked_size(size)

        async def last_of(after: Predicate | None) -> Key | None:
            def last(rows: Sequence[Any]) -> Key | None:
                return plan.codec.decode_key(rows[-1]) if rows else None

            statement = plan.queries.keys(all_of(predicate, after), limit)
            return await self._ask(operation, Read(plan.region, None, (), lambda: statement, last, fresh=True))

        return await each_batch(plan.spec.key, last_of, lambda rows: write(all_of(predicate, rows)), progress)

    def _condition(self, where: Filter, all_rows: bool, operation: str) -> Predicate | None:
        predicate = self._filter(where, operation)
        if not all_rows and (predicate is None or folded(predicate, self._plan.spec.fields) is True):
            raise UnsafeWriteError(
                f"{operation} without a condition would touch every {self._plan.spec.entity_type}",
                "Give a filter with at least one condition.",
                "Pass all_rows=True if every row is meant.",
                entity_type=self._plan.spec.entity_type,
                operation=operation,
            )
        return predicate
