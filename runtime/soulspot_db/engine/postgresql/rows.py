"""Single writes of one row, one after another."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from soulspot_db.cache.tags import Tag, is_row
from soulspot_db.errors import LockedError

__all__ = ["RowTurns"]


class RowTurns:
    """Has single writes of one row wait for each other here.

    In the database they would wait as well, for the row's lock. But each is its own COMMIT, so which of them was first could
    not be told from when they were sent, as `CommitOrder` tells it of transactions.

    Args:
        patience: seconds to wait for a turn.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._locks: WeakValueDictionary[Tag, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, tags: Collection[Tag]) -> AsyncIterator[None]:
        """The turn of a write of exactly one row; one of many has no turn, lest two wait for each other.

        Args:
            tags: what it may touch.

        Raises:
            LockedError: those before it took too long.
        """
        rows = [tag for tag in tags if is_row(tag)]
        if len(rows) != 1:
            yield
            return
        (row,) = rows
        lock = self._locks.setdefault(row, asyncio.Lock())
        try:
            async with asyncio.timeout(self._patience):
                await lock.acquire()
        except TimeoutError:
            raise LockedError(
                f"other writes of the same row took longer than {self._patience:g} s",
                "Run it again: `db.run_in_transaction` does so by itself.",
                "Keep transactions short: somebody keeps the row locked.",
                timeout=self._patience,
            ) from None
        try:
            yield
        finally:
            lock.release()
