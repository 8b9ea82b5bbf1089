"""A program whose clock on the wall is set back a day while it works; it prints what it then says of itself.

`python wall_clock.py FOLDER`, in the environment of `preloaded.environment(SOURCE, ...)`.
"""

import asyncio
import ctypes
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import support
from soulspot_db import Database
from soulspot_db.copies.names import backup_name
from soulspot_db.web import database_app

SOURCE = Path(__file__).with_suffix(".c")
DAY = 86_400
ADDRESSES = ("/health", "/stats?detail=full", "/metrics", "/card", "/")


def set_back(seconds: int) -> None:
    """Move the clock on the wall of this process."""
    ctypes.c_long.in_dll(ctypes.CDLL(None), "wall_clock_seconds_back").value = seconds


async def work(db: Database, name: str) -> None:
    """A hundred reads and a write."""
    await db.save("counter", {"name": name})
    for _ in range(50):
        await db.get("counter", name)
        await db.get("counter", name, fresh=True)


async def asked(db: Database) -> dict[str, Any]:
    """What each address answers, and after how many seconds."""
    transport, found = httpx.ASGITransport(app=database_app(db, auth=None, public=True)), {}
    async with httpx.AsyncClient(transport=transport, base_url="http://soulspot.test") as client:
        for address in ADDRESSES:
            began = time.perf_counter()
            answer = await client.get(address)
            found[address] = {
                "status": answer.status_code,
                "seconds": time.perf_counter() - began,
                "text": answer.text,
            }
    return found


async def main(folder: Path) -> dict[str, Any]:
    """Work, set the clock back, work."""
    settings = support.settings(folder / "soulspot.db", backup_path=folder, cache_ttl=3600)
    async with Database(settings) as db:
        await support.create_tables(db)
        await work(db, "before")
        (folder / backup_name(settings)).touch()
        before, at = await asked(db), time.time()
        set_back(DAY)
        db._health = None  # or what it has looked at would be told for ten seconds
        assert at - time.time() > DAY - 100, "the clock was not set back"
        await work(db, "after")
        hits = db.counters().cache["memory", "counter"].hits
        await db.get("counter", "before")
        hits = db.counters().cache["memory", "counter"].hits - hits
        return {"before": before, "after": await asked(db), "hits": hits}


if __name__ == "__main__":
    support.register_all()
    json.dump(asyncio.run(main(Path(sys.argv[1]))), sys.stdout)
