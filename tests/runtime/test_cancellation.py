"""Thousands of calls cancelled at random moments: whatever the moment, each is done or has never happened.

The seed decides what is called and after how many turns of the loop it is cancelled; what has happened by then is the
machine's to decide, so one seed is many tests.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter

import homes
import pytest
from soulspot_db import TransactionError
from soulspot_db.engine.sqlite.connection import Connection
from support import at_rest, outside, within

DATABASES = homes.BOTH


class Storm:
    """Workers that start calls of every kind and cancel them, and what is known of each call's outcome.

    Every call has a number, and what it writes is named after it: `p7a` and `p7b` are the pair of call 7.
    """

    def __init__(self, db, seed):
        self.db = db
        self.random = random.Random(seed)
        self.kind_of = {}
        self.returned = {}  # the kind of each call that came to its end
        self.cancelled = Counter()
        self.decided = {}  # what was stored of a cancelled call when its cancellation was raised
        self.told = {"created": Counter(), "deleted": Counter(), "mine": Counter()}
        db.events.subscribe("database.counter.*", self._hear)
        db.events.subscribe("mine", lambda event: self.told["mine"].update([event.data]))
        self.kinds = [self.save, self.several, self.update, self.change_all, self.delete, self.read, self.publish]
        self.kinds += [
            self.pair,
            self.savepoint,
            self.children,
            self.orphan,
            self.snapshot,
            self.add,
            self.add,
            self.undone,
        ]

    def _hear(self, event):
        topic = event.event_type.rpartition(".")[2]
        if topic in self.told:
            self.told[topic][event.data["entity_id"]] += 1

    # The calls.

    def _write(self, db, number, part=""):
        return db.save("counter", {"name": f"p{number}{part}"})

    async def save(self, number):
        await self._write(self.db, number)

    async def several(self, number):
        await self.db.save_many("counter", [{"name": f"p{number}{part}"} for part in "ab"])

    async def update(self, number):
        await self.db.update("counter", "plain", {"value": number})

    async def change_all(self, number):
        await self.db.update_where("counter", {"name": ["plain", "other"]}, {"value": number})

    async def delete(self, number):
        await self.db.delete("counter", f"d{number % 50}")
        await self.db.save("counter", {"name": f"d{number % 50}", "value": number})

    async def read(self, _number):
        await self.db.get("counter", "plain")
        await self.db.query("counter", {"value": {"gt": 3}}, limit=3)
        await self.db.get("counter", "sum", fresh=True)

    async def publish(self, number):
        await self.db.events.publish("mine", "by itself")

    async def pair(self, number):
        async with self.db.transaction() as tx:
            await self._write(tx, number, "a")
            await self.db.events.publish("mine", f"pair {number}")
            await self._write(self.db, number, "b")

    async def savepoint(self, number):
        async with self.db.transaction() as tx:
            await self._write(tx, number, "a")
            async with tx.transaction():
                await self._write(tx, number, "b")
            with contextlib.suppress(KeyError):
                async with tx.transaction():
                    await self._write(tx, number, "never")
                    raise KeyError

    async def children(self, number):
        """A task of the block is cancelled in a nested block of its own, and the block goes on."""

        async def nested():
            async with self.db.transaction():
                await self._write(self.db, number, "never")
                await asyncio.sleep(30)

        async with self.db.transaction() as tx:
            await asyncio.gather(self._write(tx, number, "a"), self._write(tx, number, "b"))
            child = asyncio.create_task(nested())
            try:
                await asyncio.sleep(0.0003)
            finally:
                child.cancel()
                await asyncio.wait([child])

    async def orphan(self, number):
        """The block ends while a task of it has a nested block open, which is undone."""
        opened = asyncio.Event()

        async def nested(tx):
            with contextlib.suppress(TransactionError):
                async with tx.transaction():
                    await self._write(tx, number, "never")
                    opened.set()
                    await asyncio.sleep(0.001)

        child = None
        try:
            async with self.db.transaction() as tx:
                await self._write(tx, number)
                child = asyncio.create_task(nested(tx))
                await opened.wait()
        finally:
            if child is not None:
                child.cancel()

    async def snapshot(self, _number):
        async with self.db.transaction(read_only=True) as tx:
            total = (await tx.get("counter", "sum"))["value"]
            assert await tx.count("counter", {"value": -1}) == total

    async def add(self, number):
        """The counter counts the rows that were written with it."""

        async def callback(tx):
            value = (await tx.get("counter", "sum"))["value"]
            await tx.save("counter", {"name": f"p{number}", "value": -1})
            await tx.update("counter", "sum", {"value": value + 1})

        await self.db.run_in_transaction(callback)

    async def undone(self, number):
        with contextlib.suppress(KeyError):
            async with self.db.transaction():
                await self._write(self.db, number, "never")
                await self.db.events.publish("mine", "never")
                raise KeyError

    # The storm.

    async def worker(self, numbers):
        for number in numbers:
            kind = self.random.choice(self.kinds)
            self.kind_of[number] = kind.__name__
            task = asyncio.create_task(kind(number))
            await self._wait()
            task.cancel()
            if self.random.random() < 0.2:
                await self._wait()
                task.cancel()
            await asyncio.wait([task])
            self._note(number, kind, task)

    async def _wait(self):
        if self.random.random() < 0.3:
            await asyncio.sleep(self.random.random() * 0.004)
        for _ in range(self.random.randrange(30)):
            await asyncio.sleep(0)

    def _note(self, number, kind, task):
        if task.cancelled():
            self.cancelled[kind.__name__] += 1
            self.decided[number] = self._stored_of(number)
        elif kind != self.children or not isinstance(task.exception(), TransactionError):
            # Its transaction is lost to a call of `children` whose child was cancelled while its block ended.
            task.result()
            self.returned[number] = kind.__name__

    def _stored_of(self, number):
        names = [f"p{number}{part}" for part in ("", "a", "b")]
        return outside(self.db, "SELECT name FROM counters WHERE name IN (?, ?, ?)", *names)

    async def run(self, calls):
        for name in ("plain", "other", "sum"):
            await self.db.save("counter", {"name": name})
        share = [range(first, calls, 5) for first in range(5)]
        await within(calls / 20 + 20, asyncio.gather(*(self.worker(numbers) for numbers in share)))

    # What must be true afterwards.

    async def check(self):
        db = self.db
        await at_rest(db, *(f"d{number}" for number in range(50)))
        await db.events.settle()
        stored = dict(outside(db, "SELECT name, value FROM counters"))
        await asyncio.sleep(0.02)
        assert dict(outside(db, "SELECT name, value FROM counters")) == stored  # nothing happens afterwards

        assert {number: self._stored_of(number) for number in self.decided} == self.decided
        assert not [name for name in stored if name.endswith("never")]
        assert [
            f"{kind} p{number}" for number, kind in self.returned.items() if not self._is_stored(number, kind, stored)
        ] == []
        halves = Counter(name[:-1] for name in stored if name[-1] in "ab" and name.startswith("p"))
        assert {name: count for name, count in halves.items() if count != 2} == {}
        added = [name for name, value in stored.items() if value == -1]
        assert stored["sum"] == len(added)

        kept = self.told["created"].copy()
        kept.subtract(self.told["deleted"])
        assert {name for name, count in kept.items() if count} == set(stored)
        del self.told["mine"]["by itself"]
        assert self.told["mine"] == {
            f"pair {number}": 1 for number, kind in self.kind_of.items() if kind == "pair" and f"p{number}b" in stored
        }

        # It was a storm: of every kind some were cancelled, and some calls came to their end.
        assert set(self.cancelled) >= {kind.__name__ for kind in self.kinds} - {"publish"}
        assert len(set(self.returned.values())) > 5

    def _is_stored(self, number, kind, stored):
        names = {
            "save": [""],
            "add": [""],
            "orphan": [""],
            "several": "ab",
            "pair": "ab",
            "savepoint": "ab",
            "children": "ab",
        }.get(kind, [])
        return all(f"p{number}{part}" in stored for part in names)


@pytest.mark.parametrize(
    ("calls", "seed"), [(300, 1), *(pytest.param(2500, seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4, 5))]
)
async def test_calls_that_are_cancelled_at_random_are_done_or_have_never_happened(
    open_database, monkeypatch, calls, seed
):
    chance, commit = random.Random(seed), Connection.commit

    def slowly(connection):
        """As a slow disk does, so that many calls are cancelled during their COMMIT."""
        time.sleep(chance.random() * 0.002)
        commit(connection)

    monkeypatch.setattr(Connection, "commit", slowly)
    db = await open_database(connection_pool_size=3)
    storm = Storm(db, seed)
    await storm.run(calls)
    await storm.check()
