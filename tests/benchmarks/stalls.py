"""How long the event loop stands still while rows are read on it, and something makes that hard.

A task that does nothing notes the time between its turns while four others read row after row by key. Reads that never
wait give up the loop once a millisecond, so a gap of a little more than that is none. Other processes run at the lowest
priority, and one is as busy with another file, so that what the machine's few cores do to the loop can be told apart.

`python stalls.py CASE FILE` measures one case in a process of its own, and prints what it found.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # where the tests keep their slow disk

import preloaded
import slow_disk
from data import new_rows
from disturbances import CASES, slow
from rich.table import Table
from soulspot_db import Database, DatabaseSettings
from soulspot_db.engine.base import Rows, Statement
from soulspot_db_entities import Repositories
from soulspot_db_entities.metadata import EnrichmentCandidateCreate

__all__ = ["stalls"]

ROWS = 5_000
SECONDS = 10
LONG = 0.005  # seconds, of which there should be one at most in each second


async def measure(case: str, path: Path) -> dict[str, float]:
    """One case: reads a second and the share of them on the loop; the loop's gaps in seconds; and how many were long.

    Of the long ones, `reading` are those in which the loop waited for SQLite.
    """
    settings = DatabaseSettings(database_path=path, auto_migrate=True, enable_query_logging=False)
    async with Database(settings) as db:
        candidates = Repositories(db).metadata.enrichment_candidate
        saved = await candidates.save_many([EnrichmentCandidateCreate(**row) for row in new_rows(ROWS)])
        keys = [candidate.id for candidate in saved]
        inline = db._engine._inline
        inline._raw.execute("PRAGMA cache_size = 10")  # or all rows would soon be in memory, and no disk be needed
        answer, reads, gaps, on_loop = inline.rows, 0, [], []

        def noted(statement: Statement) -> tuple[Rows, float] | None:
            found = answer(statement)
            if found is not None:
                on_loop.append(found[1])
            return found

        async def watch() -> None:
            last = time.perf_counter()
            while True:
                await asyncio.sleep(0)
                now = time.perf_counter()
                gaps.append(now - last)
                last = now

        async def reader(position: int) -> None:
            nonlocal reads
            while time.perf_counter() < end:
                position = (position + 997) % ROWS
                await candidates.get(keys[position], fresh=True)
                reads += 1

        inline.rows = noted
        with CASES[case](path):
            await asyncio.sleep(1)
            end = time.perf_counter() + SECONDS
            watching = asyncio.create_task(watch())
            await asyncio.gather(*(reader(n * ROWS // 4) for n in range(4)))
            watching.cancel()
    gaps.sort()
    return {
        "reads": reads / SECONDS,
        "share": len(on_loop) / reads,
        "most": gaps[int(len(gaps) * 0.999)],
        "longest": gaps[-1],
        "long": sum(gap > LONG for gap in gaps) / SECONDS,
        "reading": sum(seconds > LONG for seconds in on_loop) / SECONDS,
    }


def stalls() -> Table:
    """What was found, case by case; without a C compiler there is no slow disk."""
    headers = ("reads a second", "on the loop", "stall p99.9", "longest", "over 5 ms, a second", "in SQLite")
    table = Table("while rows are read by key", *headers, title="Stalls of the event loop")
    with tempfile.TemporaryDirectory() as name:
        lacking = preloaded.lacking()
        environment = os.environ if lacking else preloaded.environment(slow_disk.SOURCE, Path(name))
        for number, case in enumerate(CASES):
            if lacking and CASES[case] is slow:
                table.add_row(case, lacking)
                continue
            command = [sys.executable, __file__, case, f"{name}/{number}.db"]
            found = json.loads(subprocess.check_output(command, env=environment))
            table.add_row(
                case,
                f"{found['reads']:,.0f}",
                f"{found['share']:.0%}",
                f"{found['most'] * 1e3:.1f} ms",
                f"{found['longest'] * 1e3:.1f} ms",
                f"{found['long']:.1f}",
                f"{found['reading']:.1f}",
            )
    return table


if __name__ == "__main__":
    json.dump(asyncio.run(measure(sys.argv[1], Path(sys.argv[2]))), sys.stdout)
