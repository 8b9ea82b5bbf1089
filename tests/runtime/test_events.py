"""Events: after COMMIT only, in order, in one shape; a handler harms nobody."""

import asyncio
import contextlib
import datetime as dt
import logging
import time
from uuid import UUID

import pytest
import support
from soulspot_db import Event, EventBus, QueryFailedError, Repository, TransactionError, ValidationFailedError
from soulspot_db.schema import resolved
from support import outside, until, within


@pytest.fixture
def heard(db):
    events = []
    db.events.subscribe("**", events.append)
    return events


async def test_a_write_publishes_one_event_in_the_documented_shape(db, heard):
    key = await db.save("playlist", {"name": "Focus", "spotify_id": "s1"})
    await db.update("playlist", "s1", {"track_count": 1, "name": "Sleep"})
    await db.delete("playlist", "s1")
    await db.events.settle()
    base = {"entity_id": key, "entity_type": "playlist"}
    assert [(event.event_type, event.data) for event in heard] == [
        ("database.playlist.created", base),
        ("database.playlist.updated", {**base, "fields": ["track_count", "name"]}),
        ("database.playlist.deleted", base),
    ]
    for event in heard:
        assert isinstance(event, Event)
        assert event.event_id.version == 7
        assert isinstance(event.event_id, UUID)
        assert event.timestamp.tzinfo is dt.UTC
        assert event.metadata == {}
    assert [event.event_id for event in heard] == sorted({event.event_id for event in heard})


async def test_fields_are_the_names_that_were_passed_in_their_order(db, told):
    await db.save("playlist", {"name": "Focus"})
    await db.update_where("playlist", {"name": "Focus"}, {"status": "archived", "description": None, "name": "x"})
    await db.events.settle()
    assert told[-1][1]["fields"] == ["status", "description", "name"]


async def test_the_entity_id_of_a_composite_key_is_its_text(db, told):
    playlist = await db.save("playlist", {"name": "Focus"})
    key = await db.save("playlist_track", {"playlist_id": playlist, "track_id": "a,b"})
    await db.events.settle()
    assert told[-1] == ("database.playlist_track.created", {"entity_id": key, "entity_type": "playlist_track"})


async def test_bulk_writes_publish_one_event_a_row(db, told):
    await db.save_many("counter", [{"name": name} for name in "abc"])
    await db.update_where("counter", {"name": ["a", "b"]}, {"value": 1})
    await db.delete_where("counter", {"value": 1})
    await db.events.settle()
    found = [(topic.rpartition(".")[2], data["entity_id"]) for topic, data in told]
    assert found[:3] == [("created", "a"), ("created", "b"), ("created", "c")]
    assert sorted(found[3:5]) == [("updated", "a"), ("updated", "b")]
    assert sorted(found[5:]) == [("deleted", "a"), ("deleted", "b")]


async def test_a_handler_that_changes_an_events_fields_changes_no_other_event(db):
    seen = []

    def greedy(event):
        seen.append(list(event.data["fields"]))
        event.data["fields"].append("changed")

    await db.save_many("counter", [{"name": name} for name in "ab"])
    db.events.subscribe("database.counter.updated", greedy)
    await db.update_where("counter", {"name": ["a", "b"]}, {"value": 1})
    await db.events.settle()
    assert seen == [["value"], ["value"]]


async def test_writes_that_change_no_row_publish_nothing(db, told):
    await db.update("counter", "nobody", {"value": 1})
    await db.delete("counter", "nobody")
    await db.update_where("counter", {"value": 9}, {"value": 1})
    with pytest.raises(Exception, match="VALIDATION"):
        await db.save("counter", {"name": 7})
    await db.events.settle()
    assert told == []


async def test_rows_that_a_cascade_removes_publish_nothing(db, told):
    playlist = await db.save("playlist", {"name": "Focus"})
    await db.save("playlist_track", {"playlist_id": playlist, "track_id": "t1"})
    await db.delete("playlist", playlist)
    await db.events.settle()
    assert [topic for topic, _ in told][2:] == ["database.playlist.deleted"]


async def test_events_of_one_row_come_in_the_order_of_their_commits(db):
    seen = []

    async def check(event):
        seen.append(event.data["entity_id"])

    db.events.subscribe("database.counter.created", check)
    keys = await asyncio.gather(*(db.save("counter", {"name": f"{n:03}"}) for n in range(100)))
    await db.events.settle()
    assert seen == keys


