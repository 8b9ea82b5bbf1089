"""Loaders of related rows: those of one row or of many, with one statement for all that are asked for at the same time."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from soulspot_db.access import Filter
from soulspot_db.entity import Entity
from soulspot_db.errors import ValidationFailedError
from soulspot_db.reading import ReadRepository
from soulspot_db.related import RelatedRows
from soulspot_db.session import HasSession

__all__ = ["RelatingRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
Order = str | Sequence[str] | None


class RelatingRepository(ReadRepository[Model, KeyType], Generic[Model, KeyType]):
    """The related rows of an entity. Nothing is loaded unless it is asked for."""

    def __init__(self, db: HasSession) -> None:
        super().__init__(db)
        self._db = db

    async def _parent(self, name: str, row: Model, *, fresh: bool = False) -> Any:
        """The row that one refers to, or None."""
        local, rows = self._related(name)
        key = getattr(row, local)
        return None if key is None else await rows.parent(key, fresh=fresh)

    async def _parents(self, name: str, rows: Sequence[Model], *, fresh: bool = False) -> list[Any]:
        """The rows that several refer to, in their order."""
        local, others = self._related(name)
        keys = [getattr(row, local) for row in self._listed(rows, "rows", name)]
        found = await others.parents(dict.fromkeys(key for key in keys if key is not None), fresh=fresh)
        return [found.get(key) for key in keys]

    async def _children(
        self,
        name: str,
        row: Model,
        where: Filter = None,
        *,
        order_by: Order = None,
        limit: int | None = None,
        fresh: bool = False,
    ) -> list[Any]:
        """The rows that refer to one, or are linked with it."""
        local, rows = self._related(name)
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
    ) -> list[list[Any]]:
        """The same for several, in their order; `limit` is how many there are at most for each."""
        local, others = self._related(name)
        keys = [getattr(row, local) for row in self._listed(rows, "rows", name)]
        found = await others.children_of(list(dict.fromkeys(keys)), where, order_by, limit, fresh=fresh)
        return [list(found[key]) for key in keys]

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
