"""Log handlers and filters that raise: what they watch goes on as if they were not there."""

import asyncio
import contextlib
import logging
import warnings

import homes
import pytest
from soulspot_db import Database, Event, EventBus
from support import at_rest, outside, settings, statements_of, until, within

DATABASES = homes.BOTH


class Broken(logging.Handler):
    def __init__(self, error):
        super().__init__()
        self.error = error
        self.told = []

    def emit(self, record):
        self.told.append(record.name)
        raise self.error("broken logging")


@pytest.fixture(params=[RuntimeError, asyncio.CancelledError, RecursionError])
def broken(request):
    """A handler of the package's loggers that raises, and the names of the loggers that it was told by."""
    handler = Broken(request.param)
    loggers = [logging.getLogger(f"soulspot_db.{name}") for name in ("events", "monitoring", "query")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler.told
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.fixture
async def db(open_database):
    """Whatever is done in it is slow enough to be logged."""
    return await open_database(slow_transaction_threshold=1e-6, slow_query_threshold=1e-9)


async def test_every_statement_is_counted(db, broken):
    before = (await db.stats())["queries"]["total"]
    await db.save("counter", {"name": "a"})
    await until(lambda: broken)
    assert (await db.stats())["queries"]["total"] - before == len(statements_of(db, "INSERT"))


@pytest.mark.parametrize("commits", [True, False])
async def test_a_transaction_ends_as_it_would(db, broken, told, commits):
    with contextlib.suppress(KeyError):
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            await asyncio.sleep(0.01)
            if not commits:
                raise KeyError
    await within(5, db.save("counter", {"name": "b"}))
    await within(5, db.events.settle())
    assert outside(db, "SELECT name FROM counters ORDER BY name") == [("a",), ("b",)][not commits :]
    assert len(told) == 1 + commits
    assert {"soulspot_db.monitoring", "soulspot_db.query"} <= set(broken)
    await at_rest(db, "a")


async def test_a_cancelled_transaction_gives_the_writer_back(db, broken):
    async def block():
        async with db.transaction():
            await asyncio.sleep(60)

    task = asyncio.create_task(block())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(5, task)
    await within(5, db.save("counter", {"name": "a"}))
    await at_rest(db)


async def test_a_transaction_with_a_nested_block_open_keeps_the_rest(db, broken):
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        await tx.transaction().__aenter__()
        await tx.save("counter", {"name": "b"})
    assert outside(db, "SELECT name FROM counters") == [("a",)]
    await at_rest(db, "b")


async def test_an_async_generator_that_is_closed_in_a_block_has_it_rolled_back(db, broken):
    async def names():
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            yield "a"

    generator = names()
    await anext(generator)
    await within(5, generator.aclose())
    assert outside(db, "SELECT name FROM counters") == []
    await at_rest(db, "a")


async def test_a_transaction_that_is_lost_is_reported_and_rolled_back(open_database, broken):
    db = await open_database()

    async def lose():
        tx = await db.transaction().__aenter__()
        await tx.save("counter", {"name": "a"})

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await asyncio.create_task(lose())
        await until(lambda: caught)
    assert "never ended" in str(caught[0].message)
    await within(5, db.save("counter", {"name": "b"}))
    assert outside(db, "SELECT name FROM counters") == [("b",)]


async def test_the_database_closes_with_a_transaction_open(tmp_path, broken):
    db = await Database(settings(tmp_path / "x.db")).open()
    tx = await db.transaction().__aenter__()
    await within(5, db.close())
    assert not tx._lease or tx._lease.is_over
    assert "soulspot_db.monitoring" in broken
    assert db._engine.connections().total == 0


async def test_events_that_are_dropped_or_fail_are_counted_and_the_write_is_what_it_was(db, broken):
    db.events._patience = 0

    @db.events.subscribe("**", max_pending=1)
    async def fails(_event):
        raise RuntimeError

    for name in "abcd":
        assert await db.save("counter", {"name": name}) == name
    await db.events.publish("t", {})
    await db.save_many("counter", [{"name": name} for name in "efgh"])
    await within(5, db.events.settle())
    stats = db.events.stats()
    assert (stats["dropped"] + stats["failed"], stats["pending"]) == (9, 0)
    assert stats["dropped"] > 0
    assert "soulspot_db.events" in broken


async def test_an_event_that_cannot_be_handed_on_keeps_no_other(broken):
    bus, heard = EventBus(), []
    bus.subscribe("**", lambda event: heard.append(event.event_type))
    bus.deliver([Event(None, {}), Event("t", {})])
    await within(5, bus.settle())
    assert heard == ["t"]
    assert broken == ["soulspot_db.events"]


async def test_closing_gives_up_a_shared_bus(open_database, broken):
    db = await open_database(events=EventBus())
    db.events.subscribe("**", lambda _event: asyncio.Event().wait(), timeout=0.5)
    await db.save("counter", {"name": "a"})
    await within(5, db.close(drain=0.01))
    assert "soulspot_db.events" in broken
    assert db._engine.connections().total == 0


async def test_a_handler_that_is_stopped_counts_as_timed_out(broken):
    bus = EventBus()
    bus.subscribe("t", lambda _event: asyncio.Event().wait(), timeout=0.01)
    await bus.publish("t", 1)
    await bus.publish("t", 2)
    await within(5, bus.settle())
    assert bus.stats()["timed_out"] == 2


async def test_a_hook_that_raises_changes_nothing(db, broken):
    @db.hooks.add
    def hook(_record):
        raise RuntimeError

    assert await db.save("counter", {"name": "a"}) == "a"
    assert await db.get("counter", "a") == {"name": "a", "value": 0}
