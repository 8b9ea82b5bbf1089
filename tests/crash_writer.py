"""A program that writes until it is killed, and notes in a file of its own every write that was acknowledged."""

import asyncio
import itertools
import os
import random
from pathlib import Path

import support
from soulspot_db import Database


def run(path: Path, acknowledged: Path, life: int) -> None:
    """Write to the database at `path`; `life` tells the names of this run from those of others."""
    support.register_all()
    asyncio.run(_write(path, acknowledged, life))


async def _write(path: Path, acknowledged: Path, life: int) -> None:
    # Unbuffered, and whole lines only: what was written to the file survives the process.
    log = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    chance = random.Random(life)

    def note(*names: str) -> None:
        os.write(log, "".join(f"{name}\n" for name in names).encode())

    async def single(db: Database, name: str) -> None:
        note(await db.save("counter", {"name": name}))

    async def several(db: Database, name: str) -> None:
        note(*await db.save_many("counter", [{"name": f"{name} {half}"} for half in ("left", "right")]))

    async def transaction(db: Database, name: str) -> None:
        async with db.transaction() as tx:
            await tx.save("counter", {"name": f"{name} left"})
            if chance.random() < 0.3:
                async with tx.transaction():
                    await tx.update("counter", f"{name} left", {"value": 1})
            await tx.save("counter", {"name": f"{name} right"})
        note(f"{name} left", f"{name} right")

    # FULL in every other life: a kill must harm neither.
    synchronous = "FULL" if life % 2 else "NORMAL"
    async with Database(support.settings(path, synchronous=synchronous, connection_pool_size=1)) as db:
        note(f"life {life}")
        for number in itertools.count():
            calls = [chance.choice([single, several, transaction]) for _ in range(chance.randrange(1, 8))]
            await asyncio.gather(*(call(db, f"{life}.{number}.{part}") for part, call in enumerate(calls)))
