"""All cached answers of one database."""

from collections.abc import Collection
from typing import Any

from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.stamps import Stamp, Stamps
from soulspot_db.cache.tags import Tag
from soulspot_db.cache.trust import Trust
from soulspot_db.fairness import Turns
from soulspot_db.home import Home
from soulspot_db.language.document import CacheDocument

__all__ = ["Cache"]


class Cache:
    """Regions, one for each entity, over shared stamps.

    Args:
        ttl: seconds an entry may be served, where the entity does not say.
        max_size: entries per entity, where the entity does not say; 0 switches the cache off.
        recheck: seconds after which somebody has to look whether other programs have written.
    """

    def __init__(self, *, ttl: float, max_size: int, recheck: float) -> None:
        self._ttl = ttl
        self._max_size = max_size
        self._regions: list[CacheRegion] = []
        self.home = Home()
        self.turns = Turns(self.home)
        self._stamps = Stamps()
        self.trust = Trust(self.home, recheck=recheck, on_others=lambda: self._stamps.touch_all())  # noqa: PLW0108 - others once closed

    def add_region(self, setting: CacheDocument | bool) -> CacheRegion:
        """A region for an entity with this `cache:` setting."""
        ttl, size = self._ttl, self._max_size
        if isinstance(setting, CacheDocument):
            ttl = setting.ttl or ttl
            size = min(size, setting.max_size) if setting.max_size is not None else size
        region = CacheRegion(self._stamps, self.trust, self.turns, ttl=ttl, max_size=size if setting else 0)
        self._regions.append(region)
        return region

    def mark_dirty(self, tags: Collection[Tag]) -> tuple[Stamp, ...]:
        """Say that a COMMIT touching `tags` is about to happen; returns what `clear_dirty` takes."""
        return self._stamps.mark_dirty(tags)

    def clear_dirty(self, stamps: Collection[Stamp]) -> None:
        """Say that it is over, and that everything it touched has been invalidated."""
        self._stamps.clear_dirty(stamps)

    def invalidate(self, tags: Collection[Tag]) -> None:
        """Make every entry that depends on one of `tags` a miss, and keep no load that has begun."""
        self._stamps.touch(tags)

    def forget(self) -> None:
        """Forget every entry, and keep no load that has begun."""
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
        self.turns.start_anew()
        self.home.leave()

    @property
    def hits(self) -> int:
        """How often an answer came from memory."""
        return sum(region.hits for region in self._regions)

    def stats(self) -> dict[str, Any]:
        """The `memory` part of the statistics."""
        hits = self.hits
        asked = hits + sum(region.misses for region in self._regions)
        return {
            "hit_rate": round(hits / asked, 4) if asked else 0.0,
            "size": sum(len(region) for region in self._regions),
            "max_size": self._max_size * max(len(self._regions), 1),
        }
