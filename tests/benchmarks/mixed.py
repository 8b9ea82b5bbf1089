"""SoulSpot at work: eight workers that download, a scan of 5,000 tracks, a page that asks how far they are."""

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from contestant import Contestant
from data import KEYS, KINDS, new_rows

__all__ = ["Mixed", "summary", "turn"]

SECONDS = 4.0
WORKERS = 8
SCANNED = 5000
BATCH = 50
POLLS = 0.1  # seconds between two looks of the page


@dataclass
class Mixed:
    """What one contestant did: how long each operation took, and which errors there were."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Operations that succeeded, per second."""
        return len(self.took) / self.seconds

    def percentile(self, percent: int) -> float:
        """Seconds within which so many percent of them ended."""
        return statistics.quantiles(self.took, n=100, method="inclusive")[percent - 1]


class Load:
    """The tasks of one turn, and their record; an operation that has begun is let end."""

    def __init__(self, contestant: Contestant) -> None:
        self._contestant: Any = contestant
        self._get = getattr(contestant, "get_cached", self._contestant.get)  # as an application gets a row
        self._ends = time.perf_counter() + SECONDS
        self.record = Mixed()

    def _turns(self) -> Iterator[int]:
        return itertools.takewhile(lambda _: time.perf_counter() < self._ends, itertools.count())

    async def _do(self, operation: Callable[[Any], Awaitable[object]], argument: object) -> None:
        started = time.perf_counter()
        if started >= self._ends:
            return
        try:
            await operation(argument)
        except self._contestant.errors as error:
            self.record.errors[type(error).__name__] += 1
        else:
            self.record.took.append(time.perf_counter() - started)

    async def work(self, number: int) -> None:
        """A worker: takes the next of its own downloads, reports progress, and adds what it found."""
        for n, key in zip(self._turns(), itertools.cycle(KEYS[number::WORKERS]), strict=False):
            await self._do(self._get, key)
            for step in range(4):
                await self._do(self._contestant.update, (key, (n % 100 + step / 4) / 100))
            await self._do(self._contestant.save, new_rows(1)[0])

    async def scan(self) -> None:
        """The scan: a batch of tracks after the other."""
        for _ in range(SCANNED // BATCH):
            await self._do(self._contestant.save_many, new_rows(BATCH))

    async def poll(self) -> None:
        """The page: how many, which, and details of ten."""
        for n in self._turns():
            kind = KINDS[n % len(KINDS)]
            await self._do(self._contestant.count, kind)
            await self._do(self._contestant.query, kind)
            for key in KEYS[n : n + 10]:
                await self._do(self._get, key)
            await asyncio.sleep(POLLS)


async def turn(contestant: Contestant) -> Mixed:
    """Let a contestant work for some seconds, and until what it has begun by then has ended."""
    started = time.perf_counter()
    load = Load(contestant)
    await asyncio.gather(load.scan(), load.poll(), *map(load.work, range(WORKERS)))
    load.record.seconds = time.perf_counter() - started
    return load.record


def summary(turns: list[Mixed]) -> Mixed:
    """All turns of a contestant as one."""
    whole = Mixed(sum(each.seconds for each in turns))
    for each in turns:
        whole.took += each.took
        whole.errors += each.errors
    return whole
