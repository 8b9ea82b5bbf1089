"""Tags and their stamps: how a cached entry knows that what it depends on has not changed.

Every tag has a stamp that is never used twice. A write replaces the stamps of what it touched; an entry holds the
stamps that were current before its database read, and is a hit only while they still are. Losing a stamp to eviction
makes a new one, so eviction can cost a hit but never revive an old entry, as a counter that restarts could.
"""

from collections import Counter
from collections.abc import Collection
from itertools import count
from typing import Any, TypeAlias

from cachetools import LRUCache

__all__ = ["Stamps", "Tag", "bulk", "row", "table"]

Tag: TypeAlias = tuple[Any, ...]


def row(table_name: str, key: tuple[Any, ...]) -> Tag:
    """The tag of one row."""
    return (table_name, "row", *key)


def bulk(table_name: str) -> Tag:
    """The tag of writes that touch rows whose keys are not known beforehand."""
    return (table_name, "*")


def table(table_name: str) -> Tag:
    """The tag of everything in a table; queries depend on it."""
    return (table_name,)


class Stamps:
    """The current stamp of every tag, and the tags that are being written at this moment.

    Args:
        max_size: how many stamps are kept.
    """

    def __init__(self, max_size: int) -> None:
        self._next = count()
        self._stamps: LRUCache[Tag, int] = LRUCache(max(max_size, 16))
        self._dirty: Counter[Tag] = Counter()

    def read(self, tags: Collection[Tag]) -> tuple[int, ...]:
        """The current stamps, made where there are none."""
        return tuple(self._stamp(tag) for tag in tags)

    def _stamp(self, tag: Tag) -> int:
        stamp = self._stamps.get(tag)
        if stamp is None:
            stamp = self._stamps[tag] = next(self._next)
        return stamp

    def drop(self, tags: Collection[Tag]) -> None:
        """Invalidate everything that depends on one of `tags`."""
        for tag in tags:
            self._stamps.pop(tag, None)

    def is_dirty(self, tags: Collection[Tag]) -> bool:
        """Whether one of `tags` is being committed, so that the database alone knows what is true."""
        return bool(self._dirty) and any(tag in self._dirty for tag in tags)

    def mark_dirty(self, tags: Collection[Tag]) -> None:
        """Say that a COMMIT touching `tags` is about to happen."""
        self._dirty.update(tags)

    def clear_dirty(self, tags: Collection[Tag]) -> None:
        """Say that it is over, and that its stamps have been dropped."""
        for tag in tags:
            self._dirty[tag] -= 1
            if not self._dirty[tag]:
                del self._dirty[tag]
