"""One run: everybody on one database with the same rows, in interleaved rounds, of which the median counts.

Other work on the machine comes and goes; whoever is measured in turn meets the same of it.
"""

import gc
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from catalog import ALBUMS, ARTISTS, TRACKS
from contestant import Contestant
from contestants import CONTESTANTS, MIXED
from data import COLUMNS, KEYS, KINDS, all_rows
from mixed import Mixed, summary, turn
from place import Place
from report import Results
from workloads import WORKLOADS, Workload

__all__ = ["run"]

ROUNDS = 5
MIXED_ROUNDS = 3
NAME = COLUMNS.index("spotify_name")
READS = {"get", "get_cached", "get_many", "query", "count", "page", "groups", "include"}


@asynccontextmanager
async def opened(make: type[Contestant], place: Place) -> AsyncIterator[Contestant]:
    """A contestant that is ready."""
    contestant = make(place)
    await contestant.open()
    try:
        yield contestant
    finally:
        await contestant.close()


async def fill(place: Place, contestants: Sequence[Contestant]) -> None:
    """Everybody's rows, written by one of them into the table that the first to open has made."""
    await next(each for each in contestants if hasattr(each, "save_many")).save_many(all_rows())
    await next(each for each in contestants if hasattr(each, "save_catalog")).save_catalog()
    place.clear()


async def check(contestant: Contestant) -> None:
    """See that everybody answers alike before it is measured how fast; raises AssertionError."""
    if hasattr(contestant, "get"):
        assert len(await contestant.query(KINDS[3])) == 100, contestant.name
        assert await contestant.count(KINDS[3]) == len(KEYS) // len(KINDS), contestant.name
        assert len(await contestant.get_many(KEYS[:100])) == 100, contestant.name
    if hasattr(contestant, "page"):
        assert len(await contestant.page(9_950)) == 50, contestant.name
        assert len(await contestant.groups(None)) == len(KINDS), contestant.name
    if hasattr(contestant, "include"):
        found = await contestant.include(None)
        assert len(found) == len(TRACKS), contestant.name
        assert len({each.album.title for each in found}) == len(ALBUMS), contestant.name
        assert len({each.main_artist.name for each in found}) == len(ARTISTS), contestant.name
    for method in ("get", "get_cached"):
        if hasattr(contestant, method):
            found = await getattr(contestant, method)(KEYS[5])
            assert (found.spotify_name if hasattr(found, "spotify_name") else found[NAME]).endswith(" 5"), (
                contestant.name
            )


async def measure(place: Place, contestant: Contestant, workload: Workload) -> float:
    """Seconds of one operation; raises AssertionError where rows are missing afterwards."""
    call, arguments = getattr(contestant, workload.method), workload.arguments()
    if workload.method == "get_cached":
        await workload.run(call, arguments)  # so that everything is in the cache
    gc.collect()
    started = time.perf_counter()
    await workload.run(call, arguments)
    spent = time.perf_counter() - started
    if (added := place.clear() if workload.method not in READS else 0) != workload.adds:
        raise AssertionError(f"{contestant.name}, {workload.name}: {added} rows were stored of {workload.adds}")
    return spent / workload.operations


async def run(place: Place, say: Callable[[str], None]) -> Results:
    """All workloads on a place that is empty.

    Args:
        place: the database.
        say: is told what is being measured.
    """
    results = Results(place.kind, place.version(), [make.name for make in CONTESTANTS[place.kind]])
    async with AsyncExitStack() as stack:
        contestants = [await stack.enter_async_context(opened(make, place)) for make in CONTESTANTS[place.kind]]
        await fill(place, contestants)
        for contestant in contestants:
            await check(contestant)
        for workload in WORKLOADS:
            say(workload.name)
            able = [contestant for contestant in contestants if hasattr(contestant, workload.method)]
            rounds = [[await measure(place, each, workload) for each in able] for _ in range(ROUNDS)]
            for contestant, spent in zip(able, zip(*rounds, strict=True), strict=True):
                results.seconds.setdefault(workload.name, {})[contestant.name] = statistics.median(spent)
    turns: dict[str, list[Mixed]] = {}
    for _ in range(MIXED_ROUNDS):
        for make in MIXED[place.kind]:
            say(f"mixed: {make.name}")
            async with opened(make, place) as contestant:
                turns.setdefault(make.name, []).append(await turn(contestant))
            place.clear()
    results.mixed = {name: summary(found) for name, found in turns.items()}
    return results
