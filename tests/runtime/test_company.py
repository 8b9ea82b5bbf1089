"""Several processes write one file: nothing is lost, each gets its turn, and who has a SQLite that this may harm is told."""

import asyncio
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import support
from soulspot_db import Database
from soulspot_db.engine.base import Statement
from soulspot_db.engine.sqlite import versions
from soulspot_db.engine.sqlite.connection import Connection
from soulspot_db.engine.sqlite.versions import has_wal_reset_bug, warn_of_company
from support import outside

# One of two processes: for some seconds it saves rows one by one, adds to the shared counter in transactions, and says
# how often each was acknowledged.
WRITES = """
import asyncio, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import support
from soulspot_db import Database

async def main(path, name, seconds):
    support.register_all()
    saved, added, end = 0, 0, time.monotonic() + seconds

    async def save(task):
        nonlocal saved
        while time.monotonic() < end:
            await db.save("counter", {{"name": f"{{name}}.{{task}}.{{saved}}"}})
            saved += 1

    async def add():
        nonlocal added
        while time.monotonic() < end:
            async with db.transaction() as tx:
                row = await tx.get("counter", "shared")
                await tx.update("counter", "shared", {{"value": row["value"] + 1}})
            added += 1

    async with Database(support.settings(Path(path), connection_pool_size=1)) as db:
        await asyncio.gather(*(save(task) for task in range(4)), *(add() for _ in range(2)))
    print(saved, added)

asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""


@pytest.fixture
def warned(caplog):
    return lambda: [line for line in caplog.messages if "another connection writes" in line]


@pytest.fixture
def spoiled(monkeypatch):
    """Any SQLite has the bug."""
    monkeypatch.setattr(versions, "has_wal_reset_bug", lambda _version: True)


# The warning.


@pytest.mark.parametrize("version", [(3, 7, 0), (3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 50, 6), (3, 51, 2)])
def test_versions_that_others_can_damage_the_file_with(version):
    assert has_wal_reset_bug(version)


@pytest.mark.parametrize("version", [(3, 6, 23), (3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 52, 0), (3, 53, 0)])
def test_versions_that_they_cannot(version):
    assert not has_wal_reset_bug(version)


def test_the_warning_names_the_file_the_version_and_what_to_do(caplog):
    warn_of_company("/config/soulspot.db", (3, 40, 1))
    warn_of_company("/config/soulspot.db", (3, 51, 3))
    (line,) = caplog.messages
    assert "/config/soulspot.db" in line
    assert "SQLite 3.40.1" in line
    assert "3.51.3 or newer" in line


async def test_who_meets_another_writer_is_warned_once(db, warned, spoiled):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    assert warned() == []
    for value in range(3):
        outside(db, "UPDATE counters SET value = ?", value)
        await db.save("counter", {"name": f"b{value}"})
    assert len(warned()) == 1


async def test_the_warning_depends_on_the_version_of_sqlite_that_is_used(db, warned):
    outside(db, "INSERT INTO counters (name, value) VALUES ('a', 0)")
    await db.save("counter", {"name": "b"})
    assert len(warned()) == has_wal_reset_bug(sqlite3.sqlite_version_info)


async def test_who_only_reads_is_warned_as_well(open_database, warned, spoiled):
    db = await open_database(cache_recheck=0)
    outside(db, "INSERT INTO counters (name, value) VALUES ('a', 0)")
    assert (await db.get("counter", "a"))["value"] == 0
    assert len(warned()) == 1


async def test_others_that_only_read_are_no_reason_to_warn(db, warned, spoiled):
    for number in range(5):
        await db.save("counter", {"name": f"{number}"})
        assert outside(db, "SELECT count(*) FROM counters") == [(number + 1,)]
    assert warned() == []


# Turns.


def test_another_process_gets_its_turn_between_transactions_that_follow_each_other(tmp_path):
    """Threads stand in for processes; counted are the transactions that went before, not seconds."""

    def connect():
        return Connection(
            str(tmp_path / "x.db"), read_only=False, busy_timeout=20, query_timeout=20, synchronous="NORMAL"
        )

    count, stop, up = 0, threading.Event(), threading.Event()

    def write_without_pause():
        nonlocal count
        connection = connect()
        while not stop.is_set():
            connection.begin_when_free(lambda: True)
            up.set()
            time.sleep(0.01)  # as a COMMIT on a slow disk takes
            connection.commit()
            count += 1
        connection.close()

    thread = threading.Thread(target=write_without_pause)
    thread.start()
    up.wait()
    other, before = connect(), []
    for number in range(10):
        asked = count
        other.begin_when_free(lambda: True)
        before.append(count - asked)
        other._execute(Statement(f"CREATE TABLE t{number} (a)"))
        other.commit()
        time.sleep(0.02)
    stop.set()
    thread.join()
    other.close()
    assert before[0] <= 300  # when nobody knew of the other
    assert statistics.median(before) <= 10


def test_who_is_alone_leaves_no_gaps(tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    connection = Connection(
        str(tmp_path / "x.db"), read_only=False, busy_timeout=20, query_timeout=20, synchronous="NORMAL"
    )
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        connection.begin_when_free(lambda: True)
        connection.commit()
    connection.close()
    assert slept == []


# Nothing is lost.


@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.slow)])
async def test_two_processes_that_write_one_file_lose_nothing(tmp_path, seconds):
    path = tmp_path / "soulspot.db"
    async with Database(support.settings(path)) as db:
        await db.create_table("counter")
        await db.save("counter", {"name": "shared"})
    script = WRITES.format(tests=str(Path(support.__file__).parent))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            path,
            name,
            str(seconds),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for name in "ab"
    ]
    told = [await process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    counts = [tuple(map(int, out.split())) for out, _ in told]
    assert all(saved > 50 and added > 5 for saved, added in counts)
    assert outside(db, "PRAGMA integrity_check") == [("ok",)]
    assert outside(db, "SELECT count(*) FROM counters") == [(sum(saved for saved, _ in counts) + 1,)]
    assert outside(db, "SELECT value FROM counters WHERE name = 'shared'") == [(sum(added for _, added in counts),)]
