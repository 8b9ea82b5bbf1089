"""Stamps: how a cached answer knows that what it depends on has not been written since.

A tag has one stamp for all who refer to it: entries, loads and writes. It lives as long as one of them does, so no stamp
is lost while an entry that it could revive is left, as would happen to counters in a map that evicts.
"""

from collections.abc import Collection
from weakref import WeakValueDictionary

from soulspot_db.cache.tags import Tag

__all__ = ["Moment", "Stamp", "Stamps"]


class Stamp:
    """How often a tag has been written, and how many writes to it are being committed at this moment."""

    __slots__ = ("__weakref__", "dirty", "generation")

    def __init__(self) -> None:
        self.generation = 0
        self.dirty = 0


class Moment:
    """What an answer depends on, as it stood when the question was asked."""

    __slots__ = ("_stamps", "generation")

    def __init__(self, stamps: tuple[Stamp, ...]) -> None:
        self._stamps = stamps
        # Generations only grow, so their sum stays the same only while each of them does.
        self.generation = sum([stamp.generation for stamp in stamps])

    def lasts(self) -> bool:
        """Whether nothing has been written since, and nothing is being committed."""
        generation = 0
        for stamp in self._stamps:
            if stamp.dirty:
                # While a COMMIT is under way nobody but the database knows whether it has happened.
                return False
            generation += stamp.generation
        return generation == self.generation


class Stamps:
    """The stamps of all tags."""

    def __init__(self) -> None:
        self._stamps: WeakValueDictionary[Tag, Stamp] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._stamps)

    def _of(self, tags: Collection[Tag]) -> tuple[Stamp, ...]:
        return tuple([self._stamps.get(tag) or self._made(tag) for tag in tags])

    def _made(self, tag: Tag) -> Stamp:
        stamp = self._stamps[tag] = Stamp()
        return stamp

    def now(self, tags: Collection[Tag]) -> Moment:
        """This moment, for what depends on `tags`."""
        return Moment(self._of(tags))

    def touch(self, tags: Collection[Tag]) -> None:
        """End every moment that depends on one of `tags`."""
        for tag in tags:
            stamp = self._stamps.get(tag)
            if stamp is not None:
                stamp.generation += 1

    def touch_all(self) -> None:
        """End every moment."""
        for stamp in list(self._stamps.values()):
            stamp.generation += 1

    def mark_dirty(self, tags: Collection[Tag]) -> tuple[Stamp, ...]:
        """Say that a COMMIT touching `tags` is about to happen; returns what `clear_dirty` takes."""
        stamps = self._of(tags)
        for stamp in stamps:
            stamp.dirty += 1
        return stamps

    def clear_dirty(self, stamps: Collection[Stamp]) -> None:
        """Say that it is over, and that everything it touched has been touched here."""
        for stamp in stamps:
            stamp.dirty -= 1
