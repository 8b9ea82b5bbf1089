"""Topics of the application's own, inside transactions and out, and buses of its own."""

import asyncio
import contextlib

import homes
import pytest
from soulspot_db import EventBus, TransactionError
from support import within

DATABASES = homes.BOTH


@pytest.fixture
def heard(db):
    events = []
    db.events.subscribe("**", events.append)
    return events


async def test_a_topic_of_the_application_is_sent_at_once_outside_a_transaction(db, heard):
    await db.events.publish("download.completed", {"id": 1}, {"source": "test"})
    await db.events.settle()
    assert [(event.event_type, event.data, event.metadata) for event in heard] == [
        ("download.completed", {"id": 1}, {"source": "test"})
    ]


async def test_a_topic_published_inside_a_transaction_is_sent_after_commit_and_in_order(db, heard):
    async with db.transaction() as tx:
        await db.events.publish("download.started", {})
        await tx.save("counter", {"name": "a"})
        await db.events.publish("download.completed", {})
        await db.events.settle()
        assert heard == []
    await db.events.settle()
    topics = [event.event_type for event in heard]
    assert topics == ["download.started", "database.counter.created", "download.completed"]


async def test_a_topic_published_inside_a_block_that_is_rolled_back_is_never_sent(db, heard):
    with pytest.raises(KeyError):
        async with db.transaction():
            await db.events.publish("download.completed", {})
            raise KeyError
    async with db.transaction() as tx:
        with pytest.raises(KeyError):
            async with tx.transaction():
                await db.events.publish("download.completed", {})
                raise KeyError
    await db.events.settle()
    assert heard == []


async def test_on_a_bus_that_databases_share_the_innermost_block_decides(open_database):
    bus, heard = EventBus(), []
    bus.subscribe("my.*", lambda event: heard.append(event.event_type))
    one, other = await open_database(events=bus), await open_database(events=bus)
    async with one.transaction():
        with pytest.raises(KeyError):
            async with other.transaction(read_only=True):
                await other.events.publish("my.lost", {})
                raise KeyError
        await other.events.publish("my.kept", {})
        await bus.settle()
        assert heard == []
    await bus.settle()
    assert heard == ["my.kept"]


async def test_what_is_published_on_a_transaction_waits_for_its_commit_wherever_it_is_called(db, heard):
    opened, go = asyncio.Queue(), asyncio.Event()

    async def outside():
        tx = await opened.get()
        await tx.events.publish("my.topic", {})
        go.set()

    for fails in (True, False):
        task = asyncio.create_task(outside())
        with contextlib.suppress(KeyError):
            async with db.transaction() as tx:
                opened.put_nowait(tx)
                await within(5, go.wait())
                go.clear()
                await db.events.settle()
                assert heard == []
                if fails:
                    raise KeyError
        await task
    await db.events.settle()
    assert [event.event_type for event in heard] == ["my.topic"]


async def test_publishing_on_a_transaction_that_is_over_raises(db):
    async with db.transaction() as tx:
        pass
    with pytest.raises(TransactionError, match="over"):
        await tx.events.publish("my.topic", {})


async def test_a_handler_is_not_in_the_transaction_of_whoever_published(db):
    """The bus knows nothing of the database here, so it cannot keep the event until the commit."""
    bus, seen = EventBus(), []
    bus.subscribe("t", lambda _event: seen.append(db.session.current()))
    async with db.transaction():
        await bus.publish("t", {})
        await bus.settle()
    assert seen == [None]


class OtherBus:
    """A bus of the application's own: nothing but `publish`."""

    def __init__(self):
        self.heard = []

    async def publish(self, event_type, data, metadata=None):
        await asyncio.sleep(0)
        if data.get("entity_id") == "bad":
            raise RuntimeError("the bus is down")
        self.heard.append((event_type, data["entity_id"]))


async def test_any_object_with_publish_can_stand_in_for_our_bus(open_database, caplog):
    bus = OtherBus()
    db = await open_database(events=bus)
    assert db.events is bus
    for name in ("a", "bad", "b"):
        await db.save("counter", {"name": name})
    async with db.transaction() as tx:
        await tx.update("counter", "a", {"value": 1})
        await asyncio.sleep(0.01)
        assert len(bus.heard) == 2
    await db.close()
    created, updated = "database.counter.created", "database.counter.updated"
    assert bus.heard == [(created, "a"), (created, "b"), (updated, "a")]
    assert "OtherBus.publish of ** failed" in caplog.text


async def test_on_a_bus_of_others_too_what_is_published_on_a_transaction_waits_for_its_commit(open_database):
    bus = OtherBus()
    db = await open_database(events=bus)
    for fails in (True, False):
        with contextlib.suppress(KeyError):
            async with db.transaction() as tx:
                await tx.events.publish("my.topic", {"entity_id": 1})
                await asyncio.sleep(0.01)
                assert bus.heard == []
                if fails:
                    raise KeyError
    await db.close()
    assert bus.heard == [("my.topic", 1)]


async def test_closing_hands_on_what_a_cancelled_task_has_left_for_a_bus_of_others(open_database):
    bus = OtherBus()
    db = await open_database(events=bus)
    await db.save("counter", {"name": "a"})
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
    await db.save("counter", {"name": "b"})
    await within(5, db.close())
    assert [key for _, key in bus.heard][-1] == "b"


async def test_a_bus_of_others_that_hangs_keeps_no_write_waiting(open_database):
    go, heard = asyncio.Event(), []

    class Hanging:
        async def publish(self, _event_type, data, _metadata=None):
            await go.wait()
            heard.append(data["entity_id"])

    db = await open_database(events=Hanging())
    for name in "ab":
        await within(5, db.save("counter", {"name": name}))
    assert heard == []
    go.set()
    await within(5, db.close())
    assert heard == ["a", "b"]
