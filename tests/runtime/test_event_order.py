"""The order of events: slots taken at the COMMIT, and bulk writes that are handed on a few at a time."""

import asyncio

import homes
import pytest
from soulspot_db import Event, EventBus
from soulspot_db.events.publisher import Publisher
from support import outside, until, within

DATABASES = homes.BOTH

ROWS = 20_000


@pytest.fixture
async def counters(db):
    """A database with very many rows, each of which a delete tells about."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS - 1})"
    outside(db, f"INSERT INTO counters (name, value) {numbers} SELECT substr(CAST(1000000 + i AS TEXT), 2), 0 FROM n")
    return db


@pytest.fixture
def line():
    """A publisher, and the topics that its subscriber hears."""
    bus, heard = EventBus(), []
    bus.subscribe("**", lambda event: heard.append(event.event_type))
    return Publisher(bus), heard


async def test_a_later_commit_does_not_overtake_a_slot_that_is_not_released(line):
    publisher, heard = line
    first, second, third = publisher.reserve(), publisher.reserve(), publisher.reserve()
    third.release([Event("third", {})])
    second.release([Event("second", {}), Event("second", {})])
    await publisher.bus.publish("own", {})
    await asyncio.sleep(0.01)
    assert heard == []
    first.release([Event("first", {})])
    first.release([Event("again", {})])
    await within(5, publisher.settle())
    assert heard == ["first", "second", "second", "third", "own"]


async def test_what_stands_before_a_slot_that_is_not_released_is_delivered(line):
    publisher, heard = line
    publisher.reserve().release([Event("first", {})])
    with publisher.reserve() as slot:
        await until(lambda: heard)
        slot.release([Event("second", {})])
    await within(5, publisher.settle())
    assert heard == ["first", "second"]


async def test_settle_waits_for_a_slot_that_is_not_released(line):
    publisher, heard = line
    with publisher.reserve() as slot:
        settling = [asyncio.create_task(publisher.settle()) for _ in range(2)]
        await asyncio.sleep(0.01)
        settling[0].cancel()
        await asyncio.sleep(0)
        assert not settling[1].done()
        slot.release([Event("t", {})])
        await within(5, settling[1])
    assert heard == ["t"]


async def test_settle_is_told_of_a_release_while_a_task_is_about_to_begin(line):
    publisher, heard = line
    asyncio.get_running_loop().call_soon(lambda: slot.release([Event("t", {})]))
    publisher.reserve().release([Event("t", {})] * 150)  # more than are handed on at once: a task will go on
    slot = publisher.reserve()
    publisher.bus.hand_on_all()
    await within(5, publisher.settle())
    assert len(heard) == 151


async def test_a_block_that_fails_gives_its_slot_up(line):
    publisher, heard = line
    with pytest.raises(KeyError), publisher.reserve():
        raise KeyError
    publisher.reserve().release([Event("t", {})])
    await within(5, publisher.settle())
    assert heard == ["t"]


async def test_a_write_takes_its_slot_at_the_commit_and_is_told_when_the_cache_is_clean(db, told, monkeypatch):
    db.events.subscribe("own", lambda event: told.append((event.event_type, event.data)))
    invalidate, clear_dirty = db.session.cache.invalidate, db.session.cache.clear_dirty
    published = []

    def publish_before(function):
        def patched(*args):
            db.events.deliver([Event("own", function.__name__)])
            published.append(db.events.stats()["published"])
            return function(*args)

        return patched

    monkeypatch.setattr(db.session.cache, "invalidate", publish_before(invalidate))
    monkeypatch.setattr(db.session.cache, "clear_dirty", publish_before(clear_dirty))
    await db.save("counter", {"name": "a"})
    await db.events.settle()
    assert published == [0, 0]
    assert told == [
        ("database.counter.created", {"entity_id": "a", "entity_type": "counter"}),
        ("own", "invalidate"),
        ("own", "clear_dirty"),
    ]


async def test_what_goes_wrong_after_a_commit_holds_up_no_later_event(db, told, monkeypatch):
    def broken(*_args):
        raise RuntimeError("broken")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="broken"):
        patched.setattr(db.session.cache, "invalidate", broken)
        await db.save("counter", {"name": "a"})
    await db.save("counter", {"name": "b"})
    await within(5, db.events.settle())
    assert [data["entity_id"] for _, data in told] == ["b"]


async def test_few_events_are_queued_before_the_write_returns(db):
    db.events.subscribe("**", lambda _event: asyncio.sleep(60))
    await db.save_many("counter", [{"name": name} for name in "abc"])
    assert db.events.stats()["published"] == 3
    db.events.deliver([Event("t", {})])
    assert db.events.stats()["published"] == 4
    for subscription in list(db.events._subscriptions):
        db.events.unsubscribe(subscription)


async def test_a_bulk_write_lets_the_loop_turn_between_its_events(counters):
    heard, steps, bus = 0, [], counters.events

    def count(_event):
        nonlocal heard
        heard += 1

    bus.subscribe("database.counter.deleted", count, max_pending=ROWS)

    async def watch():
        before = 0
        while True:
            published = bus.stats()["published"]
            steps.append(published - before)
            before = published
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    assert await counters.delete_where("counter", {}, all_rows=True) == ROWS
    assert bus.stats()["published"] < ROWS / 2
    await until(lambda: heard == ROWS, 60)  # by itself, and not because somebody waits for it
    watching.cancel()
    assert heard == sum(steps) == ROWS
    assert max(steps) <= 200


async def test_many_writes_behind_a_bulk_write_do_not_hurry_it(line):
    publisher, heard = line
    publisher.reserve().release([Event("bulk", {})] * 1000)
    at_once = publisher.bus.stats()["published"]
    assert 0 < at_once < 1000
    for _ in range(50):
        publisher.reserve().release([Event("small", {})])
    assert publisher.bus.stats()["published"] == at_once
    await within(5, publisher.settle())
    assert heard == ["bulk"] * 1000 + ["small"] * 50


async def test_what_is_written_or_published_after_a_bulk_write_comes_after_it(counters):
    heard = []
    counters.events.subscribe("**", heard.append, max_pending=2 * ROWS)
    await counters.update_where("counter", {}, {"value": 1}, all_rows=True)
    await counters.update("counter", "000000", {"value": 2})
    await counters.events.publish("own", {"number": 1})
    await counters.events.publish("own", {"number": 2})
    await counters.delete("counter", f"{ROWS - 1:06}")
    await within(60, counters.events.settle())
    assert sorted(event.data["entity_id"] for event in heard[:ROWS]) == [f"{number:06}" for number in range(ROWS)]
    assert [(event.event_type.rpartition(".")[2], event.data.get("entity_id")) for event in heard[ROWS:]] == [
        ("updated", "000000"),
        ("own", None),
        ("own", None),
        ("deleted", f"{ROWS - 1:06}"),
    ]
    assert [event.data["number"] for event in heard[-3:-1]] == [1, 2]


async def test_the_events_of_a_bulk_write_tell_when_it_was_and_are_the_same_for_all_handlers(db):
    heard = [], []
    for events in heard:
        db.events.subscribe("**", events.append)
    await db.save_many("counter", [{"name": str(number)} for number in range(300)])
    await within(5, db.events.settle())
    assert list(map(id, heard[0])) == list(map(id, heard[1]))
    assert len({event.timestamp for event in heard[0]}) == 1
    assert len({event.event_id for event in heard[0]}) == 300


async def test_a_handler_unsubscribed_in_the_middle_of_a_bulk_write_hears_no_more_of_it(db):
    heard, rest = [], []

    def once(event):
        heard.append(event)
        db.events.unsubscribe(subscription)

    subscription = db.events.subscribe("**", once)
    db.events.subscribe("**", rest.append)
    await db.save_many("counter", [{"name": str(number)} for number in range(1000)])
    await within(5, db.events.settle())
    assert (len(heard), len(rest)) == (1, 1000)
    assert db.events.stats()["pending"] == 0


async def test_publishing_in_a_loop_does_not_outrun_a_bulk_write(counters):
    bus, heard = counters.events, []
    bus.subscribe("**", lambda event: heard.append(event.event_type), max_pending=2 * ROWS)
    await counters.delete_where("counter", {}, all_rows=True)
    for _ in range(ROWS // 100):
        await bus.publish("own", {})
    assert bus.stats()["published"] >= ROWS
    await within(60, bus.settle())
    assert heard.index("own") == ROWS


async def test_closing_hands_on_all_of_a_bulk_write(counters):
    heard = []
    counters.events.subscribe("**", heard.append, max_pending=ROWS)
    await counters.delete_where("counter", {}, all_rows=True)
    await within(60, counters.close())
    assert len(heard) == ROWS


async def test_settle_finishes_a_bulk_write_whose_task_was_cancelled(db):
    heard = []
    db.events.subscribe("**", heard.append)
    await db.save_many("counter", [{"name": str(number)} for number in range(1000)])
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_name() == "soulspot-db events":
            task.cancel()
    await within(5, db.events.settle())
    assert len(heard) == 1000


@pytest.fixture
async def late(db, monkeypatch):
    """The answer to the first COMMIT comes when this is set, whatever the server has done by then."""
    arrived, commits = asyncio.Event(), []
    if db.settings.database_type == "postgresql":
        command = db._engine.command

        async def late_command(connection, sql, trace=None):
            await command(connection, sql, trace)
            if sql == "COMMIT" and not commits:
                commits.append(sql)
                await arrived.wait()

        monkeypatch.setattr(db._engine, "command", late_command)
    yield arrived
    arrived.set()


async def in_a_block(db):
    async with db.transaction() as tx:
        await tx.update("counter", "a", {"value": 2})


WRITES = {
    "one row": lambda db: db.update("counter", "a", {"value": 2}),
    "a deletion": lambda db: db.delete("counter", "a"),
    "rows that a filter finds": lambda db: db.update_where("counter", {"value": {"lt": 5}}, {"value": 2}),
    "a block": in_a_block,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_is_told_after_the_block_that_had_its_row_before_however_late_the_answer_to_that_comes(
    db, told, late, write
):
    await db.save("counter", {"name": "a"})

    async def first():
        async with db.transaction() as tx:
            await tx.update("counter", "a", {"value": 1})
            await db.events.publish("database.first", {})

    writing = [asyncio.create_task(first())]
    await until(lambda: outside(db, "SELECT value FROM counters") == [(1,)])
    writing.append(asyncio.create_task(write(db)))
    await until(lambda: outside(db, "SELECT value FROM counters") != [(1,)])
    await asyncio.sleep(0.05)  # its answer is there by now
    late.set()
    await within(5, asyncio.gather(*writing))
    await db.events.settle()
    topics = [topic.removeprefix("database.counter.") for topic, _ in told]
    assert topics[:3] == ["created", "updated", "database.first"]
    assert len(topics) == 4


async def test_a_block_whose_answer_is_late_keeps_no_writes_of_other_rows_waiting(db, told, late):
    await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
    blocking = asyncio.create_task(in_a_block(db))
    await until(lambda: (2,) in outside(db, "SELECT value FROM counters"))
    assert await within(5, db.update("counter", "b", {"value": 3}))
    assert await within(5, db.save("counter", {"name": "c"})) == "c"
    late.set()
    await within(5, blocking)
