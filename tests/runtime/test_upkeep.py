"""Statistics for SQLite's planner: renewed when nobody waits, and never in anybody's way."""

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest
import support
from soulspot_db.engine.base import Statement
from soulspot_db.engine.sqlite import connection, upkeep

FILL = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO wide SELECT i, i % 9, i FROM n"


@pytest.fixture
async def db(open_database):
    return await open_database()


async def filled(db, rows=5_000):
    def make():
        with closing(sqlite3.connect(db.settings.database_path, isolation_level=None)) as raw:
            raw.execute("CREATE TABLE wide (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER) STRICT")
            raw.execute("CREATE INDEX wide_a ON wide (a)")
            raw.execute("CREATE INDEX wide_b ON wide (b)")
            raw.execute(FILL.format(rows))

    await asyncio.to_thread(make)


def statistics(db):
    with closing(sqlite3.connect(db.settings.database_path)) as raw:
        if raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone() is None:
            return {}
        return dict(raw.execute("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'wide'"))


async def use_indexes(db):
    """SQLite older than 3.46 looks only at tables whose statistics the connection has asked for."""
    await db.session.engine.write([Statement("UPDATE wide SET b = b WHERE a = 77 AND b = 77")], lambda _outcome: None)


async def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_it_is_done_soon_after_opening_and_again_later(open_database, monkeypatch):
    monkeypatch.setattr(upkeep, "_FIRST", 0.2)
    monkeypatch.setattr(upkeep, "_EVERY", 0.1)
    db = await open_database()
    await filled(db)
    await until(lambda: set(statistics(db)) == {"wide_a", "wide_b"})
    with closing(sqlite3.connect(db.settings.database_path, isolation_level=None, timeout=5)) as raw:
        raw.execute("DELETE FROM sqlite_stat1")
    await until(lambda: set(statistics(db)) == {"wide_a", "wide_b"})


async def test_it_is_done_when_the_database_is_closed(db):
    await filled(db)
    await use_indexes(db)
    assert statistics(db) == {}
    await db.close()
    assert set(statistics(db)) == {"wide_a", "wide_b"}


async def test_who_waits_for_the_writer_has_it_at_once(db, monkeypatch):
    await filled(db, 400_000)
    asked = []
    monkeypatch.setattr(upkeep, "_MOST", 60.0)
    # All rows of an index are looked at, many times: that takes seconds if nobody stops it.
    monkeypatch.setattr(
        upkeep, "_RENEW", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    writer = db.session.engine
    writer._upkeep._ask()
    await until(lambda: writer._lanes[0].busy)
    began = time.monotonic()
    await support.within(5, db.save("counter", {"name": "x"}))
    asked.append(time.monotonic() - began)
    assert asked[0] < 1


async def test_where_the_writer_is_busy_it_waits_for_another_time(open_database, monkeypatch):
    monkeypatch.setattr(upkeep, "_FIRST", 0.05)
    monkeypatch.setattr(upkeep, "_AGAIN", 0.05)
    db = await open_database()
    async with db.transaction():
        await asyncio.sleep(0.3)
        assert db.session.engine._writes.empty()


async def test_closing_takes_a_tenth_of_a_second_more_at_most_and_does_not_fail(db, monkeypatch):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    monkeypatch.setattr(upkeep, "_OPTIMIZE", endless)
    began = time.monotonic()
    await db.close()
    assert 0.1 <= time.monotonic() - began < 2


async def test_while_another_process_has_the_lock_closing_neither_waits_nor_fails(db):
    await filled(db)
    await use_indexes(db)
    with closing(sqlite3.connect(db.settings.database_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        await db.close()
        assert time.monotonic() - began < 2
    assert statistics(db) == {}


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_of_a_file_that_was_replaced_nothing_is_written(db, monkeypatch, is_replaced):
    written = []
    monkeypatch.setattr(connection, "tend", lambda *_arguments, **_options: written.append("statistics"))
    path = db.settings.database_path
    if is_replaced:
        path.rename(path.with_name("moved.db"))
        path.write_bytes(b"")
    await db.close()
    assert bool(written) != is_replaced
    assert not is_replaced or path.read_bytes() == b""


async def test_a_file_that_is_read_only_is_left_alone(db, monkeypatch):
    written = []
    monkeypatch.setattr(connection, "tend", lambda *_arguments, **_options: written.append("statistics"))
    db.session.engine._writer.is_read_only = True  # as permissions make it, which do not bind root
    await db.close()
    assert written == []


async def test_it_is_not_taken_for_a_commit_of_others(open_database):
    db = await open_database(cache_recheck=0)
    await filled(db)
    await db.save("counter", {"name": "x"})
    await db.get("counter", "x")
    await asyncio.sleep(0.1)
    await db.get("counter", "x")
    engine = db.session.engine
    finds = engine._writer.finds
    engine._upkeep._ask()
    await until(lambda: set(statistics(db)) == {"wide_a", "wide_b"})
    await db.save("counter", {"name": "y"})
    assert engine._writer.finds == finds


async def test_it_is_no_statement_of_the_statistics(db):
    before = (await db.stats())["queries"]["total"]
    db.session.engine._upkeep._ask()
    await asyncio.sleep(0.3)
    assert (await db.stats())["queries"]["total"] == before
