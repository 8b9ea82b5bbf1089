"""A file that cannot be written: that is said when it is opened and to who writes, and it can be read."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
import support
import unprivileged
import unprivileged_reader
from soulspot_db import Database

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="gives up root's privileges as on Linux")
ALL_READ = [7, 1] * 5 + [1]


@pytest.fixture
async def path(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    async with Database(support.settings(folder / "soulspot.db")) as db:
        await db.create_table("counter")
        await db.save("counter", {"name": "a", "value": 7})
    yield folder / "soulspot.db"
    folder.chmod(0o755)


def used(path):
    """What a program meets that opens this file, reads it and writes to it."""
    ran = subprocess.run(
        [sys.executable, unprivileged.__file__, unprivileged_reader.__file__, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def in_another_mode(path):
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = DELETE")


@pytest.mark.parametrize("before", [lambda _path: None, in_another_mode], ids=["wal", "delete"])
async def test_a_file_that_cannot_be_written_is_read_and_that_is_logged_once_at_each_opening(path, before):
    before(path)
    path.chmod(0o444)
    # The first opening leaves a -shm that cannot be written either, with which SQLite acts otherwise.
    for mode in (0o755, 0o755, 0o555):
        path.parent.chmod(mode)
        told = used(path)
        assert told["read"] == ALL_READ
        assert len(told["logged"]) == 1
        assert f"the file {path} is read-only (permissions or mount)" in told["logged"][0]


async def test_a_write_to_it_says_that_it_is_read_only_and_not_that_it_is_damaged(path):
    path.chmod(0o444)
    refused = used(path)["refused"]
    assert refused.startswith(f"[DATABASE_CONNECTION_FAILED] the file {path} is read-only (permissions or mount)")
    assert "damaged" not in refused


async def test_a_folder_in_which_sqlite_cannot_make_its_files_is_named(path):
    path.chmod(0o444)
    path.parent.chmod(0o555)
    assert f"the folder {path.parent} is read-only" in used(path)["opening"]


async def test_a_file_that_can_be_written_is_not_warned_of(path):
    told = used(path)
    assert (told["read"], told["refused"], told["logged"]) == (ALL_READ, "", [])
