"""The cached results of one entity: reads through, lets one caller load for all, never keeps what a write overtook."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from cachetools import TTLCache

from soulspot_db.cache.stamps import Stamps, Tag
from soulspot_db.fairness import Turns

__all__ = ["CacheRegion"]

T = TypeVar("T")
_MISS: Final = object()


@dataclass(frozen=True, slots=True)
class _Entry:
    stamps: tuple[int, ...]
    value: Any


class CacheRegion:
    """Entries of one entity.

    Args:
        stamps: the stamps of all tags.
        ttl: seconds an entry may be served.
        max_size: how many entries are kept; 0 keeps none.
        turns: says when hits have kept the event loop busy for long enough.
    """

    def __init__(self, stamps: Stamps, *, ttl: float, max_size: int, turns: Turns) -> None:
        self._stamps = stamps
        self._turns = turns
        self._entries: TTLCache[Hashable, _Entry] = TTLCache(max(max_size, 1), ttl, timer=time.monotonic)
        self._enabled = max_size > 0
        self._loads: dict[Hashable, asyncio.Future[Any]] = {}
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)

    async def read(
        self, key: Hashable, tags: Collection[Tag], load: Callable[[], Awaitable[T]], *, fresh: bool = False
    ) -> T:
        """The value for `key`, from the cache or by `load`.

        Args:
            key: what is asked.
            tags: what the answer depends on.
            load: reads the database.
            fresh: read the database even if there is an entry.
        """
        if not self._enabled or self._stamps.is_dirty(tags):
            # While a COMMIT is under way nobody but the database knows whether it has happened.
            self.misses += 1
            return await load()
        stamps = self._stamps.read(tags)
        if fresh:
            # Not even a load under way is good enough: it may have read before this call began.
            self.misses += 1
            value = await load()
            self._offer(key, tags, stamps, value)
            return value
        entry = self._entries.get(key)
        if entry is not None and entry.stamps == stamps:
            self.hits += 1
            if self._turns.are_due():
                await asyncio.sleep(0)
            cached: T = entry.value
            return cached
        self.misses += 1
        return await self._load_once(key, stamps, tags, load)

    async def read_also(
        self,
        key: Hashable,
        tags: Collection[Tag],
        search: Callable[[], Awaitable[T]],
        *,
        fits: Callable[[T], bool],
        fresh: bool = False,
    ) -> T:
        """The value for `key` where there is one that `fits`; else what `search` answers, kept for `key` too if it fits.

        Args:
            key: another question, which may have the same answer.
            tags: what the answer to that depends on.
            search: answers the question that is asked, by itself or by another entry; a miss of `key` is not counted.
            fits: whether an answer to one is an answer to both.
            fresh: `search` even if there is an entry.
        """
        stamps = self._stamps.read(tags)
        entry = None if fresh or self._stamps.is_dirty(tags) else self._entries.get(key)
        if entry is not None and entry.stamps == stamps and fits(entry.value):
            self.hits += 1
            if self._turns.are_due():
                await asyncio.sleep(0)
            cached: T = entry.value
            return cached
        found = await search()
        if fits(found):
            self._offer(key, tags, stamps, found)
        return found

    def _offer(self, key: Hashable, tags: Collection[Tag], stamps: tuple[int, ...], value: Any) -> None:
        """Keep a value that was read under `stamps`, unless something it depends on was written since."""
        if self._enabled and self._stamps.read(tags) == stamps and not self._stamps.is_dirty(tags):
            self._entries[key] = _Entry(stamps, value)

    async def _load_once(
        self, key: Hashable, stamps: tuple[int, ...], tags: Collection[Tag], load: Callable[[], Awaitable[T]]
    ) -> T:
        # The stamps are part of the flight: a read that starts after a write must not join a load from before it.
        flight = (key, stamps)
        while (loading := self._loads.get(flight)) is not None:
            value = await asyncio.shield(loading)
            if value is not _MISS:
                joined: T = value
                return joined
            # The caller who was loading was cancelled; the next one in line tries for itself.
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._loads[flight] = future
        try:
            result = await load()
        except BaseException as error:
            if isinstance(error, Exception):
                # One answer for all, also where it is an error: trying again one after another would take as long for
                # each, and the last one would wait for all of them.
                future.set_exception(error)
                future.exception()  # nobody has to be waiting
            else:
                future.set_result(_MISS)
            raise
        else:
            future.set_result(result)
        finally:
            del self._loads[flight]
        self._offer(key, tags, stamps, result)
        return result

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()
