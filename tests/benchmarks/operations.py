"""Reads and writes: this package against a peer and against the bare driver, on the same rows, in one run.

Rounds are interleaved and the median of each is shown, because other work on the machine comes and goes.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from contestants import CONTESTANTS
from rich.table import Table

ROUNDS = 5
WORKLOADS = {"get, cached": 2000, "get, cold": 500, "save, one by one": 50, "save, 50 at once": 50}


async def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Seconds per operation: the median of all rounds, by workload and contestant."""
    timings: dict[str, dict[str, list[float]]] = {workload: {} for workload in WORKLOADS}
    contestants = [make(folder / f"{make.__name__}.db") for make in CONTESTANTS]
    for contestant in contestants:
        await contestant.open()
    for _ in range(ROUNDS):
        for workload, operations in WORKLOADS.items():
            for contestant in contestants:
                run = getattr(contestant, workload.replace(",", "").replace(" ", "_"), None)
                if run is None:
                    continue
                started = time.perf_counter()
                await run(operations)
                spent = (time.perf_counter() - started) / operations
                timings[workload].setdefault(contestant.name, []).append(spent)
    for contestant in contestants:
        await contestant.close()
    return {
        workload: {name: statistics.median(spent) for name, spent in found.items()}
        for workload, found in timings.items()
    }


def operations() -> Table:
    """Microseconds per operation, and how many times ours each peer takes."""
    with tempfile.TemporaryDirectory() as name:
        results = asyncio.run(measure(Path(name)))
    ours, *peers = [make.name for make in CONTESTANTS]
    table = Table("workload", f"{ours}, us", *(f"{peer}, us (ratio)" for peer in peers), title="Operations on SQLite")
    for workload, found in results.items():
        cells = (
            f"{found[peer] * 1e6:.1f} ({found[peer] / found[ours]:.2f}x)" if peer in found else "-" for peer in peers
        )
        table.add_row(workload, f"{found[ours] * 1e6:.1f}", *cells)
    return table
