"""Loaders of related rows: those of one row or of many, with one statement for all that are asked for at the same time."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

from soulspot_db.entity import Entity
from soulspot_db.errors import NotFoundError, ValidationFailedError
from soulspot_db.language.order import Order
from soulspot_db.repositories.access import Filter
from soulspot_db.repositories.reading import ReadRepository
from soulspot_db.repositories.relations.related import RelatedRows

__all__ = ["RelatingRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
T = TypeVar("T")


class RelatingRepository(ReadRepository[Model, KeyType], Generic[Model, KeyType]):
    """The related rows of an entity. Nothing is loaded unless it is asked for.

    What types they have, the generated methods say.
    """

    async def _parent(self, name: str, row: Model, *, fresh: bool = False) -> T | None:  # pyright: ignore[reportInvalidTypeVarUse]
        """The row that one refers to, or None."""
        local, rows = self._related(name)
        self._check_row(name, row)
        key = getattr(row, local)
        self._loads_one(name)
        found: Any = None if key is None else await rows.parent(key, fresh=fresh)
        return cast("T | None", found)

    async def _parent_or_raise(self, name: str, row: Model, *, fresh: bool = False) -> T:  # pyright: ignore[reportInvalidTypeVarUse]
        """The row that one refers to, where there always is one; raises where it is gone by now."""
        self._loads_one(name)
        return (await self._parents_or_raise(name, [row], fresh=fresh))[0]

    async def _parents(self, name: str, rows: Sequence[Model], *, fresh: bool = False) -> list[T | None]:
        """The rows that several refer to, in their order."""
        local, others = self._related(name)
        keys = [getattr(self._check_row(name, row), local) for row in self._listed(rows, "rows", name)]
        found = await others.parents(dict.fromkeys(key for key in keys if key is not None), fresh=fresh)
        return [cast("T | None", found.get(key)) for key in keys]

    async def _parents_or_raise(self, name: str, rows: Sequence[Model], *, fresh: bool = False) -> list[T]:
        """The rows that several refer to, where there always is one; raises where one is gone by now."""
        found: list[Any] = await self._parents(name, rows, fresh=fresh)
        for row, parent in zip(rows, found, strict=True):
            if parent is None:
                spec = self._plan.spec
                key = self._plan.keys.text(self._plan.key_of(row))
                context = {} if any(field.sensitive for field in spec.key_fields) else {"entity_id": key}
                raise NotFoundError(
                    f"the {name} of this {spec.entity_type} is gone; it was deleted after the row was read",
                    "Read the row again.",
                    entity_type=spec.entity_type,
                    operation=name,
                    **context,
                )
        return found

    async def _children(
        self,
        name: str,
        row: Model,
        where: Filter = None,
        *,
        order_by: Order = None,
        limit: int | None = None,
        fresh: bool = False,
    ) -> list[T]:
        """The rows that refer to one, or are linked with it."""
        local, rows = self._related(name)
        self._check_row(name, row)
        self._loads_one(name)
        return await rows.children(getattr(row, local), where, order_by, limit, fresh=fresh)

    async def _children_of(
        self,
        name: str,
        rows: Sequence[Model],
        where: Filter = None,
        *,
        order_by: Order = None,
        limit: int | None = None,
        fresh: bool = False,
    ) -> list[list[T]]:
        """The same for several, in their order; `limit` is how many there are at most for each."""
        local, others = self._related(name)
        keys = [getattr(self._check_row(name, row), local) for row in self._listed(rows, "rows", name)]
        found = await others.children_of(list(dict.fromkeys(keys)), where, order_by, limit, fresh=fresh)
        return [list(found[key]) for key in keys]

    def _check_row(self, name: str, row: object) -> object:
        """A row of another entity may have a field of the same name, and so relatives that are not meant."""
        model = self._plan.schema.model
        if not isinstance(row, model):
            several = self._plan.spec.relations[name].several
            more = f"; {several} takes several" if several and isinstance(row, (list, tuple)) else ""
            raise self._refuse(name, f"one {model.__name__}, got {type(row).__name__}{more}")
        return row

    def _loads_one(self, name: str) -> None:
        spec = self._plan.spec
        several = spec.relations[name].several or "the loader of several"
        self._plan.watch.loads_one(spec.entity_type, name, several, (type(self).__module__,))

    def _related(self, name: str) -> tuple[str, RelatedRows]:
        """The field of ours that links, and the rows at the other end."""
        spec = self._plan.spec
        relation = spec.relations.get(name)
        if relation is None:
            raise ValidationFailedError(
                f"{spec.entity_type} has no relation {name!r}",
                f"It has {', '.join(spec.relations) or 'none'}.",
                entity_type=spec.entity_type,
                operation="related",
            )
        return relation.local, RelatedRows(self._db, self._plan, relation)
