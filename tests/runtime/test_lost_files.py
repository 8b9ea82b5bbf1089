"""The file is deleted or replaced while it is open: nobody is told that something was stored that is gone afterwards."""

import asyncio
import shutil
from pathlib import Path

import pytest
import support
from soulspot_db import ConnectionFailedError, Database
from support import within

LOST = "was removed or replaced while it was open"


def delete(path):
    path.unlink()


def replace(path):
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    copy.replace(path)


def delete_folder(path):
    shutil.rmtree(path.parent)


LOSSES = [delete, replace, delete_folder]


@pytest.fixture
def lose(db):
    return lambda loss: loss(Path(db.settings.database_path))


@pytest.mark.parametrize("loss", LOSSES)
async def test_no_write_is_acknowledged_once_the_file_is_gone(db, lose, loss):
    await db.save("counter", {"name": "a"})
    lose(loss)
    for name in "bc":
        with pytest.raises(ConnectionFailedError, match=LOST) as caught:
            await db.save("counter", {"name": name})
        assert caught.value.context["database_path"] == str(db.settings.database_path)


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_block_that_was_open_when_the_file_went_stores_nothing_and_says_so(db, lose, loss, told):
    with pytest.raises(ConnectionFailedError, match=LOST):
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            lose(loss)
    await db.events.settle()
    assert told == []


async def a_row(db):
    await db.get("counter", "a", fresh=True)


async def rows(db):
    await db.query("counter", fresh=True)


async def a_block(db):
    async with db.transaction(read_only=True) as tx:
        await tx.get("counter", "a")


@pytest.mark.parametrize("read", [a_row, rows, a_block])
@pytest.mark.parametrize("inline", [True, False])
async def test_who_only_reads_is_refused_after_the_next_look(open_database, read, inline):
    db = await open_database(cache_recheck=0.05, inline_reads=inline)
    await db.save("counter", {"name": "a"})
    delete(Path(db.settings.database_path))
    with pytest.raises(ConnectionFailedError, match=LOST):
        async with asyncio.timeout(5):
            while True:
                await read(db)
                await asyncio.sleep(0.01)
    with pytest.raises(ConnectionFailedError, match=LOST):
        await db.get("counter", "a")  # what the cache has kept is not given any more, either


async def test_after_it_was_opened_again_the_file_that_is_there_now_is_used(db, lose):
    lose(replace)
    with pytest.raises(ConnectionFailedError):
        await db.save("counter", {"name": "a"})
    await within(5, db.close())
    async with Database(db.settings) as again:
        assert await again.save("counter", {"name": "b"}) == "b"


async def test_the_program_may_go_to_another_folder_meanwhile(empty_database, tmp_path, monkeypatch):
    with empty_database.copy(tmp_path) as where:
        monkeypatch.chdir(tmp_path)
        async with Database(support.settings(Path(where["database_path"].name))) as db:
            monkeypatch.chdir("/")
            assert await db.save("counter", {"name": "a"}) == "a"
