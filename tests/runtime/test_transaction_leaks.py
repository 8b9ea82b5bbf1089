"""Transactions that stay open, and those that nobody ends: who is told, and that the writer becomes free again."""

import asyncio
import contextvars
import gc
import inspect
import logging
import sys
import threading
import warnings

import homes
import pytest
import support
from soulspot_db import Database, LockedError
from support import at_rest, outside, until, within

DATABASES = homes.BOTH


def line():
    """Where this is called, as messages write it."""
    frame = inspect.currentframe().f_back
    return f"{__file__}:{frame.f_lineno}"


@pytest.fixture
def warned(caplog):
    """The messages of warnings about transactions so far."""
    caplog.set_level(logging.DEBUG, "soulspot_db.monitoring")
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if (record.name, record.levelname) == ("soulspot_db.monitoring", "WARNING")
    ]


@pytest.fixture
def reported():
    """The resource warnings so far."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield lambda: [str(warning.message) for warning in caught if warning.category is ResourceWarning]


# Open for long.


async def test_a_transaction_that_stays_open_is_warned_of_once_with_its_place_and_task_and_its_length_at_the_end(
    open_database, warned
):
    db = await open_database(slow_transaction_threshold=0.05)

    async def work():
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            await until(warned)
            await asyncio.sleep(0.15)
            return line(), warned()

    place, first = await asyncio.create_task(work(), name="the import")
    file, _, number = place.rpartition(":")
    opened = f"a transaction opened at {file}:{int(number) - 4} by task 'the import'"
    assert first == [f"{opened} has been open for 0.05 s"]
    assert len(warned()) == 2
    assert warned()[1].startswith(f"{opened} has ended after 0.")
    assert await db.count("counter") == 1


async def test_transactions_that_end_in_time_are_not_mentioned_then_or_later(open_database, warned):
    db = await open_database(slow_transaction_threshold=0.1)
    for read_only in (False, True):
        async with db.transaction(read_only=read_only):
            await db.count("counter")
    with pytest.raises(KeyError):
        async with db.transaction():
            raise KeyError
    await asyncio.sleep(0.2)
    assert warned() == []


async def test_a_block_that_keeps_the_loop_busy_is_told_of_at_its_end(open_database, warned):
    db = await open_database(slow_transaction_threshold=0.05)
    async with db.transaction():
        import time

        time.sleep(0.1)  # noqa: ASYNC251 - that is the mistake
    assert [message.partition(" has ")[2] for message in warned()] == ["ended after 0.1 s"]


async def test_waiting_for_the_writer_is_not_being_open(open_database, warned):
    db = await open_database(slow_transaction_threshold=0.2)

    async def quick():
        async with db.transaction():
            return line()

    async with db.transaction():
        waiting = asyncio.create_task(quick(), context=contextvars.Context())
        await until(warned)
    place = await waiting
    assert not [message for message in warned() if f":{place.rpartition(':')[2]} " in message]


async def test_each_of_several_is_warned_of_in_its_own_time(open_database, warned):
    db = await open_database(slow_transaction_threshold=0.2, connection_pool_size=3)

    async def block(name, start, end):
        await asyncio.sleep(start)
        async with db.transaction(read_only=True):
            await asyncio.sleep(end - start)

    plan = {"short": (0, 0.1), "first": (0.1, 0.6), "second": (0.25, 0.6)}
    tasks = [asyncio.create_task(block(name, *times), name=name) for name, times in plan.items()]
    found = []
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.01)
        found += [(asyncio.get_running_loop().time(), message) for message in warned()[len(found) :]]
    opened = [(moment, message) for moment, message in found if "has been open" in message]
    assert [("first" in message, "second" in message) for _, message in opened] == [(True, False), (False, True)]
    assert opened[1][0] - opened[0][0] == pytest.approx(0.15, abs=0.1)
    assert len(found) == 4


def test_a_database_that_was_closed_and_is_opened_in_another_loop_warns_there(tmp_path, warned):
    db = Database(support.settings(tmp_path / "x.db", slow_transaction_threshold=0.05))

    async def stay(seconds):
        async with db, db.transaction():
            await asyncio.sleep(seconds)

    asyncio.run(stay(0))
    assert warned() == []
    asyncio.run(stay(0.1))
    assert len(warned()) == 2


async def test_a_nested_block_has_no_warning_of_its_own(open_database, warned):
    db = await open_database(slow_transaction_threshold=0.05)
    async with db.transaction() as tx, tx.transaction(), db.transaction():
        await until(warned)
        await asyncio.sleep(0.1)
    assert len(warned()) == 2


async def test_a_callback_is_named_by_its_own_place_whoever_runs_it(open_database, warned):
    db = await open_database(slow_transaction_threshold=0.05)

    async def callback(_tx):
        await until(warned)

    await asyncio.gather(db.run_in_transaction(callback))
    assert f"{__file__}:{callback.__code__.co_firstlineno} by task" in warned()[0]


@pytest.mark.sqlite_only
async def test_who_waits_in_vain_for_the_writer_is_told_where_its_holder_was_opened(open_database):
    db = await open_database(pool_timeout=0.1)
    async with db.transaction():
        place = line()
        with pytest.raises(LockedError) as caught:
            await asyncio.create_task(db.save("counter", {"name": "a"}), context=contextvars.Context())
    file, _, number = place.rpartition(":")
    task = asyncio.current_task().get_name()
    assert caught.value.context["holder"] == f"a transaction opened at {file}:{int(number) - 1} by task {task!r}"
    assert caught.value.context["holder"] in caught.value.message


# Never ended.


async def open_and_leave(db, **options):
    """Open a transaction by hand, write in it, and go."""
    tx = await db.transaction(**options).__aenter__()
    if not options:
        await tx.save("counter", {"name": "lost"})


async def test_a_transaction_that_is_open_when_the_database_closes_is_named_and_rolled_back(open_database, warned):
    db = await open_database()
    tx = await db.transaction().__aenter__()
    place = line()
    await tx.save("counter", {"name": "lost"})
    await within(5, db.close())
    file, _, number = place.rpartition(":")
    assert len(warned()) == 1
    assert f"opened at {file}:{int(number) - 1} by task" in warned()[0]
    assert "still open while the database closes; it is rolled back" in warned()[0]
    assert outside(db, "SELECT * FROM counters") == []
    del tx
    gc.collect()
    assert len(warned()) == 1


async def test_closing_names_every_open_transaction_and_none_that_has_ended_or_not_begun(open_database, warned):
    db = await open_database(connection_pool_size=3, max_overflow=0)
    ended = db.transaction()
    await ended.__aenter__()
    await ended.__aexit__(None, None, None)
    lost = []
    for read_only in (False, True, True):
        scope = db.transaction(read_only=read_only)
        lost.append(await asyncio.create_task(scope.__aenter__(), context=contextvars.Context()))
    waiting = asyncio.create_task(db.transaction().__aenter__(), context=contextvars.Context())
    await asyncio.sleep(0.02)
    await within(5, db.close())
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(warned()) == 3


@pytest.mark.parametrize("options", [{}, {"read_only": True}], ids=["writing", "reading"])
async def test_a_transaction_that_nobody_can_end_any_more_is_reported_rolled_back_and_the_writer_is_free(
    open_database, warned, reported, options
):
    db = await open_database(pool_timeout=2, connection_pool_size=1)
    await asyncio.create_task(open_and_leave(db, **options), name="the forgetful one")
    gc.collect()
    assert await db.save("counter", {"name": "a"}) == "a"
    assert await db.count("counter") == 1
    place = f"{__file__}:{open_and_leave.__code__.co_firstlineno + 2} by task 'the forgetful one'"
    assert warned() == [f"a transaction opened at {place} was never ended; it is rolled back"]
    assert reported() == warned()
    await at_rest(db, "lost")


async def test_it_is_found_without_waiting_for_the_garbage_collector(db, reported):
    gc.collect()
    gc.disable()
    try:
        await asyncio.create_task(open_and_leave(db))
        await until(reported)
    finally:
        gc.enable()


async def test_it_may_be_collected_in_another_thread_and_is_rolled_back_in_that_of_the_loop(db, reported):
    lost = [await asyncio.create_task(db.transaction().__aenter__())]
    await asyncio.sleep(0)  # until then the loop holds the task, and it the transaction
    lease, threads = lost[0]._lease, []
    abandon = lease.abandon

    def abandoned():
        threads.append(threading.current_thread())
        abandon()

    lease.abandon = abandoned

    def collect():
        lost.clear()
        gc.collect()

    await asyncio.to_thread(collect)
    assert await within(5, db.save("counter", {"name": "a"})) == "a"
    assert threads == [threading.main_thread()]
    assert len(reported()) == 1


def test_it_may_be_collected_when_its_loop_is_closed(tmp_path, reported):
    lost = []

    async def main():
        db = await Database(support.settings(tmp_path / "x.db")).open()
        await support.create_tables(db)
        lost.append(await asyncio.create_task(db.transaction().__aenter__()))
        lanes = db._engine._lanes
        for lane in lanes[1:]:
            lane.stop()
        return lanes[0]

    writer = asyncio.run(main())
    lost.clear()
    gc.collect()
    assert len(reported()) == 1
    writer.stop()
    writer._thread.join(5)
    assert not writer._thread.is_alive()  # so it has left the transaction


async def test_where_warnings_are_errors_it_is_rolled_back_all_the_same(db, monkeypatch):
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: raised.append(unraisable.exc_type))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await asyncio.create_task(open_and_leave(db))
        await until(lambda: raised)
    assert raised == [ResourceWarning]
    assert await within(5, db.save("counter", {"name": "a"})) == "a"


async def test_a_transaction_outlives_the_task_that_opened_it_for_whoever_holds_it(db, warned):
    """As fixtures of tests do, which open in one task and close in another."""
    scope = db.transaction()
    tx = await asyncio.create_task(scope.__aenter__())
    gc.collect()
    await tx.save("counter", {"name": "a"})
    await asyncio.create_task(scope.__aexit__(None, None, None))
    assert outside(db, "SELECT name FROM counters") == [("a",)]
    assert warned() == []
    await at_rest(db)


async def test_a_generator_that_is_left_in_the_middle_of_a_block_rolls_it_back(db, warned):
    async def rows():
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "lost"})
            yield 1
            yield 2

    async def first():
        async for row in rows():
            return row
        return None

    assert await asyncio.create_task(first()) == 1
    gc.collect()
    assert await within(5, db.save("counter", {"name": "a"})) == "a"
    assert outside(db, "SELECT name FROM counters") == [("a",)]
    assert "was left by an async generator" in warned()[0]


async def test_writes_that_a_generator_takes_with_it_are_told_of(db, caplog):
    """A block that a generator holds goes on in whoever iterates over it."""

    async def rows():
        async with db.transaction():
            for row in await db.query("counter"):
                yield row

    await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
    generator = rows()
    async for _ in generator:
        break
    await db.save("counter", {"name": "c"})
    await generator.aclose()
    assert await db.count("counter") == 2
    assert "was left by an async generator that was not used up" in caplog.text


async def test_a_generator_that_was_read_from_alone_is_no_matter(db, caplog):
    async def rows():
        async with db.transaction(read_only=True):
            yield await db.query("counter")

    generator = rows()
    await anext(generator)
    await generator.aclose()
    assert "generator" not in caplog.text


async def test_a_nested_block_that_was_never_left_is_told_of_when_the_outer_one_ends(db, caplog):
    async with db.transaction() as tx:
        await db.save("counter", {"name": "a"})
        await tx.transaction().__aenter__()
        await db.save("counter", {"name": "b"})
    assert [row["name"] for row in await db.query("counter")] == ["a"]
    assert "with a nested block open" in caplog.text
