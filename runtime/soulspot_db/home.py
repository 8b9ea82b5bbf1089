"""The event loop that a database is open in: what is in memory is made for its thread alone."""

import asyncio
from threading import get_ident

from soulspot_db.engine.errors import in_another_loop

__all__ = ["Home"]


class Home:
    """The loop of one database, from when it is opened until it is closed."""

    __slots__ = ("_loop", "thread")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self.thread: int | None = None
        """The thread of the loop, to look at first where it matters: asking for the running loop costs several times as much."""

    def enter(self) -> None:
        """The database has been opened, in this loop."""
        self._loop, self.thread = asyncio.get_running_loop(), get_ident()

    def leave(self) -> None:
        """It has been closed."""
        self._loop = self.thread = None

    def admits(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether a loop may use the database; any may find out that it is closed."""
        return self._loop is None or self._loop is loop

    def require(self) -> None:
        """Nothing, in this loop.

        Raises:
            ConnectionFailedError: in another one.
        """
        if not self.admits(asyncio.get_running_loop()):
            raise in_another_loop()
