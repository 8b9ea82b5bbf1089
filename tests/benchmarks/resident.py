"""Memory: 1,000,000 rows saved, and read as a stream, and the most memory that the process of each ever had.

`python resident.py save FILE` and `python resident.py stream FILE` are these processes.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from data import new_rows
from rich.table import Table
from soulspot_db import Database, DatabaseSettings
from soulspot_db_entities import Repositories
from soulspot_db_entities.metadata import EnrichmentCandidateCreate, EnrichmentCandidateRepository

from generator import ROOT, run

__all__ = ["memory"]

ROWS = 1_000_000
CHUNK = 1000
LIMIT = 150  # MB


async def work(step: str, path: Path) -> None:
    """Save all rows, made as the program goes, or read them all; raises AssertionError where some are missing."""
    settings = DatabaseSettings(database_path=path, auto_migrate=True, enable_query_logging=False)
    async with Database(settings) as db:
        candidates = Repositories(db).metadata.enrichment_candidate
        if step == "save":
            for _ in range(ROWS // CHUNK):
                await candidates.save_many([EnrichmentCandidateCreate(**row) for row in new_rows(CHUNK)])
            assert await candidates.count() == ROWS
        else:
            assert len([None async for _ in candidates.stream()]) == ROWS


def memory() -> Table:
    """What both cost; streaming is left out as long as repositories have no `stream`."""
    steps = ["save", "stream"] if hasattr(EnrichmentCandidateRepository, "stream") else ["save"]
    table = Table("1,000,000 rows", "CPU", "memory", "limit", title="Memory")
    with tempfile.TemporaryDirectory() as name:
        for step in steps:
            cost = run([sys.executable, __file__, step, f"{name}/soulspot.db"], ROOT)
            table.add_row(step, f"{cost.seconds:.0f} s", f"{cost.megabytes:.0f} MB", f"{LIMIT} MB")
    return table


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2])))
