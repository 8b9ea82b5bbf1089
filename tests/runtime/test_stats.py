"""Statistics and the query log."""

import logging

import homes
import pytest
from soulspot_db import QueryTimeoutError
from soulspot_db.engine.base import Statement
from soulspot_db.monitoring.query_log import QueryLog
from soulspot_db.monitoring.recorder import StatementRecorder
from support import ENDLESS, statements_of

DATABASES = homes.BOTH


async def test_stats_have_exactly_the_documented_shape(db):
    await db.save("counter", {"name": "a"})
    stats = await db.stats()
    assert {name: set(part) for name, part in stats.items() if isinstance(part, dict)} == {
        "connections": {"active", "idle", "total", "max_pool_size"},
        "cache": {"memory", "redis"},
        "queries": {"total", "slow_queries", "average_time_ms"},
    }
    assert set(stats) == {"connections", "cache", "queries", "top_slow_queries"}
    assert set(stats["cache"]["memory"]) == {"hit_rate", "size", "max_size"}
    assert stats["cache"]["redis"] is None
    assert stats["top_slow_queries"] == []


@pytest.mark.sqlite_only
async def test_connections_count_the_busy_and_the_idle(open_database):
    db = await open_database(connection_pool_size=3)
    assert (await db.stats())["connections"] == {"active": 0, "idle": 4, "total": 4, "max_pool_size": 3}
    async with db.transaction():
        assert (await db.stats())["connections"] == {"active": 1, "idle": 3, "total": 4, "max_pool_size": 3}
    assert (await db.stats())["connections"]["active"] == 0


async def test_the_cache_counts_hits_entries_and_room(open_database):
    db = await open_database(cache_max_size=50)
    await db.save("counter", {"name": "a"})
    for _ in range(4):
        await db.get("counter", "a")
    assert (await db.stats())["cache"]["memory"] == {"hit_rate": 0.75, "size": 1, "max_size": 50}


async def test_statements_are_counted_with_their_average_time(db):
    before = (await db.stats())["queries"]
    await db.save("counter", {"name": "a"})
    after = (await db.stats())["queries"]
    assert after["total"] == before["total"] + len(statements_of(db, "INSERT"))
    assert after["average_time_ms"] > 0


async def test_slow_statements_are_counted_without_their_values(open_database):
    db = await open_database(slow_query_threshold=0.000001)
    for name in ("geheim", "secret"):
        await db.save("counter", {"name": name})
    stats = await db.stats()
    assert stats["queries"]["slow_queries"] == stats["queries"]["total"]
    assert len(stats["top_slow_queries"]) == len(statements_of(db, "INSERT"))
    assert "geheim" not in str(stats)


def test_the_slowest_statements_come_first_each_with_its_count_and_average():
    recorder = StatementRecorder(slow=1, log=QueryLog(enabled=False))
    timed = [("SELECT a", 1.0), ("SELECT b", 5.0), ("SELECT a", 2.0), ("SELECT c", 0.5)]
    recorder.record([(Statement(sql), seconds) for sql, seconds in timed])
    assert recorder.top_slow_queries() == [
        {"query": "SELECT b", "count": 1, "avg_time_ms": 5000.0},
        {"query": "SELECT a", "count": 2, "avg_time_ms": 1500.0},
    ]
    assert recorder.queries() == {"total": 4, "slow_queries": 3, "average_time_ms": 2125.0}


async def test_the_query_log_has_one_debug_line_per_statement_and_no_values(db, caplog):
    with caplog.at_level(logging.DEBUG, "soulspot_db.query"):
        await db.save("counter", {"name": "geheim"})
        await db.get("counter", "geheim")
        await db.get("counter", "geheim")
    lines = [record for record in caplog.records if record.name == "soulspot_db.query"]
    assert [record.levelname for record in lines] == ["DEBUG"] * len(lines)
    sent = [record.message.split(": ", 1)[1].split()[0] for record in lines]
    assert sent == [*statements_of(db, "INSERT"), "SELECT"]
    assert "geheim" not in caplog.text


async def test_every_line_of_the_query_log_is_one_line(db, caplog):
    with caplog.at_level(logging.DEBUG, "soulspot_db.query"):
        await db.create_table("playlist")
        await db.query("playlist", {"name": "a"}, "name", 3)
    assert any("FROM playlists" in record.message for record in caplog.records)
    assert not [record for record in caplog.records if "\n" in record.message]


async def test_the_query_log_can_be_switched_off(open_database, caplog):
    db = await open_database(enable_query_logging=False)
    with caplog.at_level(logging.DEBUG, "soulspot_db.query"):
        await db.save("counter", {"name": "a"})
    assert [record for record in caplog.records if record.name == "soulspot_db.query"] == []


async def test_a_slow_statement_is_a_warning(open_database, caplog):
    db = await open_database(slow_query_threshold=0.05, query_timeout=0.1)
    with pytest.raises(QueryTimeoutError):
        await db._engine.read(Statement(ENDLESS))
    (line,) = [record for record in caplog.records if record.name == "soulspot_db.query"]
    assert line.levelname == "WARNING"
    assert "slow statement" in line.message
    assert (await db.stats())["top_slow_queries"][0]["query"] == ENDLESS


async def test_statements_are_compiled_once_for_each_shape_and_counted(db):
    async def compiled():
        return (await db.stats(detail="full"))["compiled"]

    before = await compiled()
    for name in ("a", "b"):
        await db.query("counter", {"name": name, "value": {"gt": 1}}, "value DESC", limit=3)
    assert await compiled() == before + 1
    await db.query("counter", {"name": "a"})
    assert await compiled() == before + 2
