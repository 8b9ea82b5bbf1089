"""What could keep the event loop waiting while rows are read on it: a slow disk, other processes, a checkpoint.

How long it waits, tests/benchmarks/stalls.py measures; here it is counted how often it could.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from uuid import uuid4

import preloaded
import pytest
import slow_disk
import slow_disk_reader
from support import outside

# Another program that commits all the time, until it is killed.
COMMITS = """
import itertools, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("PRAGMA synchronous = NORMAL")
for number in itertools.count():
    connection.execute("UPDATE counters SET value = ? WHERE name = 'a'", [number])
    if number == 10:
        print("begun", flush=True)
"""


@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.slow)])
async def test_a_disk_that_takes_ten_milliseconds_for_each_read_stalls_the_loop_once_a_second(tmp_path, seconds):
    if reason := preloaded.lacking():
        pytest.skip(reason)
    found = _read_from_a_slow_disk(tmp_path, seconds)
    if "lacking" in found:
        pytest.skip(found["lacking"])
    assert found["reads"] > 100
    assert 1 <= len(found["stalls"]) <= seconds + 1
    for one, next_one in zip(found["stalls"], found["stalls"][1:], strict=False):
        assert next_one - one >= 1
    assert found["outside"] == 0  # nothing else on the loop's thread has waited for the disk


def _read_from_a_slow_disk(folder, seconds):
    command = [sys.executable, slow_disk_reader.__file__, folder / "soulspot.db", str(seconds)]
    return json.loads(
        subprocess.check_output(command, env=preloaded.environment(slow_disk.SOURCE, folder), timeout=120)
    )


@pytest.fixture
async def refused(db):
    """How many reads on the loop were left to a lane, and how many there were, whatever this machine's speed."""
    await db.save_many("counter", [{"name": name} for name in "ab"])
    inline, counts = db._engine._inline, {"refused": 0, "asked": 0}
    answer = inline.rows

    def noted(statement):
        inline._again_at = 0.0
        found = answer(statement)
        counts["asked"] += 1
        counts["refused"] += found is None
        return found

    inline.rows = noted
    return counts


async def test_while_another_process_commits_without_pause_rows_are_read_on_the_loop_and_are_never_old(db, refused):
    command = [sys.executable, "-c", COMMITS, str(db.settings.database_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        try:
            await asyncio.to_thread(other.stdout.readline)
            last, changes, end = 0, 0, time.monotonic() + 1
            # A machine with other work may keep the first from the loop, and all for a second then.
            while time.monotonic() < end or (refused["asked"] <= 100 and time.monotonic() < end + 10):
                value = (await db.get("counter", "a", fresh=True))["value"]
                assert value >= last
                changes += value > last
                last = value
        finally:
            other.kill()
    assert changes > 10
    assert (await db.get("counter", "a", fresh=True))["value"] == outside(db, "SELECT max(value) FROM counters")[0][0]
    assert refused["asked"] > 100
    assert refused["refused"] <= refused["asked"] // 20


async def test_while_a_large_log_is_checkpointed_rows_are_read_on_the_loop(db, refused):
    path, asked, left = db.settings.database_path, 0, 0
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        other.execute("PRAGMA wal_autocheckpoint = 0")
        while asked <= 10:  # on a busy machine it may be over before anything is read
            _fill_log(other)
            before, checkpoint = dict(refused), []
            thread = threading.Thread(target=_checkpoint, args=(path, checkpoint))
            thread.start()
            while thread.is_alive():
                assert await db.get("counter", "b", fresh=True)
            assert checkpoint[0][0] == 0  # nobody was in its way
            assert checkpoint[0][1] == checkpoint[0][2] > 5_000  # pages in the log, and those that are in the file now
            asked += refused["asked"] - before["asked"]
            left += refused["refused"] - before["refused"]
    assert left <= asked // 20


def _fill_log(connection):
    for _ in range(20):
        connection.execute("BEGIN")
        rows = [(f"{uuid4()}" + "x" * 500,) for _ in range(2_000)]
        connection.executemany("INSERT INTO counters (name, value) VALUES (?, 0)", rows)
        connection.execute("COMMIT")


def _checkpoint(path, told):
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        told.append(connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone())
