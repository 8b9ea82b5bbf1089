"""Figures: what is counted agrees with what hooks are told, and stays small."""

import asyncio
import contextvars
import json
import logging
import math
import random
from collections import Counter

import homes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed_work import mixed_work
from soulspot_db import DatabaseError, EntityRegistry, EntitySchema, EventBus
from soulspot_db.engine.base import Statement
from soulspot_db.monitoring.figures import Figures
from soulspot_db.monitoring.history import History, Totals
from soulspot_db.monitoring.latencies import Latencies
from soulspot_db.monitoring.query_log import QueryLog
from soulspot_db.monitoring.recorder import StatementRecorder
from soulspot_db.sessions.operations import Read
from soulspot_db.trace import Trace
from support import locked, until, within

DATABASES = homes.BOTH


@pytest.fixture
def records(db):
    found = []
    db.hooks.add(found.append)
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-7, 1e3), min_size=1, max_size=300))
def test_percentiles_are_those_of_the_durations_to_within_two_percent(durations):
    latencies = Latencies()
    for seconds in durations:
        latencies.add(seconds)
    found = Latencies.percentiles([latencies])
    ordered = sorted(durations)
    for number in (50, 95, 99):
        exact = ordered[math.floor(number / 100 * (len(ordered) - 1))] * 1000
        assert found[f"p{number}_ms"] == pytest.approx(exact, rel=0.0101, abs=0.001)
    assert found["max_ms"] == pytest.approx(max(durations) * 1000, abs=0.001)


def test_percentiles_of_nothing_are_zeros_and_a_clock_that_stands_still_is_counted():
    assert Latencies.percentiles([]) == {"p50_ms": 0, "p95_ms": 0, "p99_ms": 0, "max_ms": 0}
    latencies = Latencies()
    latencies.add(0.0)
    assert Latencies.percentiles([latencies])["p50_ms"] == 0


def test_the_bins_of_a_million_durations_are_as_many_as_of_a_thousand():
    latencies, choice = Latencies(), random.Random(1)
    for _ in range(100_000):
        latencies.add(choice.lognormvariate(-9, 3))
    assert len(latencies.bins) < 2_000


