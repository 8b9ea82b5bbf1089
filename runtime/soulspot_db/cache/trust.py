"""Trust: how long entries are believed before somebody has to look whether another program has written."""

import asyncio
import time
from collections.abc import Callable

from soulspot_db.home import Home

__all__ = ["Trust"]

# Seconds that a read waits for a look; longer than a look at an idle database takes, shorter than anybody notices.
_PATIENCE = 0.02
# Seconds after which a look that nobody has answered is asked for once more: the file may have been locked, or gone.
_AGAIN = 1.0


class Trust:
    """When somebody last looked, and the looking.

    Args:
        home: the loop in which the database is open, and in which looks are told of.
        recheck: seconds for which a look is good.
        on_others: called when others have written.
    """

    def __init__(self, home: Home, *, recheck: float, on_others: Callable[[], None]) -> None:
        self._home = home
        self._recheck = recheck
        self._on_others = on_others
        self._look: Callable[[], None] | None = None
        self._looked = float("-inf")
        self._asked = float("-inf")
        self._news: asyncio.Future[None] | None = None

    def ask(self, look: Callable[[], None]) -> None:
        """Say whom to ask; the answer comes to `looked`, at once or later. Until then everything is believed."""
        self._look = look

    @property
    def is_asked(self) -> bool:
        """Whether there is anybody to ask."""
        return self._look is not None

    def forget(self) -> None:
        """Nobody has looked, and nobody was asked: the database has just been opened, in this loop."""
        self._looked = float("-inf")
        self._news = None
        self._home.enter()

    def _ask(self, look: Callable[[], None]) -> None:
        self._asked = time.monotonic()
        look()

    def looked(self, at: float, others: bool) -> None:
        """Somebody has looked.

        Args:
            at: when, on the monotonic clock; everything others committed before that is known.
            others: whether they have committed anything since the last look.
        """
        if others:
            self._on_others()
        self._looked = max(self._looked, at)
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def lasts(self) -> bool:
        """Whether a look is recent enough."""
        return self._look is None or self._looked > time.monotonic() - self._recheck

    async def renewed(self) -> bool:
        """Whether entries may be believed, after a look if one is due.

        False where nobody could look in time, because the writer is busy with something long: nobody should wait for
        that to read, and the database itself can be read.
        """
        if self._look is None:
            return True
        oldest = time.monotonic() - self._recheck
        while self._looked < oldest:
            if self._news is None or self._news.done() or self._news.get_loop() is not asyncio.get_running_loop():
                self._news = asyncio.get_running_loop().create_future()
                self._ask(self._look)
            elif self._asked < time.monotonic() - _AGAIN:
                self._ask(self._look)
            # From when it was asked: while the writer is busy, one reader waits for this long, not each of them.
            patience = self._asked + _PATIENCE - time.monotonic()
            done, _ = await asyncio.wait({self._news}, timeout=max(patience, 0))
            if not done:
                return False
        return True
