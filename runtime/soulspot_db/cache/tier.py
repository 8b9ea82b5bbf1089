"""The second tier: stamps and answers that all programs share, and what happens while it cannot be reached.

Stamps are random. A write drops those of its tags, a read makes the missing ones; none ever comes back, so an answer that was
read before a write is never taken for one from after it, whoever keeps it and however late.
"""

import asyncio
import contextvars
import logging
from collections.abc import Collection, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from soulspot_db.cache.batch import Batch, Found, UnreachableError
from soulspot_db.cache.names import EVERYTHING
from soulspot_db.errors import ConfigurationError
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["Connection", "SecondTier"]

T = TypeVar("T")
_log = logging.getLogger("soulspot_db.cache")
_BUDGET = 0.05  # seconds for a batch; who asks while one is under way waits for two
_PATIENCE = 1.0  # seconds where nobody does
_FAILURES = 2  # one after another; the first may be a connection that was cut, and the next one is made at once
_REST = 0.5  # seconds between two tries to reach it again
_MOST_OWED = 10_000
_TURNS = 5


class Connection(Protocol):
    """One connection to where it is kept, made when it is needed."""

    async def check(self, database: str) -> None:
        """Connect, for the answers of this database; raises UnreachableError, and ConfigurationError where it cannot be used."""
        ...

    async def run(self, batch: Batch) -> Found:
        """Do what is in a batch, in its order; raises the same."""
        ...

    async def close(self) -> None:
        """Disconnect at once; what was asked and not answered is never answered."""
        ...

    def forget(self) -> None:
        """Disconnect without a word to the loop, which has ended."""
        ...


