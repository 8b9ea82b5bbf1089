"""One row by its key: read on the event loop where that keeps nobody waiting, else in a lane."""

import asyncio
import contextvars
import itertools
import sqlite3
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from types import SimpleNamespace

import pytest
from soulspot_db import ConnectionFailedError, Database, fairness
from soulspot_db.engine.base import Statement
from soulspot_db.engine.sqlite import inline as sqlite_inline
from support import until, within

SLOW_SQL = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT count(*) FROM n"


def inline(db: Database):
    return db._engine._inline


@pytest.fixture
def in_lanes(db, monkeypatch):
    """The statements that a lane has run."""
    ran = []
    read = db._engine.read

    async def noted(statement, trace=None):
        ran.append(statement.sql)
        return await read(statement, trace)

    monkeypatch.setattr(db._engine, "read", noted)
    return ran


async def primed(db):
    """One row, and a look at what others do, without which nothing is believed or read at once."""
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    inline(db)._again_at = 0.0  # this machine may have been slow


async def test_a_row_is_read_on_the_loop(db, in_lanes):
    await primed(db)
    in_lanes.clear()
    for _ in range(20):
        inline(db)._again_at = 0.0
        assert (await db.get("counter", "a", fresh=True))["value"] == 0
    assert in_lanes == []


async def test_what_was_read_on_the_loop_is_kept_and_counted(db, in_lanes):
    await primed(db)
    await db.get("counter", "a", fresh=True)
    before = await db.stats()
    assert (await db.get("counter", "a"))["value"] == 0
    assert (await db.stats())["queries"] == before["queries"]
    await db.get("counter", "a", fresh=True)
    assert (await db.stats())["queries"]["total"] == before["queries"]["total"] + 1


async def test_without_inline_reads_every_row_is_read_in_a_lane(open_database, monkeypatch):
    db = await open_database(inline_reads=False)
    await db.save("counter", {"name": "a"})
    used = []
    monkeypatch.setattr(db._engine, "read_now", lambda statement, _trace: used.append(statement))
    assert (await db.get("counter", "a"))["name"] == "a"
    assert inline(db)._raw is None


async def test_a_statement_over_its_budget_is_stopped_at_once_and_left_to_a_lane(db):
    started = time.perf_counter()
    assert db._engine.read_now(Statement(SLOW_SQL)) is None
    assert time.perf_counter() - started < 0.05
    assert await db._engine.read(Statement(SLOW_SQL)) == [(100000,)]


@pytest.mark.parametrize("batched", [True, False])
async def test_what_the_loop_cannot_finish_is_tried_there_once(db, in_lanes, monkeypatch, batched):
    await primed(db)
    await db.save("playlist", {"name": "n", "spotify_id": "s"})
    in_lanes.clear()
    tried = []
    monkeypatch.setattr(db._engine, "read_now", lambda statement, _trace: tried.append(statement))
    if batched:
        assert (await db.get("counter", "a", fresh=True))["name"] == "a"
    else:
        assert (await db.get("playlist", "s", fresh=True))["name"] == "n"
    assert (len(tried), len(in_lanes)) == (1, 1)


async def test_the_budget_is_counted_from_each_statements_start(db):
    """SQLite counts the steps of a prepared statement over all its runs."""
    steps = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 150) SELECT count(*) FROM n"
    for _ in range(200):
        inline(db)._again_at = 0.0
        assert db._engine.read_now(Statement(steps)) == [(150,)]


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell who waited")
async def test_one_that_is_slow_without_waiting_for_a_disk_changes_nothing(db, in_lanes):
    """As where other programs have the processor."""
    await primed(db)
    in_lanes.clear()

    def work():
        end = time.thread_time() + 0.003
        while time.thread_time() < end:
            pass

    inline(db)._raw.create_function("work", 0, work)
    assert db._engine.read_now(Statement("SELECT work()")) == [(None,)]
    await db.get("counter", "a", fresh=True)
    assert in_lanes == []


