"""Related rows that have an order: added, removed, moved and replaced, with positions that stay dense whoever does it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from soulspot_db.entity import Entity
from soulspot_db.errors import NotFoundError
from soulspot_db.repositories.relations.arrangement import moved, with_added, without
from soulspot_db.repositories.relations.links import Links
from soulspot_db.repositories.upserting import UpsertRepository
from soulspot_db.sessions.operations import Effects, Write

__all__ = ["OrderingRepository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")
Order = list[Any]


class OrderingRepository(UpsertRepository[Model, KeyType], Generic[Model, KeyType]):
    """The relations of an entity that have an order.

    Each change is one transaction. It holds the row that has the relation, so that of many who change the same order one does
    at a time; then it reads the order, and writes what differs from the new one.
    """

    async def _add_to(self, name: str, row: Model, keys: Sequence[Any], *, at: int | None = None) -> int:
        """Add rows at a place or at the end, and say how many were not there yet; those that were stay where they are."""
        place = None if at is None else self._amount("at", at)
        added = self._keys(name, keys, f"add_to_{name}")
        before, after = await self._arranged(name, row, f"add_to_{name}", lambda order: with_added(order, added, place))
        return len(after) - len(before)

    async def _remove_from(self, name: str, row: Model, keys: Sequence[Any]) -> int:
        """Remove rows, and say how many were there."""
        gone = self._keys(name, keys, f"remove_from_{name}")
        before, after = await self._arranged(name, row, f"remove_from_{name}", lambda order: without(order, gone))
        return len(before) - len(after)

    async def _move_in(self, name: str, row: Model, key: Any, to: int) -> bool:
        """Move a row to a place, or to the end where there are fewer; False where it is not there."""
        place = self._amount("to", to)
        (one,) = self._keys(name, [key], f"move_in_{name}")

        def after(order: Order) -> Order:
            return moved(order, one, place) if one in order else order

        before, _ = await self._arranged(name, row, f"move_in_{name}", after)
        return one in before

    async def _replace(self, name: str, row: Model, keys: Sequence[Any]) -> int:
        """Have these rows and no others, in this order, and say how many they are."""
        wanted = [*dict.fromkeys(self._keys(name, keys, f"replace_{name}"))]
        await self._arranged(name, row, f"replace_{name}", lambda _order: wanted)
        return len(wanted)

    async def _arranged(
        self, name: str, row: Model, operation: str, arrange: Callable[[Order], Order]
    ) -> tuple[Order, Order]:
        """Put the rows of a relation in another order; returns the order before and after."""
        self._check_row(name, row)
        relation = self._plan.spec.relations[name]
        through = relation.through
        if through is None or through.position is None:
            raise self._refuse(operation, f"a relation that has a position, which {name} has not")
        links = Links(self._db, through, getattr(row, relation.local))
        async with self._holding(row, operation):
            places = await links.positions(operation)
            before = [*places]
            after = arrange(before)
            dense = {key: place for place, key in enumerate(after)}
            await links.remove(operation, [key for key in before if key not in dense])
            wrong = {key: place for key, place in dense.items() if places.get(key, place) != place}
            beyond = max([len(after), *places.values()]) + 1
            await links.place(operation, wrong, beyond)
            await links.add(operation, {key: place for key, place in dense.items() if key not in places})
        return before, after

    @asynccontextmanager
    async def _holding(self, row: Model, operation: str) -> AsyncIterator[None]:
        """A transaction in which nobody else changes the order of what belongs to a row.

        Raises:
            NotFoundError: the row is gone.
        """
        plan = self._plan
        held = plan.queries.hold(plan.by_key(plan.key_of(row)))
        async with self._session.latest(f"{operation} of {plan.spec.entity_type}"):
            if not await self._do(operation, Write([held], (), lambda _rows: Effects(), lambda rows: bool(rows[0]))):
                raise NotFoundError(
                    f"the {plan.spec.entity_type} is gone; it was deleted after the row was read",
                    "Read the row again.",
                    entity_type=plan.spec.entity_type,
                    operation=operation,
                )
            yield

    def _keys(self, name: str, keys: Sequence[Any], operation: str) -> list[Any]:
        """Keys of the rows at the other end, checked."""
        _, rows = self._related(name)
        return [rows.checked_key(key, operation) for key in self._listed(keys, "ids", operation)]