@pytest.mark.parametrize("shapes", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_slow_statements_of_very_many_shapes_are_forgotten(shapes):
    recorder = StatementRecorder(slow=0, log=QueryLog(enabled=False))
    for number in range(shapes):
        recorder.record([(Statement(f"SELECT {number}"), 0.001)])
    assert recorder.queries()["slow_queries"] == shapes
    assert len(recorder._slowest) == 100


class TokenSchema(EntitySchema):
    entity_type = "token"
    table_name = "tokens"
    fields = {
        "name": {"type": "string", "max_length": 40, "primary_key": True},
        "secret": {"type": "string", "max_length": 40, "sensitive": True},
    }


async def test_the_figures_of_ten_thousand_operations_agree_with_what_a_hook_has_counted(open_database):
    operations = 10_000
    db, counted = await open_database(), Counter()

    @db.hooks.add
    def count(record):
        key = (record.entity_type, record.operation)
        counted[*key, "count"] += 1
        counted[*key, "rows"] += record.rows
        counted[*key, "errors"] += record.error is not None
        counted["hits of memory"] += record.cache == "hit" and record.statement == ""

    work = [mixed_work(db, random.Random(seed), operations // 20) for seed in range(20)]
    await asyncio.gather(*work)
    found = (await db.stats(detail="full"))["operations"]
    assert sum(row["count"] for row in found if row["entity"]) == operations
    methods = {"save", "update", "delete", "query", "count", "get_many", "get"}
    assert {row["operation"] for row in found} == methods | {"transaction", "commit"}
    for row in found:
        key = (row["entity"], row["operation"])
        assert row["count"] == counted[*key, "count"], key
        assert row["rows"] == counted[*key, "rows"], key
        assert row["errors"] == counted[*key, "errors"], key
    assert sum(row["hits"] for row in found) == counted["hits of memory"] > operations * 0.03
    assert sum(row["errors"] for row in found) > operations // 100


async def test_without_a_hook_the_same_is_counted(open_database):
    totals = []
    for has_hook in (True, False):
        db = await open_database()
        await db.delete_where("counter", {}, all_rows=True)
        if has_hook:
            db.hooks.add(lambda _record: None)
        await mixed_work(db, random.Random(3), 400)
        rows = [row for row in (await db.stats(detail="full"))["operations"] if row["operation"] != "delete_where"]
        totals.append({row["operation"]: (row["count"], row["hits"], row["errors"], row["rows"]) for row in rows})
        await db.close()
    assert totals[0] == totals[1]


async def test_a_call_that_waits_for_the_writer_waits_and_one_that_has_work_runs(db, records):
    db_waits = 0.3
    async with locked(db):
        waiting = asyncio.create_task(db.save("counter", {"name": "b"}))
        await asyncio.sleep(db_waits)
    await within(5, waiting)
    (record,) = [record for record in records if record.operation == "save"]
    assert record.duration == pytest.approx(record.waiting + record.running)
    if db.settings.database_type == "sqlite":  # PostgreSQL waits for a row's lock while it runs
        assert record.waiting >= db_waits * 0.9
        assert record.running < db_waits / 2
        locks = (await db.stats(detail="full"))["locks"]
        assert locks["waited"] >= 1
        assert locks["waited_ms"] >= db_waits * 900


async def test_what_runs_in_the_database_is_running_and_not_waiting(db, records):
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 400000) SELECT max(i) FROM n"
    }
    sql = slow.get(db.settings.database_type, "SELECT pg_sleep(0.2)")
    region = db.session.plans.of(EntityRegistry.get_schema("counter")).region
    request = Read(region, None, (), lambda: Statement(sql), len, trace=Trace())
    await db.session.read(request)
    assert request.trace.running > 0.02
    assert request.trace.queued < request.trace.running


async def test_the_connection_that_all_others_hold_is_waited_for(open_database):
    db, records, asked = await open_database(connection_pool_size=1, max_overflow=0), [], asyncio.Event()
    db.hooks.add(records.append)
    async with db.transaction(read_only=True):
        reading = asyncio.create_task(asyncio.wait_for(_read_outside(db, asked), 5), context=contextvars.Context())
        await asked.wait()  # or a machine that stands still could end the pause before it has begun
        await asyncio.sleep(0.2)
    await within(5, reading)
    (record,) = [record for record in records if record.operation == "query"]
    assert record.waiting > 0.15
    assert (await db.stats(detail="full"))["locks"]["waited"] >= 1


async def _read_outside(db, asked):
    asked.set()
    return await db.query("counter", fresh=True)


async def test_transactions_and_their_commits_are_told_of(db, records):
    async with db.transaction():
        await db.save("counter", {"name": "a"})
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await db.save("counter", {"name": "b"})
            raise ZeroDivisionError
    ended = [(record.operation, record.error) for record in records if record.entity_type == ""]
    assert ended == [("commit", None), ("transaction", None), ("transaction", "ZeroDivisionError")]
    commit = next(record for record in records if record.operation == "commit")
    assert (commit.statement, commit.running > 0) == ("COMMIT", True)
    assert (await db.stats(detail="full"))["transactions"] == {"open": 0, "committed": 1, "rolled_back": 1}


async def test_a_transaction_that_is_open_is_counted_and_the_holder_of_the_writer_named(db):
    async with db.transaction():
        stats = await db.stats(detail="full")
        assert stats["transactions"]["open"] == 1
        if db.settings.database_type == "sqlite":
            assert "test_figures.py" in stats["locks"]["holder"]
    stats = await db.stats(detail="full")
    assert (stats["transactions"]["open"], stats["locks"]["holder"]) == (0, None)


async def test_a_transaction_that_cannot_begin_is_told_of(open_database):
    db, records = await open_database(pool_timeout=0.1, connection_pool_size=1, max_overflow=0), []
    db.hooks.add(records.append)

    async def second():
        async with db.transaction(read_only=True):
            raise AssertionError

    async with db.transaction(read_only=True):
        with pytest.raises(DatabaseError):
            await asyncio.create_task(second(), context=contextvars.Context())
        assert [(record.operation, record.error) for record in records] == [("transaction", "DATABASE_POOL_EXHAUSTED")]


async def test_what_handlers_of_events_do_is_told_of_with_its_topic(open_database):
    bus = EventBus()
    db, records = await open_database(events=bus), []
    db.hooks.add(records.append)

    @bus.subscribe("database.counter.created")
    async def good(event):
        await asyncio.sleep(0.01)

    @bus.subscribe("own.topic")
    async def bad(event):
        raise RuntimeError("broken")

    await db.save("counter", {"name": "a"})
    await bus.settle()
    await bus.publish("own.topic", {})
    await bus.settle()
    handled = [record for record in records if record.operation == "handle"]
    assert [(record.entity_type, record.error) for record in handled] == [
        ("database.counter.created", None),
        ("own.topic", "failed"),
    ]
    assert handled[0].duration >= 0.009
    assert (await db.stats(detail="full"))["events"] == {"pending": 0, "handled": 1, "failed": 1}
    await db.close()
    await bus.publish("own.topic", {})
    await bus.settle()
    assert len([record for record in records if record.operation == "handle"]) == 2, "a closed database is not told"


async def test_what_was_slow_says_which_line_of_the_application_called(open_database):
    db, records = await open_database(slow_query_threshold=1e-6), []
    db.hooks.add(records.append)
    await db.query("counter")
    (record,) = records
    assert record.module == __name__
    assert record.place.startswith(f"{__file__}:")
    (slow,) = [row for row in (await db.stats(detail="full"))["slow_queries"] if "counters" in row["query"]]
    assert slow["place"] == record.place
    assert slow["max_time_ms"] >= slow["avg_time_ms"] > 0


async def test_what_was_not_slow_does_not_look_for_its_caller(db, records, monkeypatch):
    monkeypatch.setattr("soulspot_db.monitoring.monitor.calling_place", None)
    await db.query("counter")
    assert (records[0].module, records[0].place) == (None, None)


async def test_the_last_error_is_remembered_with_its_code(db):
    assert (await db.stats(detail="full"))["last_error"] is None
    await db.save("counter", {"name": "a"})
    with pytest.raises(DatabaseError):
        await db.save("counter", {"name": "a"})
    assert (await db.stats(detail="full"))["last_error"]["code"] == "DATABASE_CONSTRAINT_VIOLATION"


async def test_history_counts_what_happened_in_each_step_and_keeps_the_last_ten_minutes():
    at = Totals(0, 0, 0, 0, 0.0)
    history = History(lambda: at)
    history.start()
    for number in range(1, 101):
        at = Totals(number * 5, number, 0, 0, number / 1000)
        history._turn()
        history.stop()
    steps = history.steps
    assert len(steps) == 60
    assert {step["queries"] for step in steps[:-1]} == {5}
    assert (steps[-1]["queries"], steps[0]["waiting_ms"]) == (0, 1.0)


async def test_history_ends_with_the_database(open_database):
    db = await open_database()
    timer = db._statistics._history._timer
    assert timer is not None
    await db.close()
    assert timer.cancelled()
    assert db._statistics._history._timer is None


async def test_the_query_log_as_json_is_one_object_a_line(open_database, caplog):
    db = await open_database(query_log_format="json", log_parameters=True)
    with caplog.at_level(logging.DEBUG, "soulspot_db.query"):
        await db.save("counter", {"name": "abc"})
    lines = [json.loads(record.message) for record in caplog.records if record.name == "soulspot_db.query"]
    insert = next(line for line in lines if line["statement"].startswith("INSERT"))
    assert set(insert) == {"statement", "milliseconds", "slow", "parameters"}
    assert "'abc'" in insert["parameters"]
    assert insert["slow"] is False


async def test_values_are_logged_only_where_they_are_asked_for(open_database, caplog):
    for asked in (False, True):
        db = await open_database(log_parameters=asked)
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "soulspot_db.query"):
            await db.get("counter", "whisper", fresh=True)
        assert ("whisper" in caplog.text) is asked
        await db.close()


