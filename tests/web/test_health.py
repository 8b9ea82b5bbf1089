"""Health says what is wrong within two seconds, whatever it is, and changes nothing."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import locking_program
import pytest
import redis_servers
import servers
import support
import unprivileged_health
from soulspot_db import ConnectionFailedError, Database
from soulspot_db.engine.sqlite import sample
from soulspot_db.health.finding import Check, fine
from soulspot_db.health.health import Health
from soulspot_db.web import database_app

SECRET = "sesame-47-open"


@pytest.fixture
def asked(ask):
    """What `/health` answers, and that nothing of the others is a traceback or tells the password."""

    async def look(db, status):
        app = database_app(db, auth=None, public=True)
        began = time.perf_counter()
        answer = await ask(app, "/health")
        assert time.perf_counter() - began < 2
        assert answer.status_code == status, answer.text
        for address in ("/stats", "/stats?detail=full", "/card", "/"):
            began = time.perf_counter()
            other = await ask(app, address)
            assert time.perf_counter() - began < 2
            assert other.status_code in {200, 503}
            assert "Traceback" not in other.text + answer.text
            assert SECRET not in other.text + answer.text
        return answer.json()

    return look


def failing(report):
    return {name for name, check in report["checks"].items() if check["status"] == "fail"}


async def test_a_database_that_works_is_ok(db, asked):
    report = await asked(db, 200)
    assert report["status"] == "ok"
    assert set(report["checks"]) == {"read", "write", "migration", "pool", "file", "disk", "wal", "backup"}
    for check in report["checks"].values():
        assert set(check) == {"status", "latency_ms", "message"}
        assert check["latency_ms"] >= 0


@contextmanager
def locked_by_another_process(path):
    command = [sys.executable, locking_program.__file__, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield
        process.stdin.close()


async def test_a_file_that_another_process_has_locked_fails_until_it_is_free(db, asked):
    with locked_by_another_process(db.settings.database_path):
        for _ in range(2):
            report = await asked(db, 503)
            assert failing(report) == {"write"}
            assert "another program" in report["checks"]["write"]["message"]
    assert (await asked(db, 200))["status"] == "ok"


async def test_a_long_transaction_of_our_own_fails_and_is_named(db, asked):
    async with db.transaction():
        report = await asked(db, 503)
    assert failing(report) == {"write"}
    assert "a transaction opened at" in report["checks"]["write"]["message"]
    await asked(db, 200)


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.rename(path.with_suffix(".old"))])
async def test_a_file_that_is_gone_fails(db, asked, lose):
    lose(db.settings.database_path)
    report = await asked(db, 503)
    assert "write" in failing(report)
    assert "removed or replaced" in report["checks"]["write"]["message"]


@pytest.mark.skipif(sys.platform != "linux", reason="gives up root's privileges as on Linux")
async def test_a_file_that_cannot_be_written_fails_and_can_be_read(tmp_path):
    async with Database(support.settings(tmp_path / "soulspot.db")) as db:
        await support.create_tables(db)
    (tmp_path / "soulspot.db").chmod(0o444)
    command = [sys.executable, unprivileged_health.__file__, str(tmp_path / "soulspot.db")]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=True)
    report = json.loads(ran.stdout)
    assert failing(report) == {"write"}
    assert "read-only" in report["checks"]["write"]["message"]


@pytest.mark.parametrize("place", [0, 1, -1], ids=["header", "second page", "last page"])
async def test_a_damaged_file_fails(open_database, asked, place):
    db = await open_database()
    await db.save_many("counter", [{"name": f"{number}" * 20} for number in range(2_000)])
    path = db.settings.database_path
    await db.close()
    damaged = bytearray(path.read_bytes())
    start = (place % (len(damaged) // 4096)) * 4096
    sound = bytes(damaged)
    db = await Database(db.settings).open()
    try:
        assert (await db.health())["checks"]["file"]["status"] == "ok"
        for position in range(start, start + (100 if place == 0 else 4096)):
            damaged[position] ^= 0xFF
        path.write_bytes(damaged)  # in place, so that the file is still the same
        db._health = None  # what was found is believed for ten seconds
        report = await asked(db, 503)
        assert "file" in failing(report)
        assert "restore a backup" in report["checks"]["file"]["message"]
        path.write_bytes(sound)
    finally:
        await db.close()


async def test_damage_that_a_statement_has_met_fails_in_a_file_too_large_to_be_looked_through(
    open_database, asked, monkeypatch, caplog
):
    monkeypatch.setattr(sample, "_SMALL", 0)
    db = await open_database()
    await db.save_many("counter", [{"name": f"{number}" * 20} for number in range(2_000)])
    path = db.settings.database_path
    await db.close()
    sound = path.read_bytes()
    db = await Database(db.settings).open()
    try:
        half = len(sound) // 2
        path.write_bytes(sound[:half] + bytes(byte ^ 0xFF for byte in sound[half:]))
        assert (await asked(db, 200))["checks"]["file"]["status"] == "ok"
        for _ in range(2):
            with pytest.raises(ConnectionFailedError, match="damaged"):
                await db.query("counter", fresh=True)
        told = [record for record in caplog.records if "damaged" in record.getMessage()]
        assert [(record.name, record.levelname) for record in told] == [("soulspot_db.monitoring", "ERROR")]
        db._health = None  # what was found is believed for ten seconds
        report = await asked(db, 503)
        assert "file" in failing(report)
        assert "damaged" in report["checks"]["file"]["message"]
        path.write_bytes(sound)
        await db.close()
        await db.open()
        await asked(db, 200)
    finally:
        path.write_bytes(sound)
        await db.close()


async def test_a_database_that_is_not_open_fails(db, asked):
    await asked(db, 200)
    await db.close()
    report = await asked(db, 503)
    assert {"read", "write"} <= failing(report)
    await db.open()
    await asked(db, 200)


async def test_redis_that_is_gone_is_a_warning_and_reads_go_on(open_database, asked):
    with redis_servers.redis_server() as server:
        db = await open_database(redis=server.address)
        assert (await asked(db, 200))["checks"]["redis"]["status"] == "ok"
        with server.frozen():
            report = await asked(db, 200)
            assert report["checks"]["redis"]["status"] == "warn"
        server.stop()
        report = await asked(db, 200)
        assert report["status"] == "degraded"
        assert report["checks"]["redis"]["status"] == "warn"


async def test_a_postgresql_that_hangs_stops_or_takes_no_writes_fails(open_database, asked):
    with servers.postgres_server(fsync="off") as server:
        address = server.address
        db = await open_database(
            database=f"{address.host}:{address.port}/postgres", user=address.user, password=SECRET, single_instance=True
        )
        report = await asked(db, 200)
        assert set(report["checks"]) == {"read", "write", "migration", "pool", "backup"}
        with server.frozen():
            assert {"read", "write"} <= failing(await asked(db, 503))
        await support.until(lambda: db._engine.connections().active == 0, 10)
        address.psql("ALTER DATABASE postgres SET default_transaction_read_only = on")
        await db._engine._pool.expire()
        assert failing(await asked(db, 503)) == {"write"}
        address.psql("BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT")
        await db._engine._pool.expire()
        await asked(db, 200)
        server.stop()
        report = await asked(db, 503)
        assert {"read", "write"} <= failing(report)


async def test_it_never_commits_and_loses_no_cached_answer(db):
    await db.save("counter", {"name": "a"})
    with closing(sqlite3.connect(db.settings.database_path)) as other:
        (before,) = other.execute("PRAGMA data_version").fetchone()
        for _ in range(5):
            assert (await db.health())["status"] == "ok"
        assert other.execute("PRAGMA data_version").fetchone() == (before,)
        assert other.execute("PRAGMA user_version").fetchone() == (0,)


async def test_the_probe_leaves_a_version_that_somebody_set(db):
    support.outside(db, "PRAGMA user_version = 7")
    await db.health()
    assert support.outside(db, "PRAGMA user_version") == [(7,)]


async def test_all_who_ask_at_once_share_one_answer(db):
    await db.health()
    before = (await db.stats())["queries"]["total"]
    await db.health()
    one = (await db.stats())["queries"]["total"] - before
    reports = await asyncio.gather(*(db.health() for _ in range(50)))
    assert (await db.stats())["queries"]["total"] == before + 2 * one
    assert all(report is reports[0] for report in reports)


async def test_who_is_cancelled_takes_the_answer_from_nobody(db):
    first, second = asyncio.create_task(db.health()), asyncio.create_task(db.health())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)["status"] == "ok"


async def test_a_check_that_hangs_fails_says_for_what_it_waits_and_is_not_asked_again_meanwhile():
    asked, free = [], threading.Event()

    async def hang():
        asked.append(1)
        await asyncio.to_thread(free.wait)
        return fine("at last")

    async def quick():
        return fine("quick")

    health = Health([Check("slow", hang, lambda: "the disk", 10.0), Check("quick", quick, lambda: "nothing")])
    began = time.perf_counter()
    for _ in range(2):
        report = await health.report()
        assert report["status"] == "failing"
        assert report["checks"]["slow"]["message"] == "no answer within 1 s: waited for the disk"
        assert report["checks"]["quick"]["status"] == "ok"
    assert time.perf_counter() - began < 4
    assert asked == [1]
    free.set()
    assert (await health.report())["checks"]["slow"]["message"] == "at last"


async def test_a_check_that_breaks_is_a_failure_whose_text_stays_in_the_log(caplog):
    async def broken():
        raise ValueError("geheim")

    report = await Health([Check("x", broken, lambda: "")]).report()
    assert report["checks"]["x"]["status"] == "fail"
    assert "geheim" not in str(report)
    assert "geheim" in caplog.text


async def test_what_costs_more_is_asked_again_after_ten_seconds_and_a_failure_at_once(monkeypatch):
    from soulspot_db.health import health as module
    from soulspot_db.health.finding import failed

    answers, asked = [fine("a"), failed("b"), fine("c")], []

    async def answer():
        asked.append(1)
        return answers[len(asked) - 1]

    # Looked at before an answer is given again, and after one was had.
    clock = iter((100.0, 109.0, 111.0, 111.0, 111.5, 112.0))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.__next__, perf_counter=time.perf_counter))
    health = Health([Check("x", answer, lambda: "", 10.0)])
    told = [(await health.report())["checks"]["x"]["message"] for _ in range(5)]
    assert told == ["a", "a", "b", "c", "c"]


async def test_a_backup_that_is_missing_or_old_is_a_warning(open_database, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    db = await open_database(backup_path=folder)
    assert (await db.health())["checks"]["backup"]["status"] == "warn"
    (folder / "soulspot.20200101T000000.000000Z.db").touch()
    db._health = None
    assert "the newest was made" in (await db.health())["checks"]["backup"]["message"]
    (folder / time.strftime("soulspot.%Y%m%dT%H%M%S.000000Z.db", time.gmtime())).touch()
    db._health = None
    assert (await db.health())["checks"]["backup"] | {"latency_ms": 0} == {
        "status": "ok",
        "latency_ms": 0,
        "message": "made 0 h ago",
    }


async def test_a_disk_with_little_room_warns_and_one_with_none_fails(db, monkeypatch):
    from soulspot_db.health import files

    for free, status in ((5_000_000, "fail"), (150_000_000, "warn"), (10**12, "ok")):
        monkeypatch.setattr(files.shutil, "disk_usage", lambda _path, free=free: SimpleNamespace(free=free))
        assert files.disk(db.settings.database_path).status == status
