"""The writer's lane: who waits together, whose turn it is, and that nobody else writes to the file."""

import asyncio
import contextvars
import os
import threading
from pathlib import Path

import pytest
from soulspot_db.engine.sqlite.connection import Connection
from support import within


def waiting(call):
    """A task outside of the current transaction."""
    return asyncio.create_task(call, context=contextvars.Context())


async def test_one_of_a_group_that_is_cancelled_harms_no_other(db):
    async with db.transaction():
        tasks = [waiting(db.save("counter", {"name": name})) for name in "abcde"]
        await asyncio.sleep(0.02)
        tasks[2].cancel()
        await within(5, asyncio.wait([tasks[2]]))
    outcomes = await within(5, asyncio.gather(*tasks, return_exceptions=True))
    assert isinstance(outcomes.pop(2), asyncio.CancelledError)
    assert outcomes == ["a", "b", "d", "e"]
    assert [row["name"] for row in await db.query("counter", order_by="name", fresh=True)] == ["a", "b", "d", "e"]


async def test_blocks_and_single_writes_have_their_turns_in_the_order_in_which_they_asked(db):
    done = []

    async def block(name):
        async with db.transaction():
            await db.save("counter", {"name": name})
        done.append(name)

    async def single(name):
        done.append(await db.save("counter", {"name": name}))

    async with db.transaction():
        tasks = []
        for turn in range(5):
            calls = [*(single(f"{turn}a{n}") for n in range(100)), block(f"{turn}b")]
            tasks += map(waiting, calls)
        await asyncio.sleep(0.05)
    await within(10, asyncio.gather(*tasks))
    turns = [name[:2] for name in done]
    assert turns == sorted(turns)
    assert len(turns) == 505


def written(thread):
    """How many bytes a thread has written, as the kernel counts them."""
    counts = Path(f"/proc/self/task/{thread.native_id}/io").read_text()
    return int(counts.partition("wchar: ")[2].split()[0])


async def test_the_writers_thread_alone_writes_to_the_file_and_so_makes_the_checkpoints(db):
    if not os.access(f"/proc/self/task/{threading.get_native_id()}/io", os.R_OK):
        pytest.skip("the kernel does not say what each thread has written")
    loop = threading.current_thread()
    lanes = [thread for thread in threading.enumerate() if thread.name.startswith("soulspot-db")]
    (writer,) = (thread for thread in lanes if "writer" in thread.name)
    readers = [thread for thread in lanes if thread is not writer]
    before = {thread: written(thread) for thread in (loop, *lanes)}
    path = db.settings.database_path
    empty = path.stat().st_size
    for turn in range(10):
        await db.save_many("counter", [{"name": f"{turn}.{n} {'x' * 2000}"} for n in range(300)])
        await asyncio.gather(*(db.query("counter", {"value": 0}, fresh=True) for _ in range(4)))
        await db.get("counter", "none", fresh=True)
    assert path.stat().st_size - empty > 1_000_000  # which is what a checkpoint does
    assert {thread.name: written(thread) - before[thread] for thread in readers} == {
        thread.name: 0 for thread in readers
    }
    assert written(loop) - before[loop] < 100_000  # the log of the tests
    assert written(writer) - before[writer] > 6_000_000


async def test_the_writer_is_the_last_to_leave_and_takes_the_log_with_it(db, monkeypatch):
    left, close = [], Connection.close
    log = Path(f"{db.settings.database_path}-wal")

    def noted(connection):
        close(connection)
        left.append((threading.current_thread().name.split()[1], log.exists()))

    monkeypatch.setattr(Connection, "close", noted)
    await db.save("counter", {"name": "a"})
    await db.close()
    assert left == [("reader", True), ("reader", True), ("writer", False)]
