"""Another process keeps the file locked: the error names the file and how long was waited for it."""

import sqlite3
from contextlib import closing

import pytest
from soulspot_db import LockedError


async def a_write(db):
    await db.save("counter", {"name": "a"})


async def a_block(db):
    async with db.transaction():
        pass


@pytest.mark.parametrize("waits", [a_write, a_block])
async def test_who_waited_in_vain_is_told_for_which_file_and_how_long(open_database, waits):
    db = await open_database(pool_timeout=0.1)
    path = str(db.settings.database_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError) as caught:
            await waits(db)
    assert caught.value.message == f"another process kept the database locked for longer than 0.1 s: {path}"
    told = {"database_path": path, "timeout": 0.1, "holder": "another process"}
    assert told.items() <= caught.value.context.items()
    assert f"fuser -v {path}" in caught.value.resolution
