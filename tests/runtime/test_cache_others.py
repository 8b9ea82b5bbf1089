"""Other programs that write the same file: how soon the cache knows, and that nobody waits for it."""

import asyncio
import contextvars
import shutil
import sqlite3
import time

import pytest
from soulspot_db import ConnectionFailedError, LockedError, QueryTimeoutError
from soulspot_db.cache import trust
from soulspot_db.engine.base import Statement
from soulspot_db.engine.sqlite.connection import Connection
from support import ENDLESS, outside, until, within


async def statements(db):
    return (await db.stats())["queries"]["total"]


async def read_all(db):
    return (
        (await db.get("counter", "a"))["value"],
        (await db.query("counter"))[0]["value"],
        (await db.get_many("counter", ["a"]))[0]["value"],
        await db.count("counter", {"value": 0}),
    )


async def test_with_a_recheck_of_zero_every_read_sees_what_others_have_committed(open_database):
    db = await open_database(cache_recheck=0)
    await db.save("counter", {"name": "a"})
    for value in range(1, 20):
        outside(db, "UPDATE counters SET value = ?", value)
        assert await read_all(db) == (value, value, value, 0)


async def test_two_databases_on_one_file_see_each_others_writes(open_database):
    one, two = await open_database(cache_recheck=0), await open_database(cache_recheck=0)
    await one.save("counter", {"name": "a"})
    for value in range(1, 20):
        await (one, two)[value % 2].update("counter", "a", {"value": value})
        assert await read_all(one) == await read_all(two) == (value, value, value, 0)


async def test_others_are_seen_once_the_time_for_a_recheck_is_over(open_database):
    db = await open_database(cache_recheck=0.05)
    await db.save("counter", {"name": "a"})
    assert await read_all(db) == (0, 0, 0, 1)
    outside(db, "UPDATE counters SET value = 7")
    await asyncio.sleep(0.06)
    assert await read_all(db) == (7, 7, 7, 0)


async def test_own_writes_are_not_taken_for_those_of_others(open_database):
    db = await open_database(cache_recheck=0)
    await db.save("counter", {"name": "a"})
    await db.save("playlist", {"name": "Focus"})
    await db.query("playlist")
    for value in range(5):
        await db.update("counter", "a", {"value": value})
        async with db.transaction():
            await db.update("counter", "a", {"value": value})
    before = await statements(db)
    await db.query("playlist")
    assert await statements(db) == before


async def test_without_others_the_cache_goes_on_after_a_recheck(open_database):
    db = await open_database(cache_recheck=0.001)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    before = await statements(db)
    for _ in range(5):
        await asyncio.sleep(0.002)
        await db.get("counter", "a")
    assert await statements(db) == before


async def test_within_the_time_nobody_looks(open_database, monkeypatch):
    db = await open_database(cache_recheck=60)
    looks = []
    monkeypatch.setattr(db._cache.trust, "_look", lambda: looks.append(1))
    await db.save("counter", {"name": "a"})  # its BEGIN was a look
    for _ in range(5):
        await db.get("counter", "a")
    assert not looks


async def test_readers_do_not_wait_for_a_writer_that_waits_for_another_program(open_database):
    """The writer cannot look then; the database is asked instead, and the cache is not believed."""
    db = await open_database(cache_recheck=0.001)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(db.save("counter", {"name": "b"}))
    await until(lambda: db._engine.connections().active)
    await asyncio.sleep(0.01)
    before = await statements(db)
    started = time.monotonic()
    for _ in range(20):
        assert (await within(5, db.get("counter", "a")))["value"] == 0
    assert time.monotonic() - started < 1
    assert await statements(db) == before + 20
    other.execute("UPDATE counters SET value = 7")
    other.execute("COMMIT")
    other.close()
    await within(5, writing)
    await asyncio.sleep(0.002)
    assert (await db.get("counter", "a"))["value"] == 7


async def test_while_a_transaction_keeps_others_out_the_cache_is_believed(open_database):
    db = await open_database(cache_recheck=0)
    await db.save("counter", {"name": "a"})
    await db.save("counter", {"name": "b"})
    read, done = asyncio.Event(), asyncio.Event()

    async def writes():
        async with db.transaction():
            await db.update("counter", "b", {"value": 1})
            read.set()
            await done.wait()

    writing = asyncio.create_task(writes())
    await read.wait()
    await db.get("counter", "a")
    before = await statements(db)
    for _ in range(5):
        await db.get("counter", "a")
    assert await statements(db) == before
    done.set()
    await writing
    outside(db, "UPDATE counters SET value = 7 WHERE name = 'a'")
    assert (await db.get("counter", "a"))["value"] == 7