async def test_where_the_system_does_not_tell_who_waited_every_slow_one_has(db, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    waits = sqlite_inline._counter_of_waits()
    assert waits() != waits()


async def test_after_one_that_waited_long_lanes_read_for_a_second(db, in_lanes):
    await primed(db)
    in_lanes.clear()
    inline(db)._raw.create_function("wait", 0, lambda: time.sleep(0.005))
    assert db._engine.read_now(Statement("SELECT wait()")) == [(None,)]
    await db.get("counter", "a", fresh=True)
    assert len(in_lanes) == 1
    inline(db)._again_at -= 1.0
    await db.get("counter", "a", fresh=True)
    assert len(in_lanes) == 1


async def test_a_locked_database_keeps_no_loop_waiting(open_database):
    db = await open_database(pool_timeout=0.2)
    await primed(db)
    with closing(sqlite3.connect(db.settings.database_path, isolation_level=None, timeout=0)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError):
            other.execute("PRAGMA journal_mode = DELETE")  # our connections keep it from that
        started = time.perf_counter()
        assert db._engine.read_now(Statement("SELECT 1")) is not None
        assert time.perf_counter() - started < 0.05


async def test_what_is_wrong_with_a_statement_is_told_by_a_lane(db):
    assert db._engine.read_now(Statement("SELECT * FROM nothing")) is None


async def test_a_committed_write_is_seen_by_the_next_read_on_the_loop(db):
    await primed(db)
    for value in range(1, 50):
        await db.update("counter", "a", {"value": value})
        assert (await db.get("counter", "a", fresh=True))["value"] == value


async def test_a_transaction_sees_its_own_writes_and_others_do_not(db):
    await primed(db)
    outside = contextvars.copy_context()
    async with db.transaction() as tx:
        await tx.update("counter", "a", {"value": 5})
        assert (await tx.get("counter", "a"))["value"] == 5
        assert (await db.get("counter", "a"))["value"] == 5
        assert (await asyncio.create_task(db.get("counter", "a", fresh=True), context=outside))["value"] == 0
    assert (await db.get("counter", "a"))["value"] == 5


async def test_a_loop_over_rows_lets_others_run(db):
    await db.save_many("counter", [{"name": f"c{n}"} for n in range(300)])
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    started = time.perf_counter()
    for _ in range(5):
        for n in range(300):
            inline(db)._again_at = 0.0
            await db.get("counter", f"c{n}", fresh=True)
    spent = time.perf_counter() - started
    beside.cancel()
    # A turn for each millisecond, more or less: less where the machine gave the process no time.
    assert turns > spent * 1000 / 10


async def test_many_tasks_at_once_let_others_run(db, monkeypatch, turns):
    await db.save_many("counter", [{"name": f"c{n}"} for n in range(500)])
    inline(db)._again_at = 0.0
    # A clock that goes on by a tenth of a millisecond with every look, so that no machine is too busy or too fast.
    clock = itertools.count(0.0, 0.0001)
    monkeypatch.setattr(fairness, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    read, turn_of = db._engine.read_now, []

    def noted(statement, trace=None):
        turn_of.append(turns())
        return read(statement, trace)

    monkeypatch.setattr(db._engine, "read_now", noted)
    rows = await asyncio.gather(*(db.get("counter", f"c{n}", fresh=True) for n in range(500)))
    assert [row["name"] for row in rows] == [f"c{n}" for n in range(500)]
    assert max(Counter(turn_of).values()) <= 10


async def test_the_database_can_be_closed_and_opened_again(db):
    await primed(db)
    await db.close()
    assert inline(db)._raw is None
    await db.open()
    assert (await db.get("counter", "a"))["value"] == 0


async def test_a_loop_that_did_not_open_the_database_is_refused(db):
    await primed(db)
    caught = []

    def run():
        async def ask():
            try:
                await db.get("counter", "a", fresh=True)
            except ConnectionFailedError as error:
                caught.append(error)

        asyncio.run(ask())

    thread = threading.Thread(target=run)
    thread.start()
    await until(lambda: not thread.is_alive())
    assert "another event loop" in str(caught[0])
    await within(5, db.get("counter", "a"))
