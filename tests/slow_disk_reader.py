"""A program that reads rows by key from a slow disk, and prints how often its event loop waited for that disk, and when.

`python slow_disk_reader.py FILE SECONDS`; in the environment of `preloaded.environment(slow_disk.SOURCE, ...)`.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import support
from slow_disk import SlowDisk
from soulspot_db import Database

ROWS = 2_000  # many more than fit into the connection's memory


async def read(path: Path, seconds: float) -> dict[str, object]:
    """Read all the time, from eight tasks."""
    disk, reads = SlowDisk(), 0
    stalls: list[float] = []  # when a read on the loop met the disk, in seconds since the start
    waits: list[int] = []  # how often each of them waited
    async with Database(support.settings(path, connection_pool_size=4)) as db:
        await db.create_table("counter")
        await db.save_many("counter", [{"name": f"{n:05} {'x' * 200}"} for n in range(ROWS)])
        names = [row["name"] for row in await db.query("counter")]
        support.outside(db, "PRAGMA wal_checkpoint(TRUNCATE)")  # what is in the log is not read from the file
        if not disk.slows(path):
            return {
                "lacking": "SQLite reads its files past the C library that was preloaded: it may be linked statically"
            }
        await db.get("counter", names[0], fresh=True)
        inline = db._engine._inline
        inline._raw.execute("PRAGMA cache_size = 1")
        answer = inline.rows

        def noted(statement):
            at, before = time.monotonic(), disk.waits
            found = answer(statement)
            if disk.waits > before:
                stalls.append(at - began)
                waits.append(disk.waits - before)
            return found

        inline.rows = noted
        began = time.monotonic()

        async def reader(first: int) -> None:
            nonlocal reads
            position = first
            while time.monotonic() - began < seconds:
                position = (position + 997) % ROWS
                row = await db.get("counter", names[position], fresh=True)
                assert row is not None
                assert row["name"] == names[position]
                reads += 1

        before = disk.waits
        disk.every_read_takes(0.01)
        await asyncio.gather(*(reader(200 * n) for n in range(8)))
        disk.every_read_takes(0)
    return {"reads": reads, "stalls": stalls, "outside": disk.waits - before - sum(waits)}


if __name__ == "__main__":
    support.register_all()
    json.dump(asyncio.run(read(Path(sys.argv[1]), float(sys.argv[2]))), sys.stdout)
