"""Handlers that take too long: they are stopped, logged and counted, and the next event goes on."""

import asyncio
import contextlib

import homes
import pytest
from soulspot_db import EventBus
from support import until, within

DATABASES = homes.BOTH


def outcomes(bus):
    stats = bus.stats()
    return {name: stats[name] for name in ("handled", "failed", "timed_out") if stats[name]}


async def test_a_handler_that_hangs_is_stopped_and_the_next_event_goes_on(caplog):
    bus, heard = EventBus(), []

    @bus.subscribe("t", timeout=0.02)
    async def handler(event):
        heard.append(event.data)
        if event.data == 1:
            await asyncio.Event().wait()

    await bus.publish("t", 1)
    await bus.publish("t", 2)
    await within(5, bus.settle())
    assert heard == [1, 2]
    assert outcomes(bus) == {"handled": 1, "timed_out": 1}
    assert "handler was stopped on t after 0.02 s" in caplog.text.replace(f"{handler.__qualname__} of t", "handler")


async def test_a_timeout_of_the_handlers_own_is_an_ordinary_failure():
    bus = EventBus()

    @bus.subscribe("t")
    async def handler(_event):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    await bus.publish("t", {})
    await within(5, bus.settle())
    assert outcomes(bus) == {"failed": 1}


@pytest.mark.parametrize("fails", [False, True])
async def test_a_handler_that_catches_its_cancellation_has_timed_out_all_the_same(fails):
    bus = EventBus()

    @bus.subscribe("t", timeout=0.01)
    async def handler(_event):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if fails:
            raise RuntimeError

    await bus.publish("t", {})
    await within(5, bus.settle())
    assert outcomes(bus) == {"timed_out": 1}


async def test_without_a_timeout_a_handler_takes_the_time_it_needs():
    bus, done = EventBus(), asyncio.Event()
    bus.subscribe("t", lambda _event: done.wait(), timeout=None)
    await bus.publish("t", {})
    with pytest.raises(TimeoutError):
        await within(0.05, bus.settle())
    done.set()
    await within(5, bus.settle())
    assert outcomes(bus) == {"handled": 1}


async def test_the_cancellation_of_a_worker_is_not_taken_for_a_mistake_of_its_handler():
    bus, working = EventBus(), []

    @bus.subscribe("t")
    async def handler(_event):
        working.append(asyncio.current_task())
        await asyncio.Event().wait()

    await bus.publish("t", {})
    await until(lambda: working)
    working[0].cancel()
    await asyncio.wait(working)
    assert working[0].cancelled()
    assert outcomes(bus) == {}


async def test_closing_waits_for_a_handler_that_hangs_until_its_time_is_up(open_database):
    db = await open_database()
    db.events.subscribe("**", lambda _event: asyncio.Event().wait(), timeout=0.02)
    await db.save_many("counter", [{"name": name} for name in "abc"])
    await within(5, db.close())
    assert outcomes(db.events) == {"timed_out": 3}
