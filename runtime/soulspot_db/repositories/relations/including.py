"""Rows together with related rows, typed: those of the relations that are named, and nothing else."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from soulspot_db.entity import Entity
from soulspot_db.repositories.relations.included import Included
from soulspot_db.repositories.relations.relating import RelatingRepository
from soulspot_db.repositories.relations.relatives import Relatives, together

__all__ = ["IncludingRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
Made = TypeVar("Made", bound=Included[Any])


class IncludingRepository(RelatingRepository[Model, KeyType], Generic[Model, KeyType]):
    """Rows of an entity with what belongs to them."""

    async def _include(
        self, made: type[Made], rows: Sequence[Model], names: Sequence[str], *, fresh: bool = False
    ) -> list[Made]:
        """Each row with what its relations of these names lead to.

        Args:
            made: the class of a row with its relatives.
            rows: the rows.
            names: relations; what their rows are related with is another call.
            fresh: ask the database even if the answer is known.
        """
        tree = Relatives(self._db, self.schema).tree(names, "include")
        listed = self._listed(rows, "rows", "include")
        found = await together(self._session, [partial(self._named, name, listed, fresh=fresh) for name in tree])
        return [made(row, dict(zip(tree, related, strict=True))) for row, *related in zip(listed, *found, strict=True)]

    async def _named(self, name: str, rows: Sequence[Model], *, fresh: bool) -> list[Any]:
        spec = self._plan.spec
        relation = spec.relations[name]
        if relation.many:
            return await self._children_of(name, rows, fresh=fresh)
        others = self._plan.find(relation.entity)
        # A row that is there may be hidden.
        may_lack = spec.fields[relation.local].nullable or others.soft_delete or others.expires
        load = self._parents if may_lack else self._parents_or_raise
        return await load(name, rows, fresh=fresh)
