"""Memory: 1,000,000 rows saved, and deleted, and the most memory that the process of each ever had.

`python resident.py save FILE` and `python resident.py delete FILE` are these processes.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from data import new_rows
from rich.table import Table
from soulspot_db import Database, DatabaseSettings
from soulspot_db_entities import Repositories
from soulspot_db_entities.metadata import EnrichmentCandidateCreate

from generator import ROOT, run

__all__ = ["memory"]

ROWS = 1_000_000
CHUNK = 1000  # rows of which the benchmark's own lists are made
LIMIT = 150  # MB


def rows() -> Iterator[EnrichmentCandidateCreate]:
    """All rows, made as they are needed."""
    for _ in range(ROWS // CHUNK):
        yield from (EnrichmentCandidateCreate(**row) for row in new_rows(CHUNK))


async def work(step: str, path: Path) -> None:
    """Save all rows or delete them all; raises AssertionError where they were not as many."""
    settings = DatabaseSettings(database_path=path, auto_migrate=True, enable_query_logging=False)
    async with Database(settings) as db:
        candidates = Repositories(db).metadata.enrichment_candidate
        if step == "save":
            assert await candidates.save_stream(rows()) == ROWS
        else:
            assert await candidates.delete_where({}, all_rows=True, batch_size=1000) == ROWS


def memory() -> Table:
    """What both cost."""
    table = Table("1,000,000 rows", "CPU", "memory", "limit", title="Memory")
    with tempfile.TemporaryDirectory() as name:
        for step in ("save", "delete"):
            cost = run([sys.executable, __file__, step, f"{name}/soulspot.db"], ROOT)
            table.add_row(step, f"{cost.seconds:.0f} s", f"{cost.megabytes:.0f} MB", f"{LIMIT} MB")
    return table


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2])))
