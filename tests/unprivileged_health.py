"""A program for `test_health.py`: the health of a file that it may not write, also where the tests are run by root."""

import asyncio
import json
import os
import sys
from pathlib import Path

import support
from soulspot_db import Database
from unprivileged import give_up_privileges


async def _health(path: Path) -> None:
    async with Database(support.settings(path)) as db:
        sys.stdout.write(json.dumps(await db.health()))


if __name__ == "__main__":
    if os.geteuid() == 0 and len(sys.argv) == 2:
        give_up_privileges()
    asyncio.run(_health(Path(sys.argv[1])))
