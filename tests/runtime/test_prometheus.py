"""What Prometheus reads: it agrees with what hooks were told, its names follow the conventions, and its labels stay few."""

import asyncio
import importlib
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from urllib.request import urlopen

import homes
import pytest
from mixed_work import mixed_work
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from soulspot_db import ConfigurationError, DatabaseError, DatabaseSettings, EventBus
from soulspot_db.database import Database
from soulspot_db.monitoring.figures import Figures
from soulspot_db.monitoring.prometheus import DatabaseCollector, metrics_text
from support import locked, until, within

DATABASES = homes.BOTH


def families(db):
    text, kind = metrics_text(db)
    assert kind.startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def samples(db):
    """The value of each sample, by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families(db).values()
        for sample in family.samples
    }


def value(db, name, **labels):
    return samples(db)[(f"soulspot_db_{name}", *sorted(labels.items()))]


async def test_the_figures_of_two_thousand_operations_agree_with_what_a_hook_has_counted(open_database):
    db, counted, seconds = await open_database(), Counter(), Counter()

    @db.hooks.add
    def count(record):
        key = (record.entity_type, record.operation)
        outcome = "error" if record.error else "ok" if record.statement or not record.entity_type else "hit"
        counted["operations_total", *key, outcome] += 1
        counted["rows_total", *key] += record.rows
        counted["errors_total", record.error] += record.error is not None
        if outcome != "hit":
            counted["operation_duration_seconds_count", *key] += 1
            seconds[key] += record.duration

    await asyncio.gather(*(mixed_work(db, random.Random(seed), 100) for seed in range(20)))
    assert sum(number for key, number in counted.items() if key[0] == "operations_total" and key[1]) == 2_000
    found = samples(db)
    labels = ("entity", "operation", "outcome")
    for (name, *values), number in counted.items():
        if values != [None]:
            names = ("code",) if name == "errors_total" else labels
            key = (f"soulspot_db_{name}", *sorted(zip(names, values, strict=False)))
            assert found[key] == number, key
    total = sum(number for (name, *_), number in found.items() if name == "soulspot_db_operations_total")
    assert total == sum(number for key, number in counted.items() if key[0] == "operations_total")
    for (entity, operation), spent in seconds.items():
        names = (("entity", entity), ("operation", operation))
        assert found["soulspot_db_operation_duration_seconds_sum", *names] == pytest.approx(spent)
    committed = counted["operations_total", "", "commit", "ok"]
    assert found["soulspot_db_transactions_total", ("outcome", "committed")] == committed > 10
    rolled_back = counted["operations_total", "", "transaction", "error"]
    assert found["soulspot_db_transactions_total", ("outcome", "rolled_back")] == rolled_back > 10


async def test_buckets_hold_what_is_as_long_as_their_bound_or_shorter(db):
    figures = db.session.monitor.figures.of("counter")["planted"]
    for milliseconds in (0.05, 0.3, 3, 3, 700, 60_000):
        figures.add(milliseconds / 1000, 0.0, 0, failed=False)
    found = {
        sample.labels["le"]: sample.value
        for sample in families(db)["soulspot_db_operation_duration_seconds"].samples
        if sample.labels["operation"] == "planted" and sample.name.endswith("_bucket")
    }
    expected = {
        "0.0001": 1,
        "0.00025": 1,
        "0.0005": 2,
        "0.0025": 2,
        "0.005": 4,
        "0.5": 4,
        "1.0": 5,
        "10.0": 5,
        "+Inf": 6,
    }
    assert {bound: found[bound] for bound in expected} == expected


async def test_hits_and_misses_are_those_of_each_entity(db):
    await db.save("counter", {"name": "a"})
    for _ in range(5):
        await db.get("counter", "a")
    found = samples(db)
    cache = {
        name[len("soulspot_db_cache_") :]: number
        for (name, *labels), number in found.items()
        if labels == [("entity", "counter"), ("tier", "memory")]
    }
    assert cache == {"hits_total": db._cache.hits, "misses_total": db._cache.misses}
    assert cache["hits_total"] >= 4
    assert not [name for name in found if ("tier", "redis") in name]


async def test_statements_connections_files_and_transactions_are_told(open_database):
    db = await open_database(slow_query_threshold=1e-9)
    async with db.transaction():
        await db.save("counter", {"name": "a"})
        assert value(db, "open_transactions") == 1
    queries = (await db.stats())["queries"]
    assert value(db, "statements_total") == queries["total"] > 0
    assert value(db, "slow_statements_total") == queries["slow_queries"] > 0
    assert value(db, "statement_seconds_total") > 0
    assert value(db, "open_transactions") == 0
    assert value(db, "connections", state="idle") > 0
    maximum = (await db.stats())["connections"]["max_pool_size"]
    assert value(db, "connections_max") == maximum > 0
    kind = db.settings.database_type
    assert [dict(key[1:])["database_type"] for key in samples(db) if key[0] == "soulspot_db_build_info"] == [kind]
    is_file = kind == "sqlite"
    assert ("soulspot_db_file_bytes" in families(db)) is is_file
    if is_file:
        assert value(db, "file_bytes") == db.settings.database_path.stat().st_size
        assert value(db, "wal_bytes") > 0


@pytest.mark.sqlite_only
async def test_waiting_for_the_writer_is_told(db):
    async with locked(db):
        waiting = asyncio.create_task(db.save("counter", {"name": "b"}))
        await asyncio.sleep(0.2)
    await within(5, waiting)
    assert value(db, "lock_waits_total") >= 1
    assert value(db, "lock_wait_seconds_total") >= 0.15
    assert value(db, "operation_waiting_seconds_total", entity="counter", operation="save") >= 0.15


async def test_events_are_told_with_what_became_of_them(open_database):
    bus = EventBus()
    db = await open_database(events=bus)

    @bus.subscribe("database.counter.**")
    async def handler(event):
        if event.event_type.endswith("deleted"):
            raise RuntimeError

    await db.save("counter", {"name": "a"})
    await db.delete("counter", "a")
    await bus.settle()
    assert value(db, "events_total", outcome="handled") == 1
    assert value(db, "events_total", outcome="failed") == 1
    assert value(db, "events_pending") == 0
    assert value(db, "errors_total", code="other") == 1


@pytest.mark.sqlite_only
async def test_the_last_backup_is_told_once_there_is_one(open_database, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    db = await open_database(backup_path=folder)
    assert "soulspot_db_last_backup_timestamp_seconds" not in families(db)
    (folder / "soulspot.20261124T120000.000000Z.db").touch()
    assert value(db, "last_backup_timestamp_seconds") == 1795521600


async def test_names_follow_the_conventions(db):
    await mixed_work(db, random.Random(1), 50)
    found = families(db)
    assert len(found) > 18
    for name, family in found.items():
        assert re.fullmatch(r"soulspot_db_[a-z]+(_[a-z]+)*", name), name
        assert family.documentation.endswith("."), name
        assert family.type in {"counter", "gauge", "histogram"}
        assert not re.search("_(ms|milliseconds|kb|mb|percent|count|sum|bucket)(_|$)", name), name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            assert set(sample.labels) <= {
                "entity",
                "operation",
                "outcome",
                "tier",
                "state",
                "code",
                "le",
                "version",
                "database_type",
            }
    text = metrics_text(db)[0].decode()
    for name, family in found.items():
        written = f"{name}_total" if family.type == "counter" else name
        assert text.count(f"# HELP {written} ") == text.count(f"# TYPE {written} ") == 1


async def test_labels_do_not_grow_with_what_callers_pass(db):
    await db.count("counter")
    before = set(samples(db))
    for number in range(300):
        with pytest.raises(DatabaseError):
            await db.get(f'hostile"{number}\n{{}}', "a")
        with pytest.raises(DatabaseError):
            await db.query("counter", {f"field {number}": 1})
        with pytest.raises(RuntimeError):
            async with db.transaction(read_only=True):
                raise type(f"Hostile{number}", (RuntimeError,), {})
    new = set(samples(db)) - before
    assert len(new) < 60
    assert "ostile" not in metrics_text(db)[0].decode()
    assert value(db, "errors_total", code="other") == 300


async def test_hostile_values_of_labels_are_escaped(db):
    hostile = 'a"b\\c\nd{e="f"} 1'
    db.session.monitor.figures.of(hostile)["get"].add(0.1, 0.1, 1, failed=False)
    assert value(db, "rows_total", entity=hostile, operation="get") == 1


async def test_neither_values_nor_statements_nor_addresses_are_in_the_text(open_database):
    db = await open_database(slow_query_threshold=1e-9)
    await db.save("counter", {"name": "whisper"})
    with pytest.raises(DatabaseError):
        await db.save("counter", {"name": "whisper"})
    text = metrics_text(db)[0].decode()
    for hidden in ("whisper", "INSERT", "counters", db.settings.address):
        assert hidden not in text


async def test_a_thread_may_read_while_the_loop_counts_and_no_count_ever_falls(open_database):
    db, done, problems, scraped = await open_database(), threading.Event(), [], 0

    def scrape():
        nonlocal scraped
        last = {}
        try:
            while not done.is_set():
                found = {
                    key: number for key, number in samples(db).items() if "_total" in key[0] or "_bucket" in key[0]
                }
                problems.extend(key for key, number in last.items() if found[key] < number)
                last, scraped = found, scraped + 1
        except Exception as error:  # noqa: BLE001 - whatever it is, the test fails with it
            problems.append(error)

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        for number in range(30):
            await asyncio.gather(*(mixed_work(db, random.Random(number * 7 + seed), 20) for seed in range(5)))
            db.session.monitor.figures.of(f"entity {number}")["get"].add(number / 10, 0.0, 1, failed=False)
        await until(lambda: scraped > 3 or problems, 20)
    finally:
        done.set()
        await asyncio.to_thread(thread.join)
        sys.setswitchinterval(switching)
    assert problems == []


def test_operations_that_are_called_while_others_are_read_disturb_nobody():
    figures = Figures()
    for entity in ("album", "track"):
        figures.of(entity)["get"].add(0.1, 0.1, 1, failed=False)
    reading = iter(figures)
    next(reading)
    figures.of("album")["save"].add(0.1, 0.1, 1, failed=False)
    figures.of("artist")["get"].add(0.1, 0.1, 1, failed=False)
    assert [each.entity_type for each in reading] == ["track"]


async def test_collecting_asks_the_database_nothing(db):
    before = (await db.stats())["queries"]["total"]
    async with db.transaction():
        for _ in range(10):
            metrics_text(db)
    after = (await db.stats())["queries"]["total"]
    assert after - before <= 2  # BEGIN and COMMIT


async def test_a_database_that_is_not_open_has_metrics(open_database):
    closed = await open_database()
    await closed.close()
    assert value(closed, "connections", state="active") == 0
    never = Database(DatabaseSettings(database_path=closed.settings.database_path))
    assert value(never, "statements_total") == 0


async def test_a_registry_serves_it_over_http(db):
    registry = CollectorRegistry(auto_describe=True)
    registry.register(DatabaseCollector(db))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(DatabaseCollector(db))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        await db.save("counter", {"name": "a"})

        def scrape():
            with urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
                return answer.read().decode()

        text = await asyncio.to_thread(scrape)
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
    assert 'soulspot_db_operations_total{entity="counter",operation="save",outcome="ok"} 1.0' in text


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "soulspot_db.monitoring.prometheus")
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'soulspot-db[prometheus]'")):
        importlib.import_module("soulspot_db.monitoring.prometheus")


def test_importing_the_database_imports_no_exporter():
    code = (
        "import sys, soulspot_db; soulspot_db.Database(soulspot_db.DatabaseSettings(database_path='x.db'))\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('prometheus_client', 'opentelemetry')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