async def test_what_an_event_tells_can_be_read_by_its_handler(db):
    found = []

    async def read(event):
        found.append(await db.get("counter", event.data["entity_id"]))

    db.events.subscribe("database.counter.created", read)
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
    await db.events.settle()
    assert found == [{"name": "a", "value": 0}]


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


async def test_a_bus_may_be_subscribed_to_at_import_and_given_to_the_database(open_database):
    bus, heard = EventBus(), []

    @bus.subscribe("database.counter.created")
    async def handler(event):
        heard.append(event.data["entity_id"])

    db = await open_database(events=bus)
    assert db.events is bus
    await db.save("counter", {"name": "a"})
    await bus.settle()
    assert heard == ["a"]


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
    assert db.events.stats() == {"published": 500, "dropped": 0}


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
    assert bus.stats() == {"published": 15, "dropped": 11}
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


def test_a_queue_for_no_event_at_all_is_refused():
    with pytest.raises(ValidationFailedError, match="max_pending"):
        EventBus().subscribe("t", print, max_pending=0)


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


async def test_an_entity_with_events_off_publishes_nothing(db, told):
    import support
    from soulspot_db import EntityRegistry, EntitySchema

    quiet = {"entity_type": "quiet", "table_name": "quiets", "fields": support.CounterSchema.fields, "events": False}
    EntityRegistry.register("quiet", type("QuietSchema", (EntitySchema,), quiet))
    await db.create_table("quiet")
    await db.save("quiet", {"name": "a"})
    await db.events.settle()
    assert told == []


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
    assert "the event bus failed" in caplog.text


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


async def test_closing_delivers_what_was_published_to_handlers_that_can_still_read(open_database):
    db, heard = await open_database(), []

    async def slow(event):
        await asyncio.sleep(0.01)
        heard.append((await db.get("counter", event.data["entity_id"]))["name"])

    db.events.subscribe("database.**", slow)
    await db.save_many("counter", [{"name": name} for name in "abc"])
    await within(5, db.close())
    assert heard == ["a", "b", "c"]


async def spoiled(db):
    """The keys of two rows, one of which another program has made unreadable."""
    keys = await db.save_many("everything", [{"a_string": "a", "texts": ["a"]}, {"a_string": "a", "texts": ["b"]}])
    outside(db, "UPDATE everythings SET texts = '[1]' WHERE id = ?", keys[0])
    return keys


class Everythings(Repository):
    schema = support.EverythingSchema


async def test_a_bulk_write_needs_no_row_to_be_readable(db, told):
    keys = await spoiled(db)
    assert await db.update_where("everything", {"a_string": "a"}, {"a_text": "b"}) == 2
    assert await db.update("everything", keys[0], {"a_text": "c"}) is True
    assert (await db.get("everything", keys[1]))["a_text"] == "b"
    assert await db.delete_where("everything", {"a_string": "a"}) == 2
    await db.events.settle()
    assert [topic.rpartition(".")[2] for topic, _ in told if "created" not in topic] == ["updated"] * 3 + [
        "deleted"
    ] * 2


@pytest.mark.parametrize("inside", [False, True])
async def test_a_write_whose_row_cannot_be_read_is_invalidated_and_published_all_the_same(db, told, inside):
    keys = await spoiled(db)
    assert await db.count("everything", {"a_text": "b"}) == 0
    changes = resolved(support.EverythingSchema).update_model(a_text="b")
    async with db.transaction() if inside else contextlib.nullcontext():
        with pytest.raises(QueryFailedError):
            await Everythings(db)._update(UUID(keys[0]), changes)
    assert await db.count("everything", {"a_text": "b"}) == 1
    await db.events.settle()
    expected = {"entity_id": keys[0], "entity_type": "everything", "fields": ["a_text"]}
    assert told[-1] == ("database.everything.updated", expected)


async def test_a_key_that_only_another_program_can_have_written_is_published_as_it_is(db, told):
    plan = db.session.plans.of(support.EverythingSchema)
    assert plan.codec.decode_key(("no uuid",)) == ("no uuid",)
    assert plan.codec.decode_key((7,)) == (7,)
    assert plan.effects([("no uuid",)], "deleted").events[0].data["entity_id"] == "no uuid"