@pytest.mark.parametrize("form", ["text", "json"])
async def test_values_of_an_entity_with_a_sensitive_field_are_never_logged(open_database, caplog, form):
    EntityRegistry.register("token", TokenSchema)
    db = await open_database(query_log_format=form, log_parameters=True, slow_query_threshold=1e-6)
    await db.create_table("token")
    with caplog.at_level(logging.DEBUG, "soulspot_db.query"):
        await db.save("token", {"name": "whisper-1", "secret": "whisper-2"})
        await db.query("token", {"name": "whisper-1"})
        await db.get("token", "whisper-1", fresh=True)
        await db.update("token", "whisper-1", {"secret": "whisper-3"})
    assert "tokens" in caplog.text
    assert "whisper" not in caplog.text


def test_figures_are_made_only_for_what_was_called():
    figures = Figures()
    figures.of("album")["get"].add(0.1, 0.05, 1, failed=False)
    assert [(each.entity_type, each.operation, each.count) for each in figures] == [("album", "get", 1)]


@pytest.mark.sqlite_only
async def test_an_operation_that_is_cancelled_is_counted_as_an_error(db, records):
    async with locked(db):
        waiting = asyncio.create_task(db.save("counter", {"name": "c"}))
        await until(lambda: waiting is not None)
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(5, waiting)
    row = next(row for row in (await db.stats(detail="full"))["operations"] if row["operation"] == "save")
    assert (row["count"], row["errors"]) == (1, 1)


