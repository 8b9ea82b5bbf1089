"""Caches of other libraries, filled with the same rows as models."""

from uuid import UUID

from cachetools import TTLCache
from cashews import Cache
from data import Candidate, all_rows, candidate, stored
from place import Place

__all__ = ["Cachetools", "Cashews"]

MODELS = {row["id"]: candidate(stored(row)) for row in all_rows()[:1000]}


async def load(key: UUID) -> Candidate:
    """The slow part, which is not measured: every row is in the cache by then."""
    return MODELS[key]


class Cachetools:
    """A lookup in a coroutine: never invalidated, no other task is served."""

    name = "cachetools"
    errors = ()

    def __init__(self, _place: Place) -> None:
        self._cache: TTLCache[UUID, Candidate] = TTLCache(1000, 300)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        self._cache.clear()

    async def get_cached(self, key: UUID) -> Candidate:
        try:
            return self._cache[key]
        except KeyError:
            self._cache[key] = await load(key)
            return self._cache[key]


class Cashews:
    """Its decorator over its store in memory."""

    name = "cashews"
    errors = ()

    def __init__(self, _place: Place) -> None:
        self._cache = Cache()

    async def open(self) -> None:
        self._cache.setup("mem://?size=1000")
        self.get_cached = self._cache(ttl="5m", key="candidate:{key}")(load)

    async def close(self) -> None:
        await self._cache.close()
