"""Two PostgreSQL servers, of which the standby takes over: nothing acknowledged is lost, and writes go on."""

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager

import pytest
import support
from servers import postgres_server
from soulspot_db import ConnectionFailedError, Database, DatabaseError
from support import within


@contextmanager
def pair():
    """A primary, and a standby that it waits for at every COMMIT; both with a database `soulspot`."""
    with postgres_server(fsync="off") as primary:
        primary.address.psql("CREATE DATABASE soulspot")
        with postgres_server(standby_of=primary, fsync="off") as standby:
            # Set now, so that the standby, which has a copy of the settings, waits for nobody when it is promoted.
            primary.address.psql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            primary.address.psql("SELECT pg_reload_conf()")
            until = time.monotonic() + 20
            while primary.address.psql("SELECT sync_state FROM pg_stat_replication") != "sync":
                assert time.monotonic() < until
            yield primary, standby


@asynccontextmanager
async def opened(*servers, **changes):
    hosts = ",".join(f"127.0.0.1:{server.address.port}" for server in servers)
    settings = support.settings(database=f"{hosts}/soulspot", user="postgres", connection_pool_size=8, **changes)
    async with Database(settings) as db:
        yield db


class Load:
    """Writers that go on whatever happens, and remember what was acknowledged."""

    def __init__(self, db):
        self._db = db
        self.acknowledged, self.errors = [], []
        self.last = 0.0  # when the latest write was acknowledged
        self.goes_on = True

    async def run(self):
        await asyncio.gather(*map(self._single, range(6)), *map(self._pairs, range(2)))

    async def _single(self, number):
        count = 0
        while self.goes_on:
            count += 1
            await self._attempt(lambda name: self._db.save("counter", {"name": name}), f"single {number} {count}")

    async def _pairs(self, number):
        async def save(name):
            async with self._db.transaction() as tx:
                for half in ("left", "right"):
                    await tx.save("counter", {"name": f"{name} {half}"})

        count = 0
        while self.goes_on:
            count += 1
            await self._attempt(save, f"pair {number} {count}", " left", " right")

    async def _attempt(self, save, name, *parts):
        try:
            await save(name)
        except DatabaseError as error:
            self.errors.append(error)
            await asyncio.sleep(0.02)
        else:
            self.acknowledged += [f"{name}{part}" for part in parts or ("",)]
            self.last = time.monotonic()


async def until_written(load, after, seconds):
    """Wait for a write that was acknowledged after a moment; returns how many seconds after."""
    while load.last <= after:
        assert time.monotonic() - after < seconds, Counter(error.code for error in load.errors)
        await asyncio.sleep(0.01)
    return load.last - after


async def test_a_primary_that_dies_under_load_costs_no_acknowledged_write_and_writes_go_on_after_promotion():
    with pair() as (primary, standby):
        async with opened(primary, standby) as db:
            await support.create_tables(db)
            load = Load(db)
            running = asyncio.create_task(load.run())
            await until_written(load, time.monotonic() + 1, 20)
            before = len(load.acknowledged)
            await asyncio.to_thread(primary.kill)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(standby.promote)
            await until_written(load, time.monotonic(), 10)
            await asyncio.sleep(1)
            load.goes_on = False
            await within(40, running)
            stored = [row["name"] for row in await db.query("counter", fresh=True)]
        assert len(load.acknowledged) > before > 50
        assert set(load.acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
        halves = {name.removesuffix(" left").removesuffix(" right") for name in stored if name.startswith("pair")}
        assert all({f"{name} left", f"{name} right"} <= set(stored) for name in halves)
        assert load.errors
        codes = {error.code for error in load.errors}
        assert codes <= {"DATABASE_CONNECTION_FAILED", "DATABASE_COMMIT_OUTCOME_UNKNOWN"}
        # What is called failed is not stored; only of what is called unknown nobody knows.
        unknown = sum(error.code == "DATABASE_COMMIT_OUTCOME_UNKNOWN" for error in load.errors)
        assert len(set(stored) - set(load.acknowledged)) <= 2 * unknown


async def test_a_primary_that_is_made_a_standby_fails_one_write_and_the_next_goes_to_the_new_one():
    with pair() as (primary, standby):
        async with opened(primary, standby) as db:
            await support.create_tables(db)
            await db.save("counter", {"name": "a"})
            await asyncio.to_thread(standby.promote)
            primary.address.psql("ALTER SYSTEM SET default_transaction_read_only = on")
            primary.address.psql("SELECT pg_reload_conf()")
            await asyncio.sleep(0.2)
            with pytest.raises(ConnectionFailedError, match="it is a standby"):
                await db.save("counter", {"name": "b"})
            await db.save("counter", {"name": "c"})
            assert standby.address.psql("SELECT string_agg(name, ' ') FROM counters", "soulspot") == "a c"


async def test_while_no_server_takes_writes_it_is_said_in_time():
    with pair() as (primary, standby):
        async with opened(primary, standby) as db:
            await support.create_tables(db)
            await asyncio.to_thread(primary.kill)
            with pytest.raises(ConnectionFailedError):
                await within(15, db.save("counter", {"name": "a"}))
            assert standby.address.psql("SELECT pg_is_in_recovery()") == "t"
