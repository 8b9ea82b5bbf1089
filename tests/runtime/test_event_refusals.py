"""Topics, events and limits that make no sense: refused at once, and harmless where they cannot be."""

import asyncio
import contextlib

import homes
import pytest
from soulspot_db import Event, EventBus, ValidationFailedError
from soulspot_db.events.publisher import Publisher
from support import outside, within

DATABASES = homes.BOTH

BAD_TOPICS = [None, 5, "", ".", "a..b", ".a", "a.", b"a.b", ["a"]]
BAD_NUMBERS = [2.5, float("nan"), "5", None, True, 0, -1]
BAD_SECONDS = ["x", float("nan"), True, [], -1, 10**400]


class NoText:
    """A key of the application's own that cannot be made text."""

    def __str__(self):
        raise RuntimeError("no text")


class OtherBus:
    def __init__(self):
        self.heard = []

    async def publish(self, event_type, data, metadata=None):
        self.heard.append(event_type)


@pytest.mark.parametrize("topic", BAD_TOPICS, ids=repr)
async def test_a_topic_that_is_none_is_refused(topic):
    with pytest.raises(ValidationFailedError, match="topic"):
        await EventBus().publish(topic, {})


@pytest.mark.parametrize("metadata", [5, "text", ["a"]], ids=repr)
async def test_metadata_that_is_no_mapping_is_refused(metadata):
    with pytest.raises(ValidationFailedError, match="metadata"):
        await EventBus().publish("t", {}, metadata)


@pytest.mark.parametrize("bus", [None, OtherBus], ids=["its own bus", "a bus of others"])
@pytest.mark.parametrize("topic", BAD_TOPICS, ids=repr)
async def test_in_a_transaction_a_topic_that_is_none_is_refused_where_it_is_published_and_the_rest_is_stored(
    open_database, bus, topic
):
    db = await open_database(events=bus and bus())
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        with pytest.raises(ValidationFailedError, match="topic"):
            await tx.events.publish(topic, {})
    assert outside(db, "SELECT name FROM counters") == [("a",)]


async def test_an_event_that_a_handler_cannot_be_told_of_fails_neither_the_commit_nor_others(db, caplog):
    sharded, heard = [], []
    db.events.subscribe("**", sharded.append, shards=2)
    db.events.subscribe("**", heard.append)
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        await tx.events.publish("my.topic", {"entity_id": NoText()})
        await tx.save("counter", {"name": "b"})
    await db.save("counter", {"name": "c"})
    await within(5, db.events.settle())
    created = "database.counter.created"
    assert [event.event_type for event in heard] == [created, "my.topic", created, created]
    assert sorted(event.data["entity_id"] for event in sharded) == ["a", "b", "c"]
    assert (db.events.stats()["failed"], db.events.stats()["pending"]) == (1, 0)
    assert "my.topic" in caplog.text


@pytest.mark.parametrize("bus", [EventBus, OtherBus])
async def test_events_that_cannot_be_made_or_handed_on_keep_no_slot(bus, caplog):
    def broken():
        yield Event("first", {})
        raise RuntimeError("no more rows")

    publisher, heard = Publisher(bus()), []
    publisher._ours.subscribe("**", lambda event: heard.append(event.event_type))
    for told in ([broken()], [Event(None, {}), Event("second", {})], [Event("third", {})]):
        publisher.reserve().release(told)
    await within(5, publisher.settle())
    assert heard == ["first", "second", "third"]
    assert publisher._ours._line.is_empty
    assert "could not be handed on" in caplog.text


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["max_pending", "shards"])
def test_a_limit_that_is_no_whole_number_from_1_is_refused(name, number):
    with pytest.raises(ValidationFailedError, match=f"{name} must be a whole number"):
        EventBus().subscribe("t", print, **{name: number})
    with pytest.raises(ValidationFailedError, match=f"{name} must be a whole number"):
        EventBus().subscribe("t", **{name: number})


@pytest.mark.parametrize("seconds", [*BAD_SECONDS, 0], ids=lambda value: repr(value)[:10])
def test_a_timeout_that_is_no_time_is_refused(seconds):
    with pytest.raises(ValidationFailedError, match="timeout must be"):
        EventBus().subscribe("t", print, timeout=seconds)


@pytest.mark.parametrize("seconds", [*BAD_SECONDS, None], ids=lambda value: repr(value)[:10])
def test_a_patience_that_is_no_time_is_refused(seconds):
    with pytest.raises(ValidationFailedError, match="patience must be"):
        EventBus(patience=seconds)


@pytest.mark.parametrize("handler", [5, "print", [print]], ids=repr)
def test_a_handler_that_cannot_be_called_is_refused(handler):
    bus = EventBus()
    with pytest.raises(ValidationFailedError, match="handler"):
        bus.subscribe("t", handler)
    with pytest.raises(ValidationFailedError, match="handler"):
        bus.subscribe("t")(handler)
    assert bus.wanted("t") is False


@pytest.mark.parametrize("pattern", [5, None, b"t", ["t"]], ids=repr)
def test_a_pattern_that_is_no_text_is_refused(pattern):
    with pytest.raises(ValidationFailedError, match="pattern"):
        EventBus().subscribe(pattern, print)


@pytest.mark.sqlite_only
async def test_a_task_factory_that_fails_makes_no_commit_look_failed(db, told):
    def fails(_loop, coroutine, **_options):
        coroutine.close()
        raise RuntimeError("no tasks")

    loop = asyncio.get_running_loop()
    loop.set_task_factory(fails)
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(loop.set_task_factory, None)
        assert await db.save("counter", {"name": "a"}) == "a"
    await within(5, db.events.settle())
    assert len(told) == 1
