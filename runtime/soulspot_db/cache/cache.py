"""All cached answers of one database."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from soulspot_db.cache.names import EVERYTHING, touched_names
from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.stamps import Stamp, Stamps
from soulspot_db.cache.tags import Tag
from soulspot_db.cache.trust import Trust
from soulspot_db.fairness import Turns
from soulspot_db.home import Home
from soulspot_db.language.document import CacheDocument
from soulspot_db.monitoring.counters import TierCounts

if TYPE_CHECKING:
    from soulspot_db.cache.tier import SecondTier

__all__ = ["Cache"]


class Cache:
    """Regions, one for each entity, over shared stamps.

    Args:
        ttl: seconds an entry may be served, where the entity does not say.
        max_size: entries per entity, where the entity does not say; 0 switches the cache off.
        recheck: seconds after which somebody has to look whether other programs have written.
        tier: the second tier, which other programs share.
    """

    def __init__(self, *, ttl: float, max_size: int, recheck: float, tier: "SecondTier | None" = None) -> None:
        self.tier = tier
        self._recheck = recheck
        self._dropping: set[asyncio.Task[None]] = set()
        self._ttl = ttl
        self._max_size = max_size
        self._regions: list[CacheRegion] = []
        self._of_entities: dict[str, list[CacheRegion]] = {}  # with those by which more rows are found
        self.home = Home()
        self.turns = Turns(self.home)
        self._stamps = Stamps()
        self.trust = Trust(self.home, recheck=recheck, on_others=self._others_wrote)

    def _others_wrote(self) -> None:
        self._stamps.touch_all()
        if self.tier is not None:
            # Whoever it was may know nothing of the tier. Owed, and so dropped before anything is looked up there.
            self.tier.owe([EVERYTHING])

    def add_region(self, setting: CacheDocument | bool, entity: str = "", schema: bytes = b"") -> CacheRegion:
        """A region for an entity with this `cache:` setting, whose rows are read by this `schema`."""
        ttl, size, shares = self._ttl, self._max_size, True
        if isinstance(setting, CacheDocument):
            ttl, shares = setting.ttl or ttl, setting.l2
            size = min(size, setting.max_size) if setting.max_size is not None else size
        region = self._made(ttl, size if setting else 0, schema, shares=shares)
        self._regions.append(region)
        self._of_entities.setdefault(entity, []).append(region)
        return region

    def _made(self, ttl: float, max_size: int, schema: bytes, *, shares: bool) -> CacheRegion:
        if self.tier is None:
            return CacheRegion(self._stamps, self.trust, self.turns, ttl=ttl, max_size=max_size)
        # Only who has a second tier has its libraries.
        from soulspot_db.cache.shared import SharedRegion  # noqa: PLC0415

        return SharedRegion(
            self._stamps,
            self.trust,
            self.turns,
            self.tier,
            ttl=ttl,
            max_size=max_size,
            recheck=self._recheck,
            schema=schema,
            shares=shares,
        )

    async def open(self, identity: Callable[[], Awaitable[str]]) -> None:
        """Begin, in this loop; `identity` says which database it is.

        Raises:
            ConfigurationError: the second tier cannot be used.
        """
        self.trust.forget()
        if self.tier is not None:
            name = blake2b((await identity()).encode(errors="surrogatepass"), digest_size=6).hexdigest()
            await self.tier.open(name)
            if self.trust.is_asked:
                self.tier.owe([EVERYTHING])  # who wrote while nobody looked may know nothing of the tier

    async def close(self) -> None:
        """Tell other programs what is left to tell."""
        # A loop that has ended without closing has taken the connection with it.
        if self.tier is not None and self.home.admits(asyncio.get_running_loop()):
            if self._dropping:
                await asyncio.wait(self._dropping)
            await self.tier.close()

    def mark_dirty(self, tags: Collection[Tag]) -> tuple[Stamp, ...]:
        """Say that a COMMIT touching `tags` is about to happen; returns what `clear_dirty` takes."""
        return self._stamps.mark_dirty(tags)

    def clear_dirty(self, stamps: Collection[Stamp]) -> None:
        """Say that it is over, and that everything it touched has been invalidated."""
        self._stamps.clear_dirty(stamps)

    def invalidate(self, tags: Collection[Tag]) -> None:
        """Make every entry here that depends on one of `tags` a miss, and keep no load that has begun."""
        self._stamps.touch(tags)

    def drop(self, tags: Collection[Tag] | None, over: Callable[[], None]) -> "asyncio.Task[None] | None":
        """Have other programs' entries, and those they share, become misses as well; then `over` is called.

        Args:
            tags: what they depend on; all of them for None.
            over: called once they are misses, or it is known who has to see to that.

        Returns:
            What does so, whoever waits for it; None where nothing is to be done, and `over` was called at once.
        """
        if self.tier is None or (tags is not None and not tags):
            over()
            return None
        task = asyncio.get_running_loop().create_task(
            self._dropped(self.tier, tags, over), name="soulspot-db cache", context=contextvars.Context()
        )
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)
        return task

    async def _dropped(self, tier: "SecondTier", tags: Collection[Tag] | None, over: Callable[[], None]) -> None:
        try:
            await tier.drop([EVERYTHING] if tags is None else touched_names(tags))
        finally:
            over()

    def forget(self) -> None:
        """Forget every entry here, and keep no load that has begun."""
        self._stamps.touch_all()
        for region in self._regions:
            region.forget()

    def clear(self) -> None:
        """Forget everything, because the database is closed.

        That is also what is being loaded and written: a loop that ended in the middle of it never says that it is over.
        """
        self._stamps.touch_all()
        self._stamps = Stamps()
        for region in self._regions:
            region.start_anew(self._stamps)
        self._dropping = set()
        self.turns.start_anew()
        self.home.leave()
        if self.tier is not None:
            self.tier.forget()

    @property
    def hits(self) -> int:
        """How often an answer came from memory."""
        return sum(region.hits for region in self._regions)

    @property
    def misses(self) -> int:
        """How often it did not."""
        return sum(region.misses for region in self._regions)

    def stats(self) -> dict[str, Any]:
        """The `memory` part of the statistics."""
        return {**_memory(self._regions), "max_size": self._max_size * max(len(self._regions), 1)}

    def counts(self) -> dict[tuple[str, str], TierCounts]:
        """Hits and misses by tier and entity; any thread may ask."""
        found: dict[tuple[str, str], TierCounts] = {}
        for entity, regions in self._of_entities.copy().items():
            several = tuple(regions)
            found["memory", entity] = TierCounts(
                sum(each.hits for each in several), sum(each.misses for each in several)
            )
            if self.tier is not None:
                found["redis", entity] = TierCounts(
                    sum(each.shared_hits for each in several), sum(each.shared_misses for each in several)
                )
        return found

    async def shared_stats(self) -> dict[str, Any] | None:
        """The `redis` part of the statistics; None without a second tier."""
        if self.tier is None:
            return None
        return {"hit_rate": _shared_rate(self._regions), "size": await self.tier.size()}

    def by_entity(self) -> dict[str, dict[str, Any]]:
        """Figures of each entity that was asked for, by tier."""
        return {
            entity: {"memory": _memory(regions), "redis": self.tier and {"hit_rate": _shared_rate(regions)}}
            for entity, regions in sorted(self._of_entities.items())
        }


def _memory(regions: Collection[CacheRegion]) -> dict[str, Any]:
    hits = sum(region.hits for region in regions)
    rate = _rate(hits, sum(region.misses for region in regions))
    return {"hit_rate": rate, "size": sum(len(region) for region in regions)}


def _shared_rate(regions: Collection[CacheRegion]) -> float:
    return _rate(sum(region.shared_hits for region in regions), sum(region.shared_misses for region in regions))


def _rate(hits: int, misses: int) -> float:
    return round(hits / (hits + misses), 4) if hits or misses else 0.0
