"""A disk without room: writes are refused in words, the rest is read, and it goes on by itself when there is room again."""

import subprocess
from contextlib import suppress

import pytest
from soulspot_db import Database, DiskFullError
from support import create_tables, settings, within

ROOM = 3_000_000  # bytes


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own; it takes the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Take all the room that is left."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


async def test_a_write_is_refused_the_rest_is_read_and_it_recovers_by_itself(small_disk):
    async with Database(settings(database_path=small_disk / "soulspot.db", cache_max_size=0)) as db:
        await create_tables(db)
        await db.save("counter", {"name": "before"})
        filler = fill(small_disk)
        with pytest.raises(DiskFullError) as caught:
            for number in range(500):  # what is left of the log's last block has room for some
                await within(5, db.save("counter", {"name": f"{number:0200d}"}))
        assert caught.value.code == "DATABASE_DISK_FULL"
        assert caught.value.to_dict()["resolution"]
        stored = await db.count("counter")
        assert (await db.get("counter", "before"))["value"] == 0
        stats = await within(2, db.stats(detail="full"))
        assert stats["last_error"]["code"] == "DATABASE_DISK_FULL"
        with pytest.raises(DiskFullError):
            async with db.transaction():
                for number in range(500):
                    await within(5, db.save("counter", {"name": f"block {number:0200d}"}))
        assert await db.count("counter") == stored, "of a write that was refused nothing is stored"
        filler.unlink()
        await db.save("counter", {"name": "after"})
        assert await db.count("counter") == stored + 1


async def test_what_was_acknowledged_before_the_disk_was_full_is_there_when_it_is_opened_again(small_disk):
    path, acknowledged = small_disk / "soulspot.db", 3
    async with Database(settings(database_path=path)) as db:
        await create_tables(db)
        for number in range(acknowledged):
            await db.save("counter", {"name": f"before {number}"})
        filler = fill(small_disk)
        with suppress(DiskFullError):
            for number in range(500):
                await db.save("counter", {"name": f"{number:0200d}"})
                acknowledged += 1
    filler.unlink()
    async with Database(settings(database_path=path)) as db:
        assert await db.count("counter") == acknowledged
