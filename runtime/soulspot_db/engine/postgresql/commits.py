"""Commits that are under way, in the order in which the server does them."""

import asyncio
from collections.abc import Collection, Sequence

from soulspot_db.cache.tags import Tag, may_share_rows

__all__ = ["CommitOrder", "Place"]


class CommitOrder:
    """Has what hangs on commits of the same rows done in their order: events are published in it.

    Their answers come on different connections, so they may be seen in another order. A transaction takes its place when it
    sends COMMIT. It has its rows locked then, so whoever writes one of them afterwards sends COMMIT later. A statement that
    is its own COMMIT takes its place with its answer: a transaction that touches its rows and has sent COMMIT by then has
    kept it waiting, and is stored already (but for answers that are overtaken: docs/events.md). Nobody waits for a later
    place, so no two wait for each other.
    """

    def __init__(self) -> None:
        self._under_way: list[Place] = []

    def place(self, tags: Collection[Tag]) -> "Place":
        """A place for a commit that touches `tags`, to be taken and left."""
        return Place(self._under_way, tags)


class Place:
    """The place of one commit among those that are under way."""

    __slots__ = ("_before", "_line", "left", "tags")

    def __init__(self, line: list["Place"], tags: Collection[Tag]) -> None:
        self._line = line
        self.tags = tags
        self._before: Sequence[Place] = ()
        self.left: asyncio.Event | None = None  # once it is taken

    def take(self) -> None:
        """Stand behind those that are under way."""
        self._before = [place for place in self._line if may_share_rows(place.tags, self.tags)]
        self.left = asyncio.Event()
        self._line.append(self)

    async def turn(self) -> None:
        """Wait for those that were here before and touch the same rows; the place is taken now at the latest."""
        if self.left is None:
            if not self._line:
                return  # nobody to stand behind, and what is done at once keeps nobody waiting
            self.take()
        for place in self._before:
            if place.left is not None:
                await place.left.wait()

    def leave(self) -> None:
        """What hangs on the commit is done, or there was none."""
        if self.left is not None:
            self._line.remove(self)
            self.left.set()
            self._before = ()  # or each would keep all that ever stood before it
