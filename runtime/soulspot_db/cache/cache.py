"""All cached results of one database."""

from collections.abc import Collection
from typing import Any

from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.stamps import Stamps, Tag
from soulspot_db.fairness import Turns
from soulspot_db.language.document import CacheDocument

__all__ = ["Cache"]

# One row entry depends on two tags and a query on one; more stamps than entries keep entries from dying early.
_STAMPS_PER_ENTRY = 4
_MAX_STAMPS = 200_000


class Cache:
    """Regions by entity type over shared stamps.

    Args:
        ttl: seconds an entry may be served, where the entity does not say.
        max_size: entries per entity, where the entity does not say; 0 switches the cache off.
    """

    def __init__(self, *, ttl: float, max_size: int) -> None:
        self._ttl = ttl
        self._max_size = max_size
        self._regions: dict[str, CacheRegion] = {}
        self._turns = Turns()
        self._stamps = Stamps(min(_MAX_STAMPS, max(max_size, 1) * _STAMPS_PER_ENTRY * 64))

    def region(self, entity_type: str, setting: CacheDocument | bool) -> CacheRegion:
        """The region of an entity, made on first use from its `cache:` setting."""
        if entity_type not in self._regions:
            ttl, size = self._ttl, self._max_size
            if isinstance(setting, CacheDocument):
                ttl = setting.ttl or ttl
                size = min(size, setting.max_size) if setting.max_size is not None else size
            self._regions[entity_type] = CacheRegion(
                self._stamps, ttl=ttl, max_size=size if setting else 0, turns=self._turns
            )
        return self._regions[entity_type]

    def mark_dirty(self, tags: Collection[Tag]) -> None:
        """Say that a COMMIT touching `tags` is about to happen."""
        self._stamps.mark_dirty(tags)

    def clear_dirty(self, tags: Collection[Tag]) -> None:
        """Say that it is over, and that everything it touched has been invalidated."""
        self._stamps.clear_dirty(tags)

    def invalidate(self, tags: Collection[Tag]) -> None:
        """Make every entry that depends on one of `tags` a miss."""
        self._stamps.drop(tags)

    def clear(self) -> None:
        """Forget every entry."""
        for region in self._regions.values():
            region.clear()

    def stats(self) -> dict[str, Any]:
        """The `memory` part of the statistics."""
        hits = sum(region.hits for region in self._regions.values())
        asked = hits + sum(region.misses for region in self._regions.values())
        return {
            "hit_rate": round(hits / asked, 4) if asked else 0.0,
            "size": sum(len(region) for region in self._regions.values()),
            "max_size": self._max_size * max(len(self._regions), 1),
        }
