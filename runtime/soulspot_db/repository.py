"""Repository: all behaviour of generated repositories. A generated method is one call of a method here."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from soulspot_db.access import Filter, first
from soulspot_db.cache.tags import Tag
from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows
from soulspot_db.entity import Entity, EntityCreate, EntityUpdate
from soulspot_db.errors import UnsafeWriteError
from soulspot_db.language.filters import Predicate
from soulspot_db.language.folding import folded
from soulspot_db.operations import Effects, Write
from soulspot_db.query import Where
from soulspot_db.reading import ReadRepository

__all__ = ["Repository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
T = TypeVar("T")


class Repository(ReadRepository[Model, KeyType]):
    """Reads and writes one entity. What a write does to cache and events needs no more than keys.

    Args:
        db: a database, whose current transaction the calls join, or one transaction.
    """

    async def _save(self, new: EntityCreate) -> Model:
        return (await self._save_many([new], "save"))[0]

    async def _save_many(self, new: Sequence[EntityCreate], operation: str = "save_many") -> list[Model]:
        plan = self._plan
        now = utc_now()
        rows = [self._values_of(item, now, operation) for item in self._listed(new, "rows", operation)]
        if not rows:
            return []
        keys = [tuple(values[name] for name in plan.spec.key) for values in rows if plan.spec.key[0] in values]
        request = Write(
            statements=[plan.queries.insert(values) for values in rows],
            tags=plan.touched(keys if len(keys) == len(rows) else ()),
            effects=lambda results: plan.effects(plan.codec.stored_keys(rows[0] for rows in results), "created"),
            result=lambda results: [self._decode(rows[0]) for rows in results],
        )
        return await self._do(operation, request)

    def _values_of(self, new: EntityCreate, now: datetime, operation: str) -> dict[str, Any]:
        self._check_model(new, self._plan.schema.create_model, operation)
        values = {name: getattr(new, name) for name in self._plan.spec.fields}
        for field in self._plan.spec.fields.values():
            # The time of the save and not of the model, and the same for every field of the row.
            if field.made == "now" and field.name not in new.model_fields_set:
                values[field.name] = now
        for name in self._plan.spec.key:
            if self._plan.spec.fields[name].assigned and values[name] is None:
                del values[name]
        return values

    async def _update(self, key: KeyType, changes: EntityUpdate) -> Model | None:
        plan = self._plan
        values = plan.keys.values(key, "update")
        self._check_model(changes, plan.schema.update_model, "update")
        if not changes.model_fields_set:
            return await self._find(values, "update", fresh=True)
        tags = plan.touched([values])
        return first(await self._change("update", plan.by_key(values), changes, tags, self._all, whole=True))

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
        """Change the rows that `where` finds.

        Args:
            operation: what the caller called.
            where: the rows.
            changes: the fields to change, at least one.
            tags: what that may touch.
            result: makes the caller's result of the changed rows.
            names: the order in which the caller gave the fields.
            whole: whether the changed rows are needed, or only their keys.
        """
        plan = self._plan
        given = [name for name in names or plan.spec.fields if name in changes.model_fields_set]
        values = {name: getattr(changes, name) for name in given}
        for field in plan.spec.fields.values():
            if field.touched:
                values.setdefault(field.name, utc_now())

        def effects(results: Sequence[Rows]) -> Effects:
            return plan.effects(plan.codec.stored_keys(results[0]) if whole else results[0], "updated", given)

        statement = plan.queries.update(where, values, whole=whole)
        return await self._do(operation, Write([statement], tags, effects, lambda results: result(results[0])))

    async def _update_where(
        self, where: Filter, changes: EntityUpdate, *, all_rows: bool = False, names: Sequence[str] | None = None
    ) -> int:
        predicate = self._condition(where, all_rows, "update_where")
        self._check_model(changes, self._plan.schema.update_model, "update_where")
        if not changes.model_fields_set:
            return await self._count(where, fresh=True)
        return await self._change("update_where", predicate, changes, self._plan.touched(), len, names=names)

    async def _delete(self, key: KeyType) -> bool:
        values = self._plan.keys.values(key, "delete")
        return bool(await self._remove("delete", self._plan.by_key(values), self._plan.touched([values])))

    async def _delete_where(self, where: Filter, *, all_rows: bool = False) -> int:
        predicate = self._condition(where, all_rows, "delete_where")
        return await self._remove("delete_where", predicate, self._plan.touched())

    async def _remove(self, operation: str, where: Where | None, tags: Collection[Tag]) -> int:
        plan = self._plan
        cascaded = plan.cascaded()

        def effects(results: Sequence[Rows]) -> Effects:
            found = plan.effects(results[0], "deleted")
            if results[0]:
                found.tags |= cascaded
            return found

        request = Write([plan.queries.delete(where)], {*tags, *cascaded}, effects, lambda results: len(results[0]))
        return await self._do(operation, request)

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
