"""SoulSpot in a few seconds: generate, migrate, synchronise, scan and download, and prove that nothing was lost.

Run it with `make demo`, or with `make demo SERVE=1` to look at the statistics page meanwhile and until Ctrl-C. It works in a temporary folder, needs no network, and exits with 1 if a single row, event or
download differs from what must be there.
"""

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from demo_parts import commands
from demo_parts.display import Display
from demo_parts.page import served
from demo_parts.proof import asked, expected, heard, read_from_file, wrong
from demo_parts.report import print_proof, print_statistics
from demo_parts.size import FULL, Size
from demo_parts.workload import Workload
from rich.console import Console
from soulspot_db import Database, DatabaseSettings, EventBus


async def play(path: Path, size: Size, console: Console, *, serve: bool = False) -> bool:
    """Run the modules against a migrated database; True if everything is there afterwards.

    With `serve`, its statistics are on a page meanwhile, and until Ctrl-C.
    """
    bus = EventBus()
    async with (
        Database(DatabaseSettings(database_path=path, database_type="sqlite"), events=bus) as db,
        _page(db, console, serve=serve),
    ):
        started = time.perf_counter()
        with Display(console, totals(size)) as display:
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


@asynccontextmanager
async def _page(db: Database, console: Console, *, serve: bool) -> AsyncIterator[None]:
    if not serve:
        yield
        return
    stopped = asyncio.Event()
    async with served(db) as address:
        console.print(f"The page is at {address} until you press Ctrl-C.", soft_wrap=True)
        yield
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
        console.print(f"Done. The page is still at {address}; press Ctrl-C for the proof.", soft_wrap=True)
        await stopped.wait()


def main(size: Size = FULL, *, serve: bool = False) -> int:
    """Run the demo and return the exit status."""
    console = Console()
    commands.generate(console)
    with tempfile.TemporaryDirectory(prefix="soulspot-demo-") as folder:
        path = Path(folder) / "soulspot.db"
        commands.migrate(console, path)
        everything_is_there = asyncio.run(play(path, size, console, serve=serve))
    return 0 if everything_is_there else 1


def totals(size: Size) -> dict[str, int]:
    """What is counted, and how far."""
    return {
        # Both synchronisations.
        "playlists synced": size.playlists + size.playlists_updated,
        "tracks scanned": size.scanned_tracks,
        "downloads completed": size.downloads,
        "track.created events": size.tracks,
    }


if __name__ == "__main__":
    try:
        sys.exit(main(serve="--serve" in sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("stopped; nothing is left behind")
