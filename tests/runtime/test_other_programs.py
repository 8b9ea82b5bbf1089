"""Another program has the lock, another loop uses the database: who waits can leave, and nobody waits for ever."""

import asyncio
import contextlib
import sqlite3
import time

import pytest
import support
from soulspot_db import ConfigurationError, ConnectionFailedError, Database, LockedError
from support import until, within


@pytest.fixture
async def db(open_database):
    return await open_database(pool_timeout=20)


@pytest.fixture
def other(db):
    """Another program that has the lock."""
    connection = sqlite3.connect(db.settings.database_path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


async def in_a_block(db):
    async with db.transaction():
        await db.save("counter", {"name": "a"})


WAITING = {
    "save": lambda db: db.save("counter", {"name": "a"}),
    "a block": in_a_block,
    "run_in_transaction": lambda db: db.run_in_transaction(lambda tx: tx.save("counter", {"name": "a"})),
}


@pytest.mark.parametrize("how", WAITING)
async def test_who_waits_for_another_program_can_leave_at_once_and_nothing_is_stored(db, other, how):
    started = time.monotonic()
    tasks = [asyncio.create_task(WAITING[how](db)) for _ in range(3)]
    await until(lambda: db._engine._writer.waits_since)
    for task in tasks:
        task.cancel()
    await within(5, asyncio.wait(tasks))
    await within(5, db.close())
    assert time.monotonic() - started < 5
    assert all(task.cancelled() for task in tasks)
    assert other.execute("SELECT count(*) FROM counters").fetchone() == (0,)


async def test_the_others_go_on_when_one_of_them_leaves(db, other):
    tasks = [asyncio.create_task(db.save("counter", {"name": name})) for name in "abc"]
    await until(lambda: db._engine._writer.waits_since)
    tasks[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(5, tasks[1])
    other.execute("ROLLBACK")
    assert await within(5, tasks[0]) == "a"
    assert await within(5, tasks[2]) == "c"
    assert [row["name"] for row in await db.query("counter")] == ["a", "c"]


async def test_who_waits_too_long_is_told_that_another_program_is_the_reason(open_database):
    db = await open_database(pool_timeout=0.1)
    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for waits in WAITING.values():
        with pytest.raises(LockedError, match="another process kept the database locked"):
            await within(5, waits(db))
    other.close()
    assert await db.save("counter", {"name": "a"}) == "a"


async def test_waiting_for_another_program_is_no_slow_statement(open_database, caplog):
    db = await open_database(slow_query_threshold=0.05)
    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    saving = asyncio.create_task(db.save("counter", {"name": "a"}))
    await until(lambda: db._engine._writer.waits_since)
    await asyncio.sleep(0.1)
    other.close()
    await within(5, saving)
    assert "slow statement" not in caplog.text


def test_a_database_of_another_loop_refuses_at_once_and_says_why(empty_database, tmp_path):
    async def use(db):
        for call in (
            lambda: db.get("counter", "a"),
            lambda: db.save("counter", {"name": "a"}),
            lambda: in_a_block(db),
        ):
            with pytest.raises(ConnectionFailedError, match="another event loop"):
                await within(5, call())

    first = asyncio.new_event_loop()
    db = Database(support.settings(empty_database.path, cache_recheck=0))
    first.run_until_complete(db.open())
    try:
        asyncio.run(use(db))
        assert first.run_until_complete(within(5, db.get("counter", "a"))) is None
    finally:
        with contextlib.suppress(Exception):
            first.run_until_complete(within(5, db.close()))
        first.close()


def test_a_path_instead_of_settings_is_refused_with_the_right_form():
    with pytest.raises(ConfigurationError, match="takes settings, got str"):
        Database("soulspot.db")
