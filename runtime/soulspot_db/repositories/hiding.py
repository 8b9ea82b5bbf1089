"""Rows that are stored and usually not found: looking at them, bringing them back, and deleting them for good."""

import datetime as dt
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.entity import Entity
from soulspot_db.errors import ValidationFailedError
from soulspot_db.language.order import Term
from soulspot_db.language.predicates import Compare, Group, Now, Predicate
from soulspot_db.language.visibility import Visibility, present
from soulspot_db.repositories.bulk import Progress
from soulspot_db.repositories.expiry import expired
from soulspot_db.repositories.relations.ordering import OrderingRepository
from soulspot_db.sessions.operations import Effects, Write
from soulspot_db.sessions.plan import Plan
from soulspot_db.sql.clauses import Where, narrowed
from soulspot_db.sql.touching import with_touched

__all__ = ["HidingRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")


class HidingRepository(OrderingRepository[Model, KeyType], Generic[Model, KeyType]):
    """Rows that were deleted softly, or are past their time."""

    def _with_deleted(self) -> Self:
        """The same repository, which finds rows that were deleted softly as well."""
        return self._seeing(replace(self._plan.visibility, deleted=True))

    def _with_expired(self) -> Self:
        """The same repository, which finds rows past their time as well."""
        return self._seeing(replace(self._plan.visibility, expired=True))

    def _seeing(self, also: Visibility) -> Self:
        return type(self)(self._db, also)

    async def _restore(self, key: KeyType) -> Model | None:
        """Bring back a row that was deleted softly, and return it; None where there is none."""
        values = self._plan.keys.values(key, "restore")
        return await self._bring_back(self._plan.by_key(values))

    async def _bring_back(self, where: Where) -> Model | None:
        field = self._hides_deleted("restore")
        plan = self._plan_with_deleted
        deleted = Compare(field, "not_null")

        def effects(results: Sequence[Rows]) -> Effects:
            # Its end was told as that of any other row, and so is its coming back.
            return plan.effects(list(map(plan.codec.stored_key, results[0])), "created")

        statement = plan.queries.update(
            narrowed(where, deleted), with_touched(plan.spec, {field: None}, utc_now()), whole=True
        )
        request = Write([statement], plan.touched(), effects, lambda results: results[0])
        rows = await self._do("restore", request)
        return self._decode(rows[0]) if rows else None

    @property
    def _plan_with_deleted(self) -> Plan:
        return self._session.plans.of(self.schema, replace(self._plan.visibility, deleted=True))

    def _last_deleted(self, where: Where) -> Statement:
        """Finds the row that was deleted last of those that `where` finds."""
        field = self._hides_deleted("restore")
        plan = self._plan_with_deleted
        order = [Term(field, descending=True)]
        return plan.queries.select(narrowed(where, Compare(field, "not_null")), order_by=order, limit=1)

    async def _purge_deleted(
        self,
        *,
        older_than: dt.timedelta | None = None,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Delete for good what was deleted softly, and say how many rows there were; that they are gone was told before."""
        field = self._hides_deleted("purge_deleted")
        deleted: Predicate = Compare(field, "not_null")
        if older_than is not None:
            deleted = Group("and", (deleted, Compare(field, "lte", (Now(-self._age(older_than)),))))
        return await self._purge("purge_deleted", deleted, batch_size, progress, untold=(None,), told=())

    def _age(self, given: Any) -> dt.timedelta:
        if not isinstance(given, dt.timedelta) or given < dt.timedelta():
            raise self._refuse("purge_deleted", f"older_than as a timedelta that is not negative, got {given!r}")
        return given

    async def _purge_expired(self, *, batch_size: int | None = None, progress: Progress | None = None) -> int:
        """Delete for good what is past its time, and say how many rows there were."""
        spec = self._plan.spec
        if spec.expires is None:
            raise self._refuse_hiding("purge_expired", "expires")
        # That rows which were deleted softly are gone was told before.
        hidden = None if spec.soft_delete is None else Compare(spec.soft_delete, "not_null")
        untold = () if hidden is None else (hidden,)
        past = expired(spec, spec.expires)
        return await self._purge("purge_expired", past, batch_size, progress, untold=untold, told=(present(spec),))

    async def _purge(
        self,
        operation: str,
        where: Predicate,
        size: int | None,
        progress: Progress | None,
        *,
        untold: Sequence[Predicate | None],
        told: Sequence[Predicate | None],
    ) -> int:
        """Delete rows for good: those for which `untold` holds, or `told`, of which events tell; None holds for all."""
        tags = self._plan.touched()

        def erasing(rows: Where | None, conditions: Sequence[Predicate | None]) -> list[Statement]:
            return [self._plan.queries.erase(narrowed(rows, condition)) for condition in conditions]

        def erase(rows: Where | None) -> Awaitable[int]:
            return self._erase(operation, tags, untold=erasing(rows, untold), told=erasing(rows, told))

        return await self._in_batches(operation, where, erase, size, progress)

    def _hides_deleted(self, operation: str) -> str:
        field = self._plan.spec.soft_delete
        if field is None:
            raise self._refuse_hiding(operation, "soft_delete")
        return field

    def _refuse_hiding(self, operation: str, setting: str) -> ValidationFailedError:
        return ValidationFailedError(
            f"{self._plan.spec.entity_type} has no '{setting}', so there is nothing for {operation} to do",
            f"Give its schema '{setting}: <a datetime field>', or leave the call out.",
            entity_type=self._plan.spec.entity_type,
            operation=operation,
        )
