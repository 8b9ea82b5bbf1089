"""The recorder: waits for events, keeps them in order, and says what came when the wanted one did not."""

import asyncio

import pytest
from soulspot_db import EventBus, ValidationFailedError
from soulspot_db.testing import RecordedEvents


@pytest.fixture
def bus():
    return EventBus()


@pytest.fixture
def recorded(bus):
    with RecordedEvents(bus) as recorded:
        yield recorded


def topics(events):
    return [event.event_type for event in events]


async def test_a_write_to_the_database_is_the_next_event(db, tables, events):
    key = await db.save("artist", {"name": "Air"})
    event = await events.next("database.artist.created")
    assert event.data == {"entity_id": key, "entity_type": "artist"}


async def test_a_write_that_was_rolled_back_is_no_event(db, tables, events):
    with pytest.raises(RuntimeError):
        async with db.transaction():
            await db.save("artist", {"name": "Air"})
            raise RuntimeError
    await db.save("artist", {"name": "Moby"})
    await events.next()
    assert len(events) == 1


async def test_next_waits_for_an_event_that_is_still_to_come(bus, recorded):
    waiting = asyncio.ensure_future(recorded.next("late"))
    await asyncio.sleep(0)
    await bus.publish("other", 1)
    await bus.publish("late", 2)
    assert (await waiting).data == 2


async def test_several_tasks_wait_at_once_and_each_gets_its_own(bus, recorded):
    waiting = [asyncio.ensure_future(recorded.next("a")) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        await bus.publish("a", number)
    assert sorted([(await task).data for task in waiting]) == [0, 1, 2]


async def test_each_call_returns_the_next_one_that_matches(bus, recorded):
    for number in range(2):
        await bus.publish("a.x", number)
        await bus.publish("b.x", number)
    assert [(await recorded.next("*.x")).data, (await recorded.next("b.x")).data] == [0, 0]
    assert [(await recorded.next("a.**")).data, (await recorded.next()).data] == [1, 1]


async def test_all_has_every_event_that_matches_also_those_returned_before(bus, recorded):
    await bus.publish("a.x", 1)
    await recorded.next()
    await bus.publish("b.x", 2)
    await bus.publish("a.y", 3)
    # Nothing has been awaited since, so the last two have not been handed over yet.
    assert topics(recorded.all()) == topics(recorded) == ["a.x", "b.x", "a.y"]
    assert topics(recorded.all("a.*")) == ["a.x", "a.y"]
    assert recorded.all("c") == []


async def test_clear_forgets_what_came_and_what_is_on_its_way(bus, recorded):
    await bus.publish("a", 1)
    await recorded.next()
    await bus.publish("a", 2)
    recorded.clear()
    await bus.settle()
    await bus.publish("a", 3)
    assert (await recorded.next("a")).data == 3
    assert len(recorded) == 1


async def test_a_failing_wait_says_which_events_came(bus, recorded):
    await bus.publish("database.track.created", {"entity_id": "one"})
    await bus.publish("database.track.deleted", {"entity_id": "two"})
    await recorded.next("database.track.created")
    with pytest.raises(AssertionError) as failure:
        await recorded.next("database.track.updated", timeout=0.01)
    assert str(failure.value).splitlines() == [
        "no event 'database.track.updated' within 0.01 s; these came:",
        "  database.track.created {'entity_id': 'one'} (returned before)",
        "  database.track.deleted {'entity_id': 'two'}",
    ]


async def test_a_failing_wait_says_that_none_came(recorded):
    with pytest.raises(AssertionError, match=r"^no event 'a' within 0 s; none came$"):
        await recorded.next("a", timeout=0)


@pytest.mark.parametrize("pattern", ["", "a..b", "**.a"])
async def test_what_is_no_pattern_is_refused_and_not_waited_for(recorded, pattern):
    with pytest.raises(ValidationFailedError):
        await recorded.next(pattern)
    with pytest.raises(ValidationFailedError):
        recorded.all(pattern)


async def test_more_events_than_a_usual_queue_holds_are_all_recorded(bus, recorded):
    for number in range(10_500):
        await bus.publish("a", number)
    assert [event.data for event in recorded.all()] == list(range(10_500))


async def test_nothing_is_recorded_after_the_end(bus):
    with RecordedEvents(bus) as recorded:
        pass
    await bus.publish("a", 1)
    await bus.settle()
    assert len(recorded) == 0
    assert not bus.wanted("a")


async def test_a_large_write_is_recorded_whole_without_waiting(db, tables, events):
    await db.save_many("artist", [{"name": str(number)} for number in range(500)])
    assert len(events.all("database.artist.created")) == len(events) == 500
    await db.save_many("artist", [{"name": str(number)} for number in range(500, 1000)])
    events.clear()
    await db.events.settle()
    assert len(events) == 0
