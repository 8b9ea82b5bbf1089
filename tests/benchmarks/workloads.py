"""What is measured: for each workload the method that it calls, the arguments of one round, and how they are called."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from data import KEYS, KINDS, changed_rows, new_rows

__all__ = ["WORKLOADS", "Workload"]

Call = Callable[[Any], Awaitable[Any]]
CHOICE = random.Random(7)


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Args:
        name: what the reader sees.
        method: what a contestant must have to take part.
        operations: how many are in a round; the time shown is that of one.
        arguments: makes the arguments of a round; this is not measured.
        run: makes the calls.
        adds: rows that a round leaves behind.
    """

    name: str
    method: str
    operations: int
    arguments: Callable[[], Sequence[Any]]
    run: Callable[[Call, Sequence[Any]], Awaitable[None]]
    adds: int = 0


async def one_by_one(call: Call, arguments: Sequence[Any]) -> None:
    """Each when the one before has ended."""
    for argument in arguments:
        await call(argument)


def at_once(size: int) -> Callable[[Call, Sequence[Any]], Awaitable[None]]:
    """So many at a time, each in a task of its own."""

    async def run(call: Call, arguments: Sequence[Any]) -> None:
        for start in range(0, len(arguments), size):
            await asyncio.gather(*map(call, arguments[start : start + size]))

    return run


def keys(count: int) -> Callable[[], Sequence[Any]]:
    """Keys of any rows."""
    return lambda: CHOICE.sample(KEYS, count)


def lists_of_keys(count: int, size: int) -> Callable[[], Sequence[Any]]:
    """Lists of such keys."""
    return lambda: [CHOICE.sample(KEYS, size) for _ in range(count)]


def kinds(count: int) -> Callable[[], Sequence[Any]]:
    """Kinds of entity, in turn."""
    return lambda: [KINDS[n % len(KINDS)] for n in range(count)]


def rows(count: int) -> Callable[[], Sequence[Any]]:
    """Rows to add."""
    return lambda: new_rows(count)


def changes(count: int) -> Callable[[], Sequence[Any]]:
    """Keys with a score that the row does not have."""
    return lambda: [(key, CHOICE.random()) for key in CHOICE.sample(KEYS, count)]


def places(count: int) -> Callable[[], Sequence[Any]]:
    """How many rows are before a page."""
    return lambda: [CHOICE.randrange(1, len(KEYS) // 50) * 50 for _ in range(count)]


def renamed(count: int) -> Callable[[], Sequence[Any]]:
    """Rows that are there, with another name."""
    return lambda: changed_rows(CHOICE.sample(range(len(KEYS)), count))


CACHED = "get, cached"
COLD = "get, cold"
GETS = "100 gets at once, cold"
MANY = "get_many of 100 keys"
QUERY = "query of 100 rows"
COUNT = "count"
PAGE = "page of 50"
INCLUDE = "1,000 tracks with artist and album"
GROUPS = "group by, 20 groups"
UPSERT = "upsert"
SAVE = "save, one at a time"
SAVES = "50 saves at once"
UPDATE = "update"
TRANSACTION = "transaction of 5 statements"
BULK = "save_many of 10,000"
WORKLOADS = (
    Workload(CACHED, "get_cached", 5000, lambda: KEYS[:100] * 50, one_by_one),
    Workload(COLD, "get", 500, keys(500), one_by_one),
    Workload(GETS, "get", 5, keys(500), at_once(100)),
    Workload(MANY, "get_many", 20, lists_of_keys(20, 100), one_by_one),
    Workload(QUERY, "query", 20, kinds(20), one_by_one),
    Workload(COUNT, "count", 100, kinds(100), one_by_one),
    Workload(PAGE, "page", 40, places(40), one_by_one),
    Workload(GROUPS, "groups", 10, lambda: [None] * 10, one_by_one),
    Workload(INCLUDE, "include", 10, lambda: [None] * 10, one_by_one),
    Workload(SAVE, "save", 50, rows(50), one_by_one, adds=50),
    Workload(SAVES, "save", 4, rows(200), at_once(50), adds=200),
    Workload(UPDATE, "update", 50, changes(50), one_by_one),
    Workload(UPSERT, "upsert", 50, renamed(50), one_by_one),
    Workload(TRANSACTION, "transaction", 30, rows(30), one_by_one),
    Workload(BULK, "save_many", 1, lambda: [new_rows(10_000)], one_by_one, adds=10_000),
)