class SecondTier:
    """One batch is under way at a time; what is asked meanwhile goes with the next.

    What was asked and not answered may have been done or not. Stamps that were to be dropped are owed then: they are dropped
    before anything else is asked, so nothing that is found after them is from before the write.

    Args:
        connection: where it is.
        address: what it is called in the log.
    """

    def __init__(self, connection: Connection, address: str) -> None:
        self._connection = connection
        self._address = address
        self._owed: set[bytes] = set()
        self._next: Batch | None = None
        self._work: asyncio.Task[None] | None = None
        self._return: asyncio.Task[None] | None = None
        self._failures = 0
        self._is_open = False
        self.is_up = False
        """Whether it is asked at all."""
        self.reason: str | None = None
        """Why it is not, in words."""

    @property
    def owes(self) -> int:
        """How many stamps are left to drop."""
        return len(self._owed)

    async def open(self, database: str) -> None:
        """Begin, for the answers of this database. Where nobody can be reached, that is waited for in the background.

        Raises:
            ConfigurationError: somebody was reached, and cannot be used.
        """
        # What was left when it was closed may have been anything: others have written since.
        self._owed = {EVERYTHING} if self._owed else set()
        self._next, self._work, self._return, self._failures = None, None, None, 0
        self._is_open = self.is_up = True
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._connection.check(database)
        except (UnreachableError, TimeoutError) as error:
            await self._connection.close()
            self._lost(error)
        if self._owed or not self.is_up:
            self._come_back_later()

    async def close(self) -> None:
        """Drop what is owed, if that can be had, and disconnect."""
        self._is_open = False
        if self._return is not None:
            self._return.cancel()
            await asyncio.wait({self._return})
        if self.is_up and (self._owed or self._work is not None):
            await _answered(self._asked())
        self.is_up = False
        if self._work is not None:
            await asyncio.wait({self._work})
        self._tell_what_is_left()
        await self._connection.close()

    def forget(self) -> None:
        """The loop in which it was opened has ended, maybe without closing it."""
        if self._is_open and self._work is not None:
            self.owe([EVERYTHING])  # it may have had stamps to drop
        if self._is_open:
            self._tell_what_is_left()
        self._is_open = self.is_up = False
        self._connection.forget()

    async def look_up(self, names: Sequence[bytes]) -> list[bytes | None] | None:
        """The values of these names; None where nobody can tell."""
        if not self.is_up:
            return None
        batch = self._asked()
        batch.look_up(names)
        return _values(await _answered(batch), names)

    async def note(self, names: Sequence[bytes]) -> list[bytes] | None:
        """The stamps of these names, those that are missing made; None where nobody can tell, or one is gone at once."""
        if not self.is_up:
            return None
        batch = self._asked()
        batch.stamps.update(names)
        batch.look_up(names)
        found = _values(await _answered(batch), names)
        stamps = [stamp for stamp in found or () if stamp is not None]
        return stamps if len(stamps) == len(names) else None

    def keep(self, name: bytes, answer: bytes, ttl: float) -> None:
        """Keep an answer for so many seconds; nobody waits for it."""
        if self.is_up:
            self._asked().answers[name] = (answer, ttl)

    async def drop(self, names: Collection[bytes]) -> None:
        """Drop stamps; what cannot be dropped now is owed. Raises nothing, because the write is committed."""
        if not self.is_up:
            self.owe(names)
            return
        batch = self._asked()
        batch.drops.update(names)
        await _answered(batch)

    def owe(self, names: Collection[bytes]) -> None:
        """Drop stamps before anything else is asked."""
        self._owed.update(names)
        if len(self._owed) > _MOST_OWED:
            self._owed = {EVERYTHING}

    async def size(self) -> int | None:
        """How many keys there are, of all programs; None where nobody can tell."""
        if not self.is_up:
            return None
        batch = self._asked()
        batch.wants_size = True
        await _answered(batch)
        return batch.size

    def _asked(self) -> Batch:
        if self._next is None:
            self._next = Batch()
        if self._work is None:
            self._work = _task(self._run())
        return self._next

    async def _run(self) -> None:
        try:
            while (batch := self._next) is not None:
                self._next = None
                found = None
                try:
                    found = await self._attempt(batch)
                finally:
                    batch.answer(found)
        finally:
            self._work = None
            if (left := self._next) is not None:  # something has ended this that nobody foresaw
                self._next = None
                self.owe(left.drops)
                left.answer(None)

    async def _attempt(self, batch: Batch) -> Found | None:
        # What is owed from now on, such as of a write by others that was noticed meanwhile, is not part of it.
        batch.drops |= self._owed
        self._owed = set()
        found: Found | None = None
        try:
            found = await _within(_BUDGET if self.is_up else _PATIENCE, self._connection.run(batch))
        except (UnreachableError, ConfigurationError, TimeoutError) as error:
            self._failures += 1
            if self._failures >= _FAILURES:
                self._lost(error)
        else:
            self._found_again()
        finally:
            if found is None:  # whatever it was: they may have been dropped or not
                self.owe(batch.drops)
                self._come_back_later()
                await self._connection.close()
        return found

    def _lost(self, error: Exception) -> None:
        before, self.reason = self.reason, str(error) or "no answer in time"
        refuses = isinstance(error, ConfigurationError)
        # One that is back, and cannot be used, is another matter for whoever has started it.
        if self.is_up or (refuses and self.reason != before):
            message = "Redis at %s cannot be %s (%s); reads go to the database until it %s"
            can = ("used", "can be") if refuses else ("reached", "is back")
            log_quietly(_log, logging.WARNING, message, self._address, can[0], self.reason, can[1])
        self.is_up = False

    def _found_again(self) -> None:
        self._failures = 0
        if not self.is_up:
            self.is_up, self.reason = True, None
            log_quietly(_log, logging.WARNING, "Redis at %s is back", self._address)

    def _tell_what_is_left(self) -> None:
        if self._owed:
            message = (
                "closing without having told Redis at %s of the last writes; other programs may find old answers there"
            )
            log_quietly(_log, logging.WARNING, message, self._address)

    def _come_back_later(self) -> None:
        if self._return is None and self._is_open:
            self._return = _task(self._come_back())

    async def _come_back(self) -> None:
        """Ask again until it is there and nothing is owed: other programs would go on finding what is old."""
        try:
            rest = 0.0 if self.is_up else _REST
            while self._is_open and (self._owed or not self.is_up):
                await asyncio.sleep(rest)
                await _answered(self._asked())
                rest = _REST
        finally:
            self._return = None


async def _answered(batch: Batch) -> Found | None:
    future: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
    batch.waiting.append(future)
    return await future


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is stopped after so many seconds; raises TimeoutError.

    Where our own loop was busy, the answer may have come in time and not been read: it gets a few turns for that.
    """
    async with asyncio.timeout(None) as limit:
        timer = asyncio.get_running_loop().call_later(seconds, _expire, limit, _TURNS)
        try:
            return await work
        finally:
            timer.cancel()


def _expire(limit: asyncio.Timeout, turns: int) -> None:
    loop = asyncio.get_running_loop()
    if turns:
        loop.call_soon(_expire, limit, turns - 1)
    else:
        with suppress(RuntimeError):  # it has ended in the meantime
            limit.reschedule(loop.time())


def _values(found: Found | None, names: Sequence[bytes]) -> list[bytes | None] | None:
    return None if found is None else [found[name] for name in names]


def _task(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    return asyncio.get_running_loop().create_task(work, name="soulspot-db cache", context=contextvars.Context())
