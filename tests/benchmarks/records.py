"""What it costs that every call is counted, and told to a hook.

The same calls on the same file three times: past the monitor, through it, and through it with a hook that keeps the last
record. Rounds take turns, and the least of each counts, so that what the machine does meanwhile falls on all of them.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.table import Table
from soulspot_db import Database, DatabaseSettings
from soulspot_db.cache.region import MISS
from soulspot_db_entities.spotify import PlaylistCreate, PlaylistRepository

__all__ = ["records"]

ROUNDS = 30
CALLS = {"a get from memory": 5_000, "a get from the file": 1_000, "a query from the file": 200, "a save": 100}
PAST, COUNTED, HOOKED = "past it", "counted", "with a hook"


class Past(PlaylistRepository):
    """Asks the session itself, as the monitor would, and counts nothing."""

    def _remembered(self, operation: str, asking: Any, *, fresh: bool) -> Any:
        return MISS if fresh else self._session.peek(self._region, asking)

    def _ask_at_once(self, operation: str, request: Any) -> Any:
        return self._session.at_once(request)

    async def _ask(self, operation: str, request: Any) -> Any:
        return await self._session.read(request)

    async def _do(self, operation: str, request: Any) -> Any:
        return await self._session.write(request)


def calls(repository: PlaylistRepository, key: Any) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked. Each save is of a value that is not there yet."""
    numbers = iter(range(10**9))
    return {
        "a get from memory": lambda: repository.get(key),
        "a get from the file": lambda: repository.get(key, fresh=True),
        "a query from the file": lambda: repository.query({"source": "manual"}, limit=10, fresh=True),
        "a save": lambda: repository.save(PlaylistCreate(name=f"one of {id(repository)} {next(numbers)}")),
    }


async def measure(path: Path) -> dict[str, dict[str, list[float]]]:
    """Seconds per call of each round, by call and variant."""
    last: list[Any] = [None]

    def hook(record: object) -> None:
        last[0] = record

    found: dict[str, dict[str, list[float]]] = {what: {} for what in CALLS}
    settings = DatabaseSettings(database_path=path, auto_migrate=True, enable_query_logging=False)
    async with Database(settings) as db:
        ordinary = PlaylistRepository(db)
        key = (await ordinary.save_many([PlaylistCreate(name=f"playlist {n}") for n in range(100)]))[0].id
        variants = {PAST: Past(db), COUNTED: ordinary, HOOKED: ordinary}
        for _ in range(ROUNDS):
            for variant, repository in variants.items():
                if variant == HOOKED:
                    db.hooks.add(hook)
                for what, call in calls(repository, key).items():
                    await call()
                    started = time.perf_counter()
                    for _ in range(CALLS[what]):
                        await call()
                    spent = (time.perf_counter() - started) / CALLS[what]
                    found[what].setdefault(variant, []).append(spent)
                db.hooks.remove(hook)
    return found


def records() -> Table:
    """Microseconds per call, and how many of them are the counting's and the hook's."""
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(measure(Path(name) / "soulspot.db"))
    table = Table("us", PAST, COUNTED, "more by", HOOKED, "more by", title="Counting calls, and telling a hook")
    for what, by_variant in found.items():
        # A write waits for the disk, whose least is luck; its median is not.
        typical = statistics.median if what == "a save" else min
        past, counted, hooked = (typical(by_variant[each]) * 1e6 for each in (PAST, COUNTED, HOOKED))
        more = f"{counted - past:+.2f}", f"{hooked - past:+.2f}"
        table.add_row(what, f"{past:.2f}", f"{counted:.2f}", more[0], f"{hooked:.2f}", more[1])
    return table
