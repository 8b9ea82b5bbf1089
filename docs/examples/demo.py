"""SoulSpot in a few seconds: generate, migrate, synchronise, scan and download, and prove that nothing was lost.

Run it with `make demo`. It works in a temporary folder, needs no network, and exits with 1 if a single row, event or
download differs from what must be there.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from demo_parts import commands
from demo_parts.display import Display
from demo_parts.proof import asked, expected, heard, read_from_file, wrong
from demo_parts.report import print_proof, print_statistics
from demo_parts.size import FULL, Size
from demo_parts.workload import Workload
from rich.console import Console
from soulspot_db import Database, DatabaseSettings, EventBus


async def play(path: Path, size: Size, console: Console) -> bool:
    """Run the modules against a migrated database; True if everything is there afterwards."""
    bus = EventBus()
    started = time.perf_counter()
    async with Database(DatabaseSettings(database_path=path, database_type="sqlite"), events=bus) as db:
        with Display(console, _totals(size)) as display:
            workload = Workload(db, size, display)
            await workload.run()
        seconds = time.perf_counter() - started
        found = {"API": await asked(db, workload), "events": heard(bus, workload)}
        statistics = await db.stats()
    found["file"] = read_from_file(path)
    print_proof(console, expected(size), found)
    print_statistics(console, statistics)
    console.print(
        f"{seconds:.1f} s for {size.workers} download workers, a library scan and {workload.page_views:,} page views,"
        " at the same time on one SQLite file.",
        soft_wrap=True,
    )
    return not wrong(expected(size), found)


def main(size: Size = FULL) -> int:
    """Run the demo and return the exit status."""
    console = Console()
    commands.generate(console)
    with tempfile.TemporaryDirectory(prefix="soulspot-demo-") as folder:
        path = Path(folder) / "soulspot.db"
        commands.migrate(console, path)
        everything_is_there = asyncio.run(play(path, size, console))
    return 0 if everything_is_there else 1


def _totals(size: Size) -> dict[str, int]:
    return {
        # Both synchronisations.
        "playlists synced": size.playlists + size.playlists_updated,
        "tracks scanned": size.scanned_tracks,
        "downloads completed": size.downloads,
        "track.created events": size.tracks,
    }


if __name__ == "__main__":
    sys.exit(main())
