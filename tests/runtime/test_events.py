"""What the database publishes: after COMMIT only, in order, in one shape."""

import asyncio
import contextlib
import datetime as dt
from uuid import UUID

import homes
import pytest
import support
from soulspot_db import Event, EventBus, QueryFailedError, Repository
from soulspot_db.cache.tags import is_row, row
from soulspot_db.engine.base import Statement
from soulspot_db.schema import resolved
from support import outside, within

DATABASES = homes.BOTH


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


async def test_writes_of_one_row_are_told_in_the_order_of_their_commits(db):
    await db.save("counter", {"name": "a"})
    mark = "?" if db.settings.database_type == "sqlite" else "$1"
    add = Statement(f"UPDATE counters SET value = value + 1 WHERE name = {mark} RETURNING value", ("a",))
    seen = []

    def finish(outcome):
        seen.append(outcome.result()[0][0][0])

    await asyncio.gather(*(db._engine.write([add], finish, [row("counters", ("a",))]) for _ in range(200)))
    assert seen == list(range(1, 201))


async def test_a_write_says_which_rows_it_touches(db, monkeypatch):
    told, write = [], db._engine.write

    async def noted(statements, finish, tags=(), trace=None):
        told.append([tag for tag in tags if is_row(tag)])
        return await write(statements, finish, tags, trace)

    monkeypatch.setattr(db._engine, "write", noted)
    await db.save("counter", {"name": "a"})
    await db.update("counter", "a", {"value": 1})
    await db.update_where("counter", {"value": 1}, {"value": 2})
    await db.delete("counter", "a")
    one = [row("counters", ("a",))]
    assert told == [one, one, [], one]


@pytest.mark.sqlite_only
async def test_events_of_writes_that_wait_together_come_in_the_order_in_which_they_were_asked(db):
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


async def test_an_entity_with_events_off_publishes_nothing(db, told):
    import support
    from soulspot_db import EntityRegistry, EntitySchema

    quiet = {"entity_type": "quiet", "table_name": "quiets", "fields": support.CounterSchema.fields, "events": False}
    EntityRegistry.register("quiet", type("QuietSchema", (EntitySchema,), quiet))
    await db.create_table("quiet")
    await db.save("quiet", {"name": "a"})
    await db.events.settle()
    assert told == []


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
    (events,) = plan.effects([("no uuid",)], "deleted").events
    assert [event.data["entity_id"] for event in events] == ["no uuid"]
