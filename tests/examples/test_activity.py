"""LibraryActivity: told of events by a bus alone, and by a database."""

import pytest
from soulspot.activity import LibraryActivity
from soulspot.library import LibraryScan, MusicFile
from soulspot_db import EventBus

FILE = MusicFile("/music/a.flac", "Sexy Boy", "Air", "Moon Safari")


@pytest.fixture
def bus():
    return EventBus()


async def created(bus, *ids):
    for entity_id in ids:
        await bus.publish("database.track.created", {"entity_id": entity_id, "entity_type": "track"})
    await bus.settle()


async def test_nothing_has_happened_at_the_start(bus):
    activity = LibraryActivity(bus)
    assert activity.tracks_added == 0
    assert activity.newest_track_ids == []


async def test_every_new_track_is_counted_and_the_newest_comes_first(bus):
    activity = LibraryActivity(bus)
    await created(bus, "one", "two", "three")
    assert activity.tracks_added == 3
    assert activity.newest_track_ids == ["three", "two", "one"]


async def test_no_more_ids_are_kept_than_were_asked_for_but_all_are_counted(bus):
    activity = LibraryActivity(bus, keep=2)
    await created(bus, "one", "two", "three", "four", "five")
    assert activity.tracks_added == 5
    assert activity.newest_track_ids == ["five", "four"]


@pytest.mark.parametrize("topic", ["database.track.updated", "database.track.deleted", "database.album.created"])
async def test_other_events_are_not_its_business(bus, topic):
    activity = LibraryActivity(bus)
    await bus.publish(topic, {"entity_id": "one", "entity_type": "track"})
    await created(bus, "two")
    assert activity.newest_track_ids == ["two"]


async def test_callers_cannot_change_what_is_remembered(bus):
    activity = LibraryActivity(bus)
    await created(bus, "one")
    activity.newest_track_ids.clear()
    assert activity.newest_track_ids == ["one"]


async def test_it_hears_of_every_track_that_a_scan_stores(db):
    activity = LibraryActivity(db.events)
    scan = LibraryScan(db)
    tracks = [await scan.add(FILE), *await scan.add_folder([FILE, FILE])]
    await db.events.settle()
    assert activity.tracks_added == 3
    assert activity.newest_track_ids == [str(track.id) for track in reversed(tracks)]


async def test_it_hears_nothing_of_what_was_rolled_back(db):
    activity = LibraryActivity(db.events)
    scan = LibraryScan(db)

    async def store_and_fail():
        async with db.transaction():
            await scan.add(FILE)
            raise RuntimeError("the disk was unplugged")

    with pytest.raises(RuntimeError):
        await store_and_fail()
    kept = await scan.add(FILE)
    await db.events.settle()
    assert activity.newest_track_ids == [str(kept.id)]
