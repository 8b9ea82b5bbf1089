"""Handlers: each has a queue of its own, and harms nobody by failing or being slow."""

import asyncio
import logging
import time
import tracemalloc

import homes
import pytest
from soulspot_db import Event, EventBus, ValidationFailedError
from support import until, within

DATABASES = homes.BOTH


def counted(bus, *names):
    stats = bus.stats()
    return tuple(stats[name] for name in names)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("database.counter.created", True),
        ("database.counter.*", True),
        ("database.*.created", True),
        ("*.*.*", True),
        ("database.**", True),
        ("**", True),
        ("database.counter.created.**", True),
        ("database.counter.updated", False),
        ("database.counter", False),
        ("database.*", False),
        ("*.created", False),
        ("data.**", False),
        ("database.count", False),
    ],
)
async def test_a_star_is_one_segment_and_two_stars_are_the_rest(pattern, matches):
    bus, heard = EventBus(), []
    bus.subscribe(pattern, heard.append)
    await bus.publish("database.counter.created", {})
    await bus.settle()
    assert bool(heard) is matches
    assert bus.wanted("database.counter.created") is matches


@pytest.mark.parametrize("pattern", ["", "a..b", ".a", "**.a", "a.**.b"])
def test_a_pattern_that_is_none_is_refused(pattern):
    with pytest.raises(ValidationFailedError):
        EventBus().subscribe(pattern, print)


async def test_a_failing_handler_is_logged_and_harms_neither_writer_nor_others(db, told, caplog):
    calls = []

    @db.events.subscribe("database.**")
    def fails(event):
        calls.append(event)
        raise RuntimeError("mine")

    with caplog.at_level(logging.ERROR, "soulspot_db.events"):
        await db.save("counter", {"name": "a"})
        await db.save("counter", {"name": "b"})
        await db.events.settle()
    assert len(calls) == len(told) == 2
    assert "fails" in caplog.text
    assert "mine" in caplog.text


async def test_a_handler_that_awaits_something_cancelled_goes_on_with_the_next_event(db, told):
    calls = []

    @db.events.subscribe("database.**")
    async def handler(event):
        calls.append(event)
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
    await within(5, db.events.settle())
    assert len(calls) == len(told) == 2
    assert counted(db.events, "handled", "failed") == (2, 2)


async def test_a_slow_handler_keeps_neither_writer_nor_other_handlers_waiting(db, told):
    done = asyncio.Event()

    @db.events.subscribe("database.**")
    async def slow(_event):
        await done.wait()

    await within(5, db.save("counter", {"name": "a"}))
    await until(lambda: told)
    done.set()
    await within(5, db.events.settle())


async def test_a_bulk_write_loses_no_event_of_a_handler_that_keeps_up(db):
    heard = []
    db.events.subscribe("database.counter.created", heard.append, max_pending=10)
    await db.save_many("counter", [{"name": str(number)} for number in range(500)])
    await within(5, db.events.settle())
    assert [event.data["entity_id"] for event in heard] == [str(number) for number in range(500)]
    assert counted(db.events, "published", "handled", "dropped") == (500, 500, 0)


async def test_a_handler_that_hangs_costs_a_bounded_number_of_events(caplog):
    bus, done, heard = EventBus(patience=0.02), asyncio.Event(), []

    async def slow(event):
        await done.wait()
        heard.append(event.data)

    bus.subscribe("**", slow, max_pending=3)
    await bus.publish("t", 0)
    await asyncio.sleep(0)
    for number in range(1, 10):
        await bus.publish("t", number)
    assert bus.stats()["dropped"] == 0
    await asyncio.sleep(0.03)
    for number in range(10, 15):
        await bus.publish("t", number)
    assert counted(bus, "published", "dropped", "pending") == (15, 11, 4)
    done.set()
    await within(5, bus.settle())
    assert heard == [0, 12, 13, 14]
    assert sum("too slow" in line for line in caplog.messages) == 1


async def test_a_handler_that_has_caught_up_has_its_time_again():
    bus, heard = EventBus(patience=0.02), []
    bus.subscribe("**", heard.append, max_pending=3)
    for _ in range(2):
        for _ in range(10):
            await bus.publish("t", 0)
        await bus.settle()
        await asyncio.sleep(0.03)
    assert len(heard) == 20


@pytest.mark.parametrize("limit", [{"max_pending": 0}, {"shards": 0}, {"timeout": 0}, {"timeout": float("nan")}])
def test_a_limit_that_makes_no_sense_is_refused(limit):
    with pytest.raises(ValidationFailedError, match=next(iter(limit))):
        EventBus().subscribe("t", print, **limit)


async def test_a_worker_that_is_cancelled_before_its_first_step_is_replaced():
    bus, heard = EventBus(), []
    bus.subscribe("t", lambda event: heard.append(event.data))
    await bus.publish("t", 1)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
    assert heard == []
    await bus.publish("t", 2)
    await within(5, bus.settle())
    assert heard == [1, 2]