async def test_a_load_from_before_a_commit_of_others_is_not_joined_or_kept(open_database):
    db = await open_database(cache_recheck=0, inline_reads=False)
    await db.save("counter", {"name": "a"})
    read, held, go = db.session.engine.read, asyncio.Event(), asyncio.Event()

    async def slow(statement, trace=None):
        rows = await read(statement, trace)
        held.set()
        await go.wait()
        return rows

    db.session.engine.read = slow
    first = asyncio.create_task(db.get("counter", "a"))
    await held.wait()
    outside(db, "UPDATE counters SET value = 7")
    db.session.engine.read = read
    assert (await within(5, db.get("counter", "a")))["value"] == 7
    go.set()
    assert (await first)["value"] == 0
    assert (await db.get("counter", "a"))["value"] == 7


async def test_a_file_that_was_locked_when_somebody_looked_is_looked_at_again(open_database):
    db = await open_database(cache_recheck=0, pool_timeout=0.05)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LockedError):
        await db.save("counter", {"name": "b"})
    other.execute("UPDATE counters SET value = 7")
    other.execute("COMMIT")
    other.close()
    assert (await within(5, db.get("counter", "a")))["value"] == 7


async def test_a_database_that_was_opened_again_trusts_nothing_from_before(open_database):
    db = await open_database(cache_recheck=60)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    await db.close()
    outside(db, "UPDATE counters SET value = 7")
    await db.open()
    assert (await db.get("counter", "a"))["value"] == 7


async def test_a_read_of_a_closed_database_does_not_keep_the_next_one_from_its_cache(open_database):
    db = await open_database(cache_recheck=0.001)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    await db.close()
    await asyncio.sleep(0.002)
    with pytest.raises(ConnectionFailedError):
        await db.get("counter", "a")
    await db.open()
    await db.get("counter", "a")
    before = await statements(db)
    for _ in range(5):
        await asyncio.sleep(0.002)
        await db.get("counter", "a")
    assert await statements(db) == before


async def test_a_look_that_nobody_has_answered_is_asked_for_again(open_database, monkeypatch):
    monkeypatch.setattr(trust, "_AGAIN", 0.05)
    db = await open_database(cache_recheck=0.001)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    await asyncio.sleep(0.002)
    with monkeypatch.context() as broken:
        broken.setattr(db._cache.trust, "_look", lambda: None)
        await db.get("counter", "a")
    await asyncio.sleep(0.06)
    await db.get("counter", "a")
    before = await statements(db)
    await db.get("counter", "a")
    assert await statements(db) == before


async def test_while_a_long_write_keeps_others_out_the_cache_is_believed(open_database):
    db = await open_database(cache_recheck=0.001)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    endless = Statement(f"INSERT INTO jobs (job_title, priority) SELECT 'x', ({ENDLESS})")
    writing = asyncio.create_task(db.session.engine.write([endless], lambda outcome: outcome.result()))
    await until(lambda: db._engine._writer.is_exclusive)
    before = await statements(db)
    for _ in range(5):
        await asyncio.sleep(0.002)
        assert (await db.get("counter", "a"))["value"] == 0
    assert await statements(db) == before
    db._engine._writer._deadline = 0
    with pytest.raises(QueryTimeoutError):
        await within(5, writing)


async def test_a_writer_that_could_not_look_when_it_began_vouches_for_nothing(open_database, monkeypatch):
    db = await open_database(cache_recheck=0)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    outside(db, "UPDATE counters SET value = 7")
    writer = db._engine._writer
    monkeypatch.setattr(writer, "look", lambda: False)
    async with asyncio.timeout(5), db.transaction():
        reading = asyncio.create_task(db.get("counter", "a"), context=contextvars.Context())
        assert (await reading)["value"] == 7


def test_from_the_moment_that_a_write_is_stopped_nobody_vouches_for_others(empty_database, tmp_path):
    path = shutil.copy(empty_database.path, tmp_path / "soulspot.db")
    writer = Connection(str(path), read_only=False, busy_timeout=1, query_timeout=0.05, synchronous="NORMAL")
    seen = []

    def watch():  # as SQLite asks whether to stop
        stopped = writer._should_stop()
        seen.append((stopped, writer.is_exclusive))
        return stopped

    writer._raw.set_progress_handler(watch, 10_000)
    writer.begin_when_free(lambda: True)
    with pytest.raises(QueryTimeoutError):
        writer._execute(Statement(f"INSERT INTO jobs (job_title, priority) SELECT 'x', ({ENDLESS})"))
    writer.close()
    assert seen[0] == (False, True)
    assert seen[-1] == (True, False)
