"""The cached answers of one entity: reads through, lets one caller load for all, never keeps what a write overtook."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

from cachetools import LRUCache

from soulspot_db.cache.stamps import Moment, Stamps
from soulspot_db.cache.tags import Tag
from soulspot_db.cache.trust import Trust
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.fairness import Turns

__all__ = ["MISS", "Basis", "CacheRegion", "Entry", "Load", "LoadMany"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
MISS: Final[Any] = object()
"""No answer, where None would be one."""
# Entries made together do not end together: up to a tenth of their time less for each.
_JITTER = 0.1


class Load(Protocol[T_co]):
    """How the answer to a question is had from the database."""

    async def __call__(self) -> T_co:
        """The answer."""
        ...

    def statement(self) -> Statement:
        """What the database is asked."""
        ...

    async def rows(self) -> Rows:
        """What it says."""
        ...

    async def answer(self, rows: Rows) -> T_co:
        """The answer that these rows are."""
        ...


LoadMany: TypeAlias = Callable[[Collection[Hashable]], Awaitable[Mapping[Hashable, T]]]
"""Reads the database for the questions that are missing, and answers each of them."""


class Basis(NamedTuple):
    """What an answer rests on in the second tier: stamps by name, when they were looked at, and until when it may be served."""

    expires: float
    names: tuple[bytes, ...]
    stamps: tuple[bytes, ...]
    looked: float


@dataclass(slots=True, eq=False)
class Entry:
    """A kept answer, to be served until `ends` without a word to anybody; where it rests on a second tier, then with one."""

    ends: float
    moment: Moment
    value: Any
    basis: Basis | None = None

    def lasts(self) -> bool:
        """Whether it may still be served."""
        return self.moment.lasts() and time.monotonic() < self.ends


class CacheRegion:
    """Entries of one entity.

    Args:
        stamps: the stamps of all tags.
        trust: says whether entries may be believed, where other programs write the database too.
        turns: says when hits have kept the event loop busy for long enough.
        ttl: seconds that an entry may be served, at most.
        max_size: how many entries are kept; 0 keeps none.
    """

    def __init__(self, stamps: Stamps, trust: Trust, turns: Turns, *, ttl: float, max_size: int) -> None:
        self._stamps = stamps
        self._trust = trust
        self._turns = turns
        self._ttl = ttl
        self._entries: LRUCache[Hashable, Entry] = LRUCache(max(max_size, 1))
        self._enabled = max_size > 0
        self.room = max_size
        self._loads: dict[Hashable, asyncio.Future[Any]] = {}
        self.hits = 0
        self.misses = 0
        self.shared_hits = 0  # answers of the second tier, if there is one
        self.shared_misses = 0

    def __len__(self) -> int:
        now = time.monotonic()
        return sum(now < entry.ends for entry in self._entries.values())

    def peek(self, key: Hashable) -> Any:
        """The answer to `key` where it can be had at once, else MISS; whoever gets that asks `read`, which counts it."""
        value = self.known(key)
        if value is MISS or not self._trust.lasts() or self._turns.are_due():
            return MISS
        self.hits += 1
        return value

    def peek_many(self, keys: Iterable[Hashable]) -> Any:
        """The answers to all of `keys` where they can be had at once, else MISS."""
        values: list[Any] = []
        for key in keys:
            value = self.known(key)
            if value is MISS or not self._trust.lasts() or self._turns.are_due():
                return MISS
            values.append(value)
        self.hits += len(values)
        return values

    def known(self, key: Hashable) -> Any:
        """The answer to `key` as it is kept and valid, else MISS; counts for nothing."""
        try:
            entry = self._entries[key]
        except (KeyError, TypeError):  # not there, or a value that cannot be hashed and so never is
            return MISS
        return entry.value if entry.lasts() else MISS

    async def kept(self, key: Hashable) -> Any:
        """The answer to `key` as it is kept and valid, else MISS; counts for nothing."""
        return self.known(key)

    def is_ready(self, *, fresh: bool) -> bool:
        """Whether what is read at once may be returned without a word to anybody else; if not, `read` sees to it.

        A `fresh` answer needs nobody's word on what others have written: it is asked of the database.
        """
        return (fresh or self._trust.lasts()) and not self._turns.are_due()

    def fill(
        self,
        key: Hashable,
        tags: Collection[Tag],
        value: T,
        narrow: Callable[[T], Collection[Tag] | None] | None = None,
    ) -> T:
        """Keep an answer that was read at this very moment, unless what it depends on is being written; returns it."""
        self.misses += 1
        if self._enabled:
            self._keep(key, self._stamps.now(tags), value, narrow)
        return value

    def _set(self, key: Hashable, moment: Moment, value: Any) -> None:
        self._entries[key] = Entry(self._expiry(), moment, value)

    def _expiry(self) -> float:
        return time.monotonic() + self._ttl * (1 - _JITTER * random.random())  # noqa: S311 - nothing to guess here

    async def read(
        self,
        key: Hashable,
        tags: Collection[Tag],
        load: Load[T],
        *,
        narrow: Callable[[T], Collection[Tag] | None] | None = None,
        fresh: bool = False,
    ) -> T:
        """The answer to `key`, from the cache or by `load`.

        Args:
            key: what is asked.
            tags: what the answer depends on.
            load: reads the database.
            narrow: the tags that an answer depends on once it is known, None for `tags`. Whatever makes it another one
                must touch both.
            fresh: read the database even if there is an entry.
        """
        trusted = self._enabled and not fresh and await self._trust.renewed()
        # Before the load: what is written from now on may or may not be in what it brings.
        moment = self._stamps.now(tags)
        if not self._enabled or not moment.lasts():
            self.misses += 1
            return await load()
        if trusted:
            entry = self._entries.get(key)
            if entry is not None and entry.lasts():
                self.hits += 1
                if self._turns.are_due():
                    await asyncio.sleep(0)
                cached: T = entry.value
                return cached
        self.misses += 1
        # The generation is part of the flight: a read that starts after a write must not join a load from before it. What
        # others write changes no generation until somebody looks, so without trust there is no flight to join.
        value = await (self._load_once((key, moment.generation), load) if trusted else load())
        self._keep(key, moment, value, narrow)
        return value

    async def read_many(
        self,
        asked: Mapping[Hashable, Collection[Tag]],
        load: LoadMany[T],
        *,
        fresh: bool = False,
    ) -> dict[Hashable, T]:
        """The answers to several keys, as many as possible from the cache and the others by one `load`.

        Args:
            asked: the keys, and what the answer to each depends on.
            load: reads the database for the keys that are missing, and answers each of them.
            fresh: read the database for all.
        """
        known: dict[Hashable, Entry] = {}
        if self._enabled and not fresh and await self._trust.renewed():
            for key in asked:
                entry = self._entries.get(key)
                if entry is not None and entry.lasts():
                    known[key] = entry
        missing = {key: self._stamps.now(tags) for key, tags in asked.items() if key not in known}
        if missing:
            answers = dict(await load(missing))
            if not all(entry.moment.lasts() for entry in known.values()):
                # What was loaded may be from after a write, and what was known is from before it.
                missing = {key: self._stamps.now(tags) for key, tags in asked.items()}
                answers, known = dict(await load(missing)), {}
            for key, moment in missing.items():
                self._keep(key, moment, answers[key], None)
        else:
            answers = {}
            if self._turns.are_due():
                await asyncio.sleep(0)
        self.hits += len(known)
        self.misses += len(missing)
        return answers | {key: entry.value for key, entry in known.items()}

    def _keep(
        self, key: Hashable, moment: Moment, value: T, narrow: Callable[[T], Collection[Tag] | None] | None
    ) -> None:
        """Keep a value that was asked for at `moment`, unless something it depends on was written since."""
        if self._enabled and moment.lasts():
            tags = None if narrow is None else narrow(value)
            # Nothing the wide tags stand for was written since, so nothing the narrow ones stand for was either.
            self._set(key, moment if tags is None else self._stamps.now(tags), value)

    async def _load_once(self, flight: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        while (loading := self._loads.get(flight)) is not None:
            value = await asyncio.shield(loading)
            if value is not MISS:
                joined: T = value
                return joined
            # The caller who was loading was cancelled; the next one in line tries for itself.
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        loads = self._loads  # others if the database is closed meanwhile
        loads[flight] = future
        try:
            result = await load()
        except BaseException as error:
            if isinstance(error, Exception):
                # One answer for all, also where it is an error: trying again one after another would take as long for
                # each, and the last one would wait for all of them.
                future.set_exception(error)
                future.exception()  # nobody has to be waiting
            else:
                future.set_result(MISS)
            raise
        else:
            future.set_result(result)
        finally:
            del loads[flight]
        return result

    def forget(self) -> None:
        """Forget every entry."""
        self._entries.clear()

    def start_anew(self, stamps: Stamps) -> None:
        """Forget every entry and who is loading, and go by other stamps from now on."""
        self.forget()
        self._loads = {}
        self._stamps = stamps
