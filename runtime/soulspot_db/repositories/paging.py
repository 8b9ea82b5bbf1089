"""Reading many rows a part at a time: pages that a caller asks for one after another, and a stream of all."""

from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from soulspot_db.cache.question import question
from soulspot_db.entity import Entity
from soulspot_db.errors import ValidationFailedError
from soulspot_db.language.order import Order, Term
from soulspot_db.language.predicates import Predicate, all_of
from soulspot_db.repositories.access import Filter
from soulspot_db.repositories.bulk import checked_size
from soulspot_db.repositories.cursors import CursorError, read_cursor, write_cursor
from soulspot_db.repositories.relations.including import IncludingRepository
from soulspot_db.sql.keyset import backwards, beyond, complete

__all__ = ["PAGE_SIZE", "Page", "PagingRepository", "Wanted"]

Model = TypeVar("Model")
EntityModel = TypeVar("EntityModel", bound=Entity)
KeyType = TypeVar("KeyType")
PAGE_SIZE = 50
_MOST = 2**62  # one row more is asked for


@dataclass(frozen=True, slots=True)
class Page(Generic[Model]):
    """Some of the rows that match, in their order.

    `next` and `previous` are what to pass as `after` and `before` for the pages around it; None where there is none.
    """

    items: list[Model]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page: of which rows, in which order, and after or before which of them."""

    where: Predicate | None
    order: Sequence[Term]
    limit: int
    after: str | None
    before: str | None


class PagingRepository(IncludingRepository[EntityModel, KeyType], Generic[EntityModel, KeyType]):
    """Pages and streams of an entity."""

    async def _page(
        self,
        where: Filter = None,
        *,
        order_by: Order = None,
        limit: int = PAGE_SIZE,
        after: str | None = None,
        before: str | None = None,
        fresh: bool = False,
    ) -> Page[EntityModel]:
        predicate, order = self._filter(where, "page"), self._order(order_by, "page")
        asking = question("page", where, order_by, limit, after, before)
        wanted = Wanted(predicate, order, limit, after, before)
        return await self._page_of("page", asking, wanted, fresh=fresh)

    async def _page_of(
        self, operation: str, asking: Hashable | None, wanted: Wanted, *, kept: bool = True, fresh: bool
    ) -> Page[EntityModel]:
        """The page that is wanted; the other arguments are those of `_found`."""
        spec, size = self._plan.spec, min(self._amount("limit", wanted.limit), _MOST)
        where, order = wanted.where, complete(wanted.order, spec.key)
        self._check_order(order)
        if wanted.after is not None and wanted.before is not None:
            raise self._refuse_page("after and before do not go together", "after")
        is_turned = wanted.before is not None
        # The page before a row is the first one after it in the opposite order.
        direction = backwards(order) if is_turned else order
        cursor = wanted.before if is_turned else wanted.after
        if cursor is not None:
            where = all_of(where, self._beyond(direction, cursor, order))
        statement = self._plan.queries.select(where, order_by=direction, limit=size + 1)
        found = await self._found(operation, asking, statement, about=wanted.where, kept=kept, fresh=fresh)
        items, goes_on = list(found[:size]), len(found) > size
        if is_turned:
            items.reverse()
        # Where it comes from there is more; where it goes to, only if one row more was found.
        has_next, has_previous = (True, goes_on) if is_turned else (goes_on, cursor is not None)
        return Page(
            items,
            next=self._cursor(order, items[-1]) if items and has_next else None,
            previous=self._cursor(order, items[0]) if items and has_previous else None,
        )

    async def _stream(
        self, where: Filter = None, *, order_by: Order = None, batch_size: int = 1000
    ) -> AsyncIterator[EntityModel]:
        spec, size = self._plan.spec, checked_size(batch_size)
        predicate, order = self._filter(where, "stream"), complete(self._order(order_by, "stream"), spec.key)
        rest = predicate
        while True:
            statement = self._plan.queries.select(rest, order_by=order, limit=size)
            found = await self._found("stream", None, statement, kept=False, fresh=True)
            for model in found:
                yield model
            if len(found) < size:
                return
            values = tuple(getattr(found[-1], term.field) for term in order)
            rest = all_of(predicate, beyond(order, values, spec.nullable))

    def _beyond(self, direction: Sequence[Term], cursor: str, order: Sequence[Term]) -> Predicate:
        spec = self._plan.spec
        try:
            return beyond(direction, read_cursor(cursor, order, spec), spec.nullable)
        except CursorError as error:
            raise self._refuse_page(str(error), "cursor") from None

    def _cursor(self, order: Sequence[Term], model: EntityModel) -> str:
        return write_cursor(order, [getattr(model, term.field) for term in order], self._plan.spec)

    def _check_order(self, order: Sequence[Term]) -> None:
        """Everybody who gets a cursor can read what is in it."""
        for term in order:
            if self._plan.spec.fields[term.field].sensitive:
                raise self._refuse_page(f"{term.field} is sensitive, and would be part of the cursor", term.field)

    def _refuse_page(self, problem: str, field: str) -> ValidationFailedError:
        return ValidationFailedError(
            f"no page of {self._plan.spec.entity_type}: {problem}",
            "Pass `next` of a page as after=, or `previous` as before=, with the order of that page.",
            entity_type=self._plan.spec.entity_type,
            operation="page",
            field=field,
        )
