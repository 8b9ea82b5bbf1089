"""Many writers, in one process and in several: no lock error, no lost write."""

import asyncio
import functools
import subprocess
import sys
import threading
import time
from pathlib import Path

import homes
import pytest
import support
from soulspot_db import Database, DatabaseError
from soulspot_db.engine.sqlite.connection import Connection
from support import outside, within

DATABASES = homes.BOTH

# One of several processes on one file: opens it, adds to a counter in transactions, and says what it read at the end.
ADD = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import support
from soulspot_db import Database

async def main():
    support.register_all()
    async with Database(support.settings(Path(sys.argv[1]), connection_pool_size=1)) as db:
        await db.create_table("counter")
        for _ in range(int(sys.argv[2])):
            async with db.transaction() as tx:
                row = await tx.get("counter", "a")
                if row is None:
                    await tx.save("counter", {{"name": "a", "value": 1}})
                else:
                    await tx.update("counter", "a", {{"value": row["value"] + 1}})

asyncio.run(main())
"""


def test_eight_processes_that_add_to_one_counter_lose_nothing(tmp_path):
    script = ADD.format(tests=str(Path(support.__file__).parent))
    path = tmp_path / "soulspot.db"
    command = [sys.executable, "-c", script, str(path), "10"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, "\n".join(errors)
    assert outside(Database(support.settings(path)), "SELECT value FROM counters") == [(80,)]


def test_many_connections_that_open_a_new_file_at_once_all_get_it(tmp_path):
    """Threads stand in for processes: they meet in the same locks, and can be started at the same moment."""
    for number in range(20):
        start, errors = threading.Barrier(8), []

        def connect(path=tmp_path / f"{number}.db", start=start, errors=errors):
            start.wait()
            try:
                connection = Connection(
                    str(path), read_only=False, busy_timeout=10, query_timeout=10, synchronous="NORMAL"
                )
                connection.begin_when_free(lambda: True)
                connection.commit()
                connection.close()
            except DatabaseError as error:
                errors.append(error)

        threads = [threading.Thread(target=connect) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []


async def _storm(db, seconds):
    """Eight writers, one who scans and one who reads, for some seconds; returns how often each writer wrote."""
    await db.save_many("counter", [{"name": f"{n}"} for n in range(8)])
    await db.save("counter", {"name": "shared"})
    end = time.monotonic() + seconds
    written = [0] * 8

    async def add(number, tx):
        for name in (f"{number}", "shared"):
            value = (await tx.get("counter", name))["value"]
            await tx.update("counter", name, {"value": value + 1})

    async def writer(number):
        while time.monotonic() < end:
            if written[number] % 2 == 0:
                await asyncio.gather(
                    *(db.save("job", {"title": f"{number}-{written[number]}-{part}"[:10]}) for part in "ab")
                )
            await db.run_in_transaction(functools.partial(add, number), attempts=200)
            written[number] += 1
            found = await db.get("counter", f"{number}")
            assert found["value"] == written[number]

    async def scanner():
        while time.monotonic() < end:
            rows = await db.query("counter", fresh=True)
            values = {row["name"]: row["value"] for row in rows}
            assert values.pop("shared") == sum(values.values())

    async def reader():
        last = 0
        while time.monotonic() < end:
            value = (await db.get("counter", "shared"))["value"]
            assert value >= last
            last = value
            await asyncio.sleep(0)

    await within(seconds + 30, asyncio.gather(*map(writer, range(8)), scanner(), reader()))
    return written


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
async def test_eight_writers_a_scan_and_a_reader_meet_no_lock_and_lose_no_write(db, seconds):
    written = await _storm(db, seconds)
    assert min(written) > 5
    values = dict(outside(db, "SELECT name, value FROM counters"))
    assert [values[f"{number}"] for number in range(8)] == written
    assert values["shared"] == sum(written)
    assert await db.count("job") == sum((count + 1) // 2 for count in written) * 2
