"""A process that is killed while it writes: what it was told is stored, nothing is half done, and the file goes on."""

import asyncio
import multiprocessing
import os
import random
import sys
import time
from multiprocessing import forkserver

import crash_writer
import pytest
from soulspot_db import Database
from support import at_rest, outside, settings


@pytest.fixture(scope="module")
def processes():
    """Makes processes from one that has imported everything already, so that hundreds can be afforded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crash_writer"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()
    return context


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.slow)])
async def test_a_process_that_is_killed_loses_no_acknowledged_write_and_leaves_no_half_transaction(
    processes, empty_database, tmp_path, kills
):
    path, acknowledged = tmp_path / "soulspot.db", tmp_path / "acknowledged"
    path.write_bytes(empty_database.path.read_bytes())
    chance = random.Random(kills)
    for life in range(kills):
        writer = processes.Process(target=crash_writer.run, args=(path, acknowledged, life), daemon=True)
        writer.start()
        # Most are killed while they write, some while they open the file that the last one has left.
        if chance.random() < 0.8:
            _wait_for(f"life {life}", acknowledged, writer)
        await asyncio.sleep(chance.random() * 0.1)
        assert writer.is_alive()
        writer.kill()
        writer.join()
        _check(path, acknowledged)
    await _goes_on(path)


def _wait_for(line, acknowledged, writer):
    end = time.monotonic() + 20
    while not acknowledged.exists() or line not in acknowledged.read_text().splitlines():
        assert writer.is_alive()
        assert time.monotonic() < end
        time.sleep(0.002)


def _check(path, acknowledged):
    """The file is sound, and agrees with what was acknowledged."""
    db = Database(settings(path))
    assert outside(db, "PRAGMA integrity_check") == [("ok",)]
    stored = {name for (name,) in outside(db, "SELECT name FROM counters")}
    lines = set(acknowledged.read_text().splitlines()) if acknowledged.exists() else set()
    assert {line for line in lines if not line.startswith("life ")} - stored == set()
    lefts = {name.removesuffix(" left") for name in stored if name.endswith(" left")}
    rights = {name.removesuffix(" right") for name in stored if name.endswith(" right")}
    assert lefts == rights


async def _goes_on(path):
    async with Database(settings(path)) as db:
        before = await db.count("counter")
        assert before
        await db.save("counter", {"name": "afterwards"})
        assert await db.count("counter") == before + 1
        await db.delete_where("counter", {"name": {"ne": "afterwards"}})
        await at_rest(db)
