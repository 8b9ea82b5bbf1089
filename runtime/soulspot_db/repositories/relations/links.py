"""The links of a relation that has an order: read, put in another order, added and removed."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from soulspot_db.defaults import utc_now
from soulspot_db.engine.base import Rows
from soulspot_db.entity import Entity, EntityCreate
from soulspot_db.errors import SchemaInvalidError
from soulspot_db.language.order import Term
from soulspot_db.language.ordered import wrong_order
from soulspot_db.language.predicates import Compare, Group, Predicate
from soulspot_db.language.relations import Through
from soulspot_db.registry import EntityRegistry
from soulspot_db.repositories.refusals import refused_input
from soulspot_db.repositories.removing import RemovingRepository
from soulspot_db.sessions.batching import chunks
from soulspot_db.sessions.operations import Effects, Read, Write
from soulspot_db.sessions.session import HasSession
from soulspot_db.sql.placing import Placing

__all__ = ["Links"]

Key = Any
"""The key of a row at the other end."""


class Links(RemovingRepository[Entity, Any]):
    """What links one row with those of a relation, in their order.

    Args:
        db: where they are read and written.
        through: the entity in between.
        parent: the value that links to the one row.
    """

    def __init__(self, db: HasSession, through: Through, parent: Any) -> None:
        self.schema = EntityRegistry.get_schema(through.entity)  # type: ignore[misc]  # the class variable of others
        super().__init__(db)
        for message, hint in wrong_order(through, self._plan.spec):
            raise SchemaInvalidError(message, *([] if hint is None else [hint]), entity_type=through.entity)
        self._through = through
        self._place_field = through.position or ""
        self._owner = parent
        self._of_parent = Compare(through.local, "eq", (parent,))

    async def positions(self, operation: str) -> dict[Key, int]:
        """The rows at the other end by their positions, the first one first."""
        plan, names = self._plan, list(self._plan.spec.fields)
        remote, position = names.index(self._through.remote), names.index(self._place_field)
        order = [Term(name, descending=False) for name in (self._place_field, *plan.spec.key)]
        statement = plan.queries.select(self._of_parent, order_by=order)
        key_of = plan.codec.decoder(self._through.remote)

        def found(rows: Sequence[Any]) -> dict[Key, int]:
            return {key_of(row[remote]): row[position] for row in rows}

        return await self._ask(operation, Read(plan.region, None, (), lambda: statement, found, fresh=True))

    async def remove(self, operation: str, keys: Sequence[Key]) -> None:
        """Remove the links with these."""
        for some in chunks(keys):
            linked: Predicate = Compare(self._through.remote, "in", tuple(some))
            await self._remove(operation, Group("and", (self._of_parent, linked)), self._plan.touched())

    async def place(self, operation: str, places: Mapping[Key, int], beyond: int) -> None:
        """Give these their positions; `beyond` lies above all positions that there are and will be."""
        if not places:
            return
        if self._is_unique:
            # Out of each other's way first, because unique indexes look at every single row.
            away = {key: beyond + number for number, key in enumerate(places)}
            await self._put(operation, away, is_told=False)
        await self._put(operation, places, is_told=True)

    async def _put(self, operation: str, places: Mapping[Key, int], *, is_told: bool) -> None:
        plan = self._plan
        placing = Placing(self._through.local, self._through.remote, self._place_field, self._owner, places)

        def effects(results: Sequence[Rows]) -> Effects:
            return plan.effects(results[0], "updated", [self._place_field]) if is_told else Effects()

        write = Write([plan.queries.place(placing)], plan.touched(), effects, lambda _results: None)
        await self._do(operation, write)

    @property
    def _is_unique(self) -> bool:
        return any(index.unique and self._place_field in index.fields for index in self._plan.spec.indexes)

    async def add(self, operation: str, places: Mapping[Key, int]) -> None:
        """Link these, at their positions."""
        now = utc_now()
        rows = [self._values_of(self._new(operation, *place), now=now, operation=operation) for place in places.items()]
        await self._insert(operation, rows)

    def _new(self, operation: str, key: Key, position: int) -> EntityCreate:
        values = {self._through.local: self._owner, self._through.remote: key, self._place_field: position}
        try:
            return self._plan.schema.create_model.model_validate(values)
        except ValidationError as error:
            raise refused_input(error, self._plan.spec, operation) from None
