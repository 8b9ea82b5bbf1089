"""What hangs on a COMMIT: what was cached before it is void, and what is published of it comes in its turn."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from soulspot_db.cache.cache import Cache
from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Outcome, Rows
from soulspot_db.errors import CommitOutcomeUnknownError
from soulspot_db.events.line import Slot
from soulspot_db.events.publisher import Publisher
from soulspot_db.events.rows import Told
from soulspot_db.sessions.operations import Effects

if TYPE_CHECKING:
    import asyncio

__all__ = ["Commit"]

T = TypeVar("T")


class Commit(Generic[T]):
    """What hangs on one COMMIT.

    The order is the promise: dirty, COMMIT, invalidate, drop, clean, publish, acknowledge. Called on the loop in commit
    order, so events of one row are queued in the order of their commits.
    """

    __slots__ = ("_cache", "_dirty", "_effects", "_publisher", "_result", "_tags", "dropping")

    def __init__(
        self,
        cache: Cache,
        publisher: Publisher,
        tags: Collection[Tag],
        effects: Callable[[Sequence[Rows]], Effects],
        result: Callable[[Sequence[Rows]], T],
    ) -> None:
        self._cache = cache
        self._publisher = publisher
        self._tags = tags
        self._effects = effects
        self._result = result
        self._dirty = cache.mark_dirty(tags)
        self.dropping: asyncio.Task[None] | None = None
        """What tells other programs, to be waited for before the caller goes on; None where there are none."""

    def __call__(self, outcome: Outcome) -> T:
        """Do what hangs on it; returns what the caller gets."""
        # Taken at the COMMIT, released when no read can miss it: a later commit's events do not overtake.
        slot = self._publisher.reserve()
        touched: Collection[Tag] = ()
        events: Collection[Told] = ()
        try:
            rows = outcome.result()
            done = self._effects(rows)
            touched = done.tags
            self._cache.invalidate(touched)
            events = done.events
        except CommitOutcomeUnknownError:
            touched = self._tags  # it may have happened
            self._cache.invalidate(touched)
            raise
        finally:
            self.dropping = self._cache.drop(touched, lambda: self._over(slot, events))
        return self._result(rows)

    def _over(self, slot: Slot, events: Collection[Told]) -> None:
        with slot:
            self._cache.clear_dirty(self._dirty)
            slot.release(events)