async def test_settle_finishes_what_a_cancelled_worker_has_left():
    bus, heard, began = EventBus(), [], asyncio.Event()

    @bus.subscribe("t")
    async def handler(event):
        heard.append(event.data)
        began.set()
        await asyncio.sleep(30 if event.data == 1 else 0)

    for number in (1, 2, 3):
        await bus.publish("t", number)
    await began.wait()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await within(5, bus.settle())
    assert heard == [1, 2, 3]


async def test_many_events_for_a_handler_that_never_waits_let_the_loop_turn(turns):
    bus = EventBus()
    bus.subscribe("t", lambda _event: time.sleep(0.0001))
    bus.deliver([Event("t", number) for number in range(200)])
    before = turns()
    await bus.settle()
    assert turns() - before >= 5


async def test_publishing_in_a_loop_lets_the_loop_turn(turns):
    bus = EventBus()
    before, end = turns(), time.monotonic() + 0.05
    while time.monotonic() < end:
        await bus.publish("nobody", {})
    assert turns() - before >= 5


async def test_settle_waits_for_handlers_and_for_what_they_publish():
    bus, heard = EventBus(), []

    @bus.subscribe("first")
    async def first(_event):
        await asyncio.sleep(0.01)
        await bus.publish("second", {})

    @bus.subscribe("second")
    async def second(_event):
        await asyncio.sleep(0.01)
        heard.append("second")

    await bus.publish("first", {})
    await within(5, bus.settle())
    assert heard == ["second"]


async def test_settle_inside_a_handler_does_not_wait_for_itself():
    bus, heard = EventBus(), []

    @bus.subscribe("t")
    async def handler(_event):
        await bus.settle()
        heard.append(1)

    await bus.publish("t", {})
    await within(5, bus.settle())
    assert heard == [1]


async def test_a_handler_that_subscribes_late_hears_what_comes_then():
    bus, heard = EventBus(), []
    await bus.publish("t", 1)
    bus.subscribe("t", lambda event: heard.append(event.data))
    await bus.publish("t", 2)
    await bus.settle()
    assert heard == [2]


async def test_an_unsubscribed_handler_hears_nothing_more():
    bus, heard = EventBus(), []
    subscription = bus.subscribe("t", heard.append)
    await bus.publish("t", 1)
    bus.unsubscribe(subscription)
    bus.unsubscribe(subscription)
    await bus.publish("t", 2)
    await bus.settle()
    assert heard == []
    assert bus.wanted("t") is False


async def test_stats_say_what_became_of_every_event():
    bus = EventBus(patience=0)

    @bus.subscribe("t", timeout=0.01, max_pending=3)
    async def handler(event):
        if event.data == "bad":
            raise RuntimeError
        await asyncio.sleep(60 if event.data == "slow" else 0)

    for data in ("good", "bad", "slow"):
        await bus.publish("t", data)
    await bus.publish("nobody", {})
    await within(5, bus.settle())
    assert bus.stats() == {
        "published": 4,
        "handled": 1,
        "failed": 1,
        "timed_out": 1,
        "dropped": 0,
        "pending": 0,
        "subscriptions": 1,
    }
    bus.unsubscribe(bus.subscribe("t", print))
    for _ in range(5):
        await bus.publish("t", "good")
    assert counted(bus, "dropped", "pending", "subscriptions") == (2, 3, 1)
    await within(5, bus.settle())
    assert counted(bus, "handled", "pending") == (4, 0)


async def test_a_handler_that_writes_and_then_fails_undoes_only_what_its_own_block_did(db, told):
    @db.events.subscribe("database.playlist.created")
    async def handler(event):
        await db.save("counter", {"name": "kept"})
        async with db.transaction():
            await db.save("counter", {"name": "undone"})
            raise RuntimeError

    key = await db.save("playlist", {"name": "Focus"})
    await within(5, db.events.settle())
    assert [data["entity_id"] for _, data in told] == [key, "kept"]
    assert [row["name"] for row in await db.query("counter")] == ["kept"]
    assert counted(db.events, "failed", "pending") == (1, 0)


async def test_a_handler_may_publish_what_it_listens_to(turns):
    bus, heard = EventBus(), []

    @bus.subscribe("count")
    async def down(event):
        heard.append(event.data)
        if event.data:
            await bus.publish("count", event.data - 1)

    before = turns()
    await bus.publish("count", 5000)
    await within(10, bus.settle())
    assert heard == list(range(5000, -1, -1))
    assert turns() - before >= 5


@pytest.mark.parametrize("number", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_a_slow_handler_costs_a_bounded_amount_of_memory(number):
    bus, most = EventBus(patience=0), 0
    slow = bus.subscribe("t", lambda _event: asyncio.sleep(60), max_pending=100)
    tracemalloc.start()
    try:
        for index in range(number):
            await bus.publish("t", {"entity_id": str(index)})
            most = max(most, len(slow.pending))
        used, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most == 100
    assert used < 500_000
    assert counted(bus, "published", "dropped", "pending") == (number, number - 101, 101)
    bus.unsubscribe(slow)