async def test_in_development_rows_read_one_after_another_are_told_of_with_the_line(open_database, caplog):
    db = await open_database(development=True, n_plus_one_threshold=5)
    await db.save_many("counter", [{"name": f"c{number}"} for number in range(9)])
    with caplog.at_level(logging.WARNING, "soulspot_db.monitoring"):
        for number in range(9):
            await db.get("counter", f"c{number}", fresh=True)
    (line,) = [record.message for record in caplog.records if "one row after another" in record.message]
    assert f"{__file__}:" in line
    assert "get_many(keys)" in line


@pytest.mark.parametrize("how", ["together", "from memory", "in production"])
async def test_rows_read_together_or_from_memory_are_no_loop_and_nobody_looks_in_production(open_database, caplog, how):
    db = await open_database(development=how != "in production", n_plus_one_threshold=5)
    await db.save("counter", {"name": "c"})
    await db.get("counter", "c")
    with caplog.at_level(logging.WARNING, "soulspot_db.monitoring"):
        if how == "together":
            await asyncio.gather(*(db.get("counter", f"c{number}") for number in range(9)))
        for _ in range(9):
            await db.get("counter", "c", fresh=how == "in production")
    assert "one row after another" not in caplog.text


async def test_a_task_that_is_nothing_but_a_call_has_no_line_of_its_own(open_database):
    db, records = await open_database(slow_query_threshold=1e-6), []
    db.hooks.add(records.append)
    await asyncio.create_task(db.query("counter"))
    assert (records[0].module, records[0].place) == (None, "an unknown place")


@pytest.mark.sqlite_only
async def test_a_slow_statement_has_the_advice_that_would_make_it_fast(open_database):
    db = await open_database(slow_query_threshold=1e-6)
    rows = [{"name": f"list {number}", "spotify_id": f"s{number}"} for number in range(3_000)]
    await db.save_many("playlist", rows)
    await db.query("playlist", {"name": "list 7"}, fresh=True)

    async def advice():
        found = (await db.stats(detail="full"))["slow_queries"]
        return [row["advice"] for row in found if "WHERE playlists.name = ?" in row["query"]]

    async with asyncio.timeout(10):
        while (await advice()) in ([], [None]):
            await asyncio.sleep(0.02)
    (told,) = await advice()
    assert "fields: [name]" in told
    assert "list 7" not in told
