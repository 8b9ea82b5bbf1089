"""What never leaves the process: answers from the cache, and what a write costs beside its statement.

The floor is a bare `cachetools` lookup in a coroutine: no invalidation, no models' types, no fairness.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cachetools import TTLCache
from rich.table import Table
from soulspot_db import Database, DatabaseSettings
from soulspot_db.engine.base import Outcome
from soulspot_db.sessions.operations import Effects
from soulspot_db_entities import Repositories
from soulspot_db_entities.spotify import PlaylistCreate, PlaylistSchema

ROUNDS = 7
CALLS = 20_000
FLOOR = "cachetools in a coroutine"
Call = Callable[[], Awaitable[object]]


async def calls(db: Database) -> dict[str, Call]:
    """What is measured, each as one call."""
    playlists = Repositories(db).spotify.playlist
    saved = await playlists.save_many([PlaylistCreate(name=f"playlist {n}", spotify_id=str(n)) for n in range(100)])
    key, text = saved[0].id, str(saved[0].id)
    bare: TTLCache[object, object] = TTLCache(1000, 300)
    bare[key] = saved[0]
    plan = db.session.plans.of(PlaylistSchema)
    stored, tags = [(text,)], plan.touched([(key,)])

    async def floor() -> object:
        return bare[key]

    async def query() -> object:
        return await playlists.query({"source": "manual"}, order_by="name", limit=100)

    async def publishing() -> None:
        db.session.publisher.reserve().release(plan.effects(stored, "updated", ["name"]).events)

    async def committing() -> None:
        def effects(_rows: object) -> Effects:
            return plan.effects(stored, "updated", ["name"])

        db.session.committing(tags, effects, lambda _rows: None)(Outcome([[]]))

    return {
        FLOOR: floor,
        "get": lambda: playlists.get(key),
        "get by a unique value": lambda: playlists.get_by_spotify_id("7"),
        "get, as a dict of the caller's own": lambda: db.get("playlist", text),
        "query of 100 rows": query,
        "count": lambda: playlists.count({"source": "manual"}),
        "a write's tags and events, nobody listening": publishing,
        "all that a write does beside its statement": committing,
    }


async def measure(path: Path) -> dict[str, float]:
    """Seconds per call, the least of all rounds: what disturbs only ever adds."""
    best: dict[str, float] = {}
    settings = DatabaseSettings(database_path=path, auto_migrate=True, enable_query_logging=False)
    async with Database(settings) as db:
        measured = await calls(db)
        for _ in range(ROUNDS):
            for name, call in measured.items():
                await call()
                started = time.perf_counter()
                for _ in range(CALLS):
                    await call()
                spent = (time.perf_counter() - started) / CALLS
                best[name] = min(best.get(name, spent), spent)
    return best


def in_process() -> Table:
    """Microseconds per call, and how many times the floor that is."""
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(measure(Path(name) / "soulspot.db"))
    table = Table("from memory", "us", "times the floor", title="In the process")
    for name, spent in found.items():
        table.add_row(name, f"{spent * 1e6:.2f}", f"{spent / found[FLOOR]:.1f}x")
    return table
