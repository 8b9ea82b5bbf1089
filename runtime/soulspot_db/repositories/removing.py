"""Deleting rows: for good, or hiding them where that is what deleting means; not those that a guard keeps."""

from collections.abc import Awaitable, Collection, Sequence
from typing import Generic, TypeVar

from soulspot_db.cache.tags import Tag
from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.entity import Entity
from soulspot_db.language.predicates import Group
from soulspot_db.language.visibility import present
from soulspot_db.repositories.access import Filter
from soulspot_db.repositories.bulk import Progress
from soulspot_db.repositories.guarding import kept_by, refused_by_guard, unguarded
from soulspot_db.repositories.writing import WriteRepository
from soulspot_db.sessions.operations import Effects, Write
from soulspot_db.sql.clauses import Where, narrowed
from soulspot_db.sql.touching import with_touched

__all__ = ["RemovingRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")


class RemovingRepository(WriteRepository[Model, KeyType], Generic[Model, KeyType]):
    """The deletes of an entity."""

    async def _delete(self, key: KeyType) -> bool:
        values = self._plan.keys.values(key, "delete")
        return bool(await self._remove("delete", self._plan.by_key(values), self._plan.touched([values])))

    async def _delete_where(
        self,
        where: Filter,
        *,
        all_rows: bool = False,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        predicate = self._condition(where, all_rows, "delete_where")

        def write(rows: Where | None) -> Awaitable[int]:
            return self._remove("delete_where", rows, self._plan.touched(), whole=predicate or Group("and", ()))

        return await self._in_batches("delete_where", predicate, write, batch_size, progress)

    async def _remove(
        self, operation: str, where: Where | None, tags: Collection[Tag], *, whole: Where | None = None
    ) -> int:
        """Delete rows, or hide them where that is what deleting means; returns how many there were.

        Args:
            operation: what the caller called.
            where: the rows.
            tags: what that may touch.
            whole: those of which these are some, where they are deleted in batches.
        """
        plan, whole = self._plan, where if whole is None else whole
        free = unguarded(plan.spec, where, whole)
        lock = plan.queries.lock_rows(where) if plan.spec.guards else None
        before = [] if lock is None else [lock]
        if plan.spec.soft_delete is None:
            removed = await self._erase(operation, tags, told=[plan.queries.delete(free)], before=before)
        else:
            removed = await self._hide(operation, before, free, plan.spec.soft_delete, tags)
        if not removed:
            await self._check_guards(operation, narrowed(whole, present(plan.spec)))
        return removed

    async def _hide(
        self, operation: str, before: Sequence[Statement], where: Where | None, field: str, tags: Collection[Tag]
    ) -> int:
        plan, now = self._plan, utc_now()
        # Who sees deleted rows as well does not delete them twice.
        there = narrowed(where, present(plan.spec))
        # It comes back without its flags, which another may have by then.
        gone = {field: now} | {flag.name: False for flag in plan.spec.exclusive}
        request = Write(
            [*before, plan.queries.update(there, with_touched(plan.spec, gone, now), whole=False)],
            tags,
            lambda results: plan.effects(results[-1], "deleted"),
            lambda results: len(results[-1]),
        )
        return await self._do(operation, request)

    async def _erase(
        self,
        operation: str,
        tags: Collection[Tag],
        *,
        told: Sequence[Statement] = (),
        untold: Sequence[Statement] = (),
        before: Sequence[Statement] = (),
    ) -> int:
        """Delete rows for good; returns how many there were.

        Args:
            operation: what the caller called.
            tags: what that may touch, beside what it cascades to.
            told: what deletes rows of which events tell.
            untold: what deletes those of which nobody hears.
            before: what comes before both.
        """
        plan, first = self._plan, len(before)

        def effects(results: Sequence[Rows]) -> Effects:
            done = Effects()
            for place, rows in enumerate(results[first:]):
                done.add(plan.erased(rows, told=place >= len(untold)))
            return done

        def erased(results: Sequence[Rows]) -> int:
            return sum(map(len, results[first:]))

        request = Write([*before, *untold, *told], {*tags, *plan.cascaded()}, effects, erased)
        return await self._do(operation, request)

    async def _check_guards(self, operation: str, where: Where | None) -> None:
        """Of rows that were not deleted, tell those that a guard keeps from those that are not there."""
        spec = self._plan.spec
        for name, guard in spec.guards.items():
            statement = self._plan.queries.exists(kept_by(where, guard))
            if await self._answer(operation, None, statement, bool, kept=False, fresh=True):
                raise refused_by_guard(spec, name, operation)
