"""A program for `test_read_only_files.py`: it reads a file, writes to it, and prints what it met.

It is started by `unprivileged.py`, so that permissions apply to it, also where the tests are run by root.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

import support
from soulspot_db import Database, DatabaseError


async def _use(path: Path, told: dict[str, Any]) -> None:
    async with Database(support.settings(path, cache_recheck=0)) as db:
        for _ in range(5):
            told["read"].append((await db.get("counter", "a"))["value"])
            told["read"].append(await db.count("counter"))
        async with db.transaction() as tx:
            told["read"].append(await tx.count("counter"))
        try:
            await db.save("counter", {"name": "b"})
        except DatabaseError as error:
            told["refused"] = str(error)


def run(path: Path) -> None:
    """Use the file, and print it."""
    support.register_all()
    told: dict[str, Any] = {"read": [], "logged": [], "refused": "", "opening": ""}
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told["logged"].append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("soulspot_db").addHandler(handler)
    try:
        asyncio.run(_use(path, told))
    except DatabaseError as error:
        told["opening"] = str(error)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
