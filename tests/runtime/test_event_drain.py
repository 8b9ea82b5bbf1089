"""Closing a database: handlers have a while to finish what waits for them, and no longer."""

import asyncio
import inspect
import time

import homes
import pytest
from soulspot_db import Database, Event, EventBus, ValidationFailedError
from support import locked, until, within

DATABASES = homes.BOTH


def figures(bus):
    return {name: count for name, count in bus.stats().items() if count and name != "subscriptions"}


async def save(db, names):
    await db.save_many("counter", [{"name": name} for name in names])


def hanging(_event):
    return asyncio.Event().wait()


async def test_closing_drops_what_a_handler_that_hangs_has_not_finished_in_time(open_database, caplog):
    db, heard, ended = await open_database(), [], []

    @db.events.subscribe("**")
    async def hangs(_event):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    db.events.subscribe("**", heard.append)
    await save(db, "abc")
    started = time.monotonic()
    await within(5, db.close(drain=0.05))
    assert time.monotonic() - started < 3
    assert (len(heard), ended) == (3, [1])
    assert figures(db.events) == {"published": 3, "handled": 3, "dropped": 3}
    assert "hangs of ** had not finished in time: 3 events are dropped" in caplog.text


async def test_closing_does_not_wait_for_a_handler_that_goes_on_after_it_was_cancelled(open_database):
    db, go = await open_database(), asyncio.Event()

    @db.events.subscribe("**")
    async def stubborn(_event):
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    await save(db, "ab")
    await within(5, db.close(drain=0.05))
    go.set()
    await within(5, db.events.settle())
    assert figures(db.events) == {"published": 2, "handled": 1, "dropped": 1}


async def test_closing_without_a_bound_waits_as_long_as_handlers_need(open_database):
    db, go = await open_database(), asyncio.Event()
    db.events.subscribe("**", lambda _event: go.wait())
    await save(db, "abc")
    closing = asyncio.create_task(db.close(drain=None))
    await asyncio.sleep(0.1)
    assert not closing.done()
    go.set()
    await within(5, closing)
    assert figures(db.events) == {"published": 3, "handled": 3}


async def test_handlers_that_finish_in_time_lose_nothing_whatever_they_write_while_the_database_closes(open_database):
    db, heard = await open_database(), []

    @db.events.subscribe("database.counter.created")
    async def handler(event):
        await asyncio.sleep(0.01)
        heard.append(event.data["entity_id"])
        if len(heard) < 6:
            await db.save("counter", {"name": f"{len(heard)}"})

    await save(db, "abc")
    await within(5, db.close(drain=4))
    assert heard[:3] == ["a", "b", "c"]
    assert len(heard) >= 6


async def test_a_handler_that_hangs_costs_others_no_event_of_the_last_writes(open_database):
    db, heard = await open_database(), []
    db.events.subscribe("**", hanging)

    @db.events.subscribe("**")
    async def handler(event):
        await asyncio.sleep(0.01)
        heard.append(event.data["entity_id"])

    await save(db, "a")
    async with locked(db):
        last = asyncio.create_task(db.save("counter", {"name": "b"}))
        await until(lambda: db._engine.connections().active)
        closing = asyncio.create_task(db.close(drain=0.1))
        await until(lambda: db.events.stats()["dropped"])
        await asyncio.sleep(0.1)
    await within(5, asyncio.gather(last, closing))
    assert heard == ["a", "b"]


async def test_what_is_not_handed_on_yet_is_dropped_too():
    bus = EventBus()
    bus.subscribe("**", hanging)
    bus.deliver(Event("t", number) for number in range(1000))
    await asyncio.sleep(0)
    await within(5, bus.drop(grace=1))
    assert figures(bus) == {"published": 1000, "dropped": 1000}


async def test_a_bus_that_was_passed_in_keeps_what_waits_because_others_may_use_it(open_database, caplog):
    bus, go = EventBus(), asyncio.Event()
    db = await open_database(events=bus)
    bus.subscribe("**", lambda _event: go.wait())
    await save(db, "abc")
    await within(5, db.close(drain=0.02))
    assert "3 events" in caplog.text
    assert figures(bus) == {"published": 3, "pending": 3}
    go.set()
    await within(5, bus.settle())
    assert figures(bus) == {"published": 3, "handled": 3}


async def test_a_bus_of_others_that_hangs_is_given_up_in_the_same_way(open_database, caplog):
    class Hanging:
        async def publish(self, _event_type, _data, _metadata=None):
            await asyncio.Event().wait()

    db = await open_database(events=Hanging())
    await save(db, "abc")
    await within(5, db.close(drain=0.05))
    assert "Hanging.publish" in caplog.text
    assert figures(db._publisher._ours) == {"published": 3, "dropped": 3}


async def test_a_handler_may_close_the_database_while_another_hangs(open_database):
    db, closed = await open_database(), []
    db.events.subscribe("**", hanging)

    @db.events.subscribe("**")
    async def handler(_event):
        await db.close(drain=0.05)
        closed.append(1)

    await save(db, "a")
    await until(lambda: closed)
    await within(5, db.events.settle())
    assert figures(db.events) == {"published": 1, "handled": 1, "dropped": 1}


async def test_who_is_cancelled_while_closing_drops_nothing(open_database):
    db = await open_database()
    db.events.subscribe("**", hanging)
    await save(db, "ab")
    closing = asyncio.create_task(db.close(drain=60))
    await asyncio.sleep(0.01)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(5, closing)
    assert figures(db.events) == {"published": 2, "pending": 2}
    await db.close(drain=0)


@pytest.mark.parametrize("drain", ["x", float("nan"), True, -1, []], ids=repr)
async def test_a_drain_that_is_no_time_is_refused_and_the_database_stays_open(db, drain):
    with pytest.raises(ValidationFailedError, match="drain must be"):
        await db.close(drain=drain)
    assert await db.count("counter") == 0


def test_a_block_closes_with_the_default():
    assert inspect.signature(Database.close).parameters["drain"].default == 30.0
