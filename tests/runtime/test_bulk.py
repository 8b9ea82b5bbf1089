"""Writes of many rows: in batches, each committed by itself, with an event for each row."""

import homes
import pytest
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soulspot_db import ConstraintViolationError, Repository, UnknownFieldError, UnsafeWriteError, ValidationFailedError
from soulspot_db.schema import resolved
from support import outside

DATABASES = homes.BOTH
CounterCreate = resolved(support.CounterSchema).create_model
CounterUpdate = resolved(support.CounterSchema).update_model
JobCreate = resolved(support.JobSchema).create_model
TrackCreate = resolved(support.PlaylistTrackSchema).create_model
TrackUpdate = resolved(support.PlaylistTrackSchema).update_model


class Counters(Repository):
    schema = support.CounterSchema


class Jobs(Repository):
    schema = support.JobSchema


class Tracks(Repository):
    schema = support.PlaylistTrackSchema


def new(number, first=0):
    return (CounterCreate(name=f"c{n:03}", value=n) for n in range(first, first + number))


async def later(items):
    for item in items:
        yield item


@pytest.mark.parametrize("make", [list, iter, later], ids=["a list", "an iterator", "an async iterator"])
async def test_a_stream_of_rows_is_saved_batch_by_batch(db, told, make):
    progress = []
    assert await Counters(db)._save_stream(make(new(25)), batch_size=10, progress=progress.append) == 25
    assert progress == [10, 20, 25]
    assert outside(db, "SELECT count(*), sum(value) FROM counters") == [(25, 300)]
    await db.events.settle()
    assert [data["entity_id"] for _, data in told] == [f"c{n:03}" for n in range(25)]


async def test_rows_are_taken_from_a_stream_no_sooner_than_they_are_needed(db):
    taken = []

    def rows():
        for row in new(30):
            taken.append(row)
            yield row

    seen = []
    await Counters(db)._save_stream(rows(), batch_size=10, progress=lambda _saved: seen.append(len(taken)))
    assert seen == [10, 20, 30]


async def test_a_batch_that_is_refused_leaves_those_before_it_and_nothing_of_itself(db):
    taken = [*new(15), CounterCreate(name="c012")]
    with pytest.raises(ConstraintViolationError):
        await Counters(db)._save_stream(taken, batch_size=10)
    assert outside(db, "SELECT count(*) FROM counters") == [(10,)]


async def test_keys_that_the_database_gives_work_in_a_stream_too(db):
    assert await Jobs(db)._save_stream((JobCreate(title=f"t{n}") for n in range(7)), batch_size=3) == 7
    assert await db.count("job") == 7


async def test_in_a_transaction_all_batches_are_stored_or_none(db):
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await Counters(tx)._save_stream(new(25), batch_size=10)
            assert await tx.count("counter") == 25
            raise ZeroDivisionError
    assert outside(db, "SELECT count(*) FROM counters") == [(0,)]


async def test_no_batch_is_asked_for_a_stream_without_rows(db):
    assert await Counters(db)._save_stream([], progress=pytest.fail) == 0


async def test_rows_are_changed_batch_by_batch_and_each_once(db, told):
    await Counters(db)._save_many(list(new(25)))
    progress = []
    where = {"value": {"gte": 5}}
    changed = await Counters(db)._update_where(where, CounterUpdate(value=99), batch_size=8, progress=progress.append)
    assert (changed, progress) == (20, [8, 16, 20])
    assert outside(db, "SELECT count(*) FROM counters WHERE value = 99") == [(20,)]
    await db.events.settle()
    updated = [data["entity_id"] for topic, data in told if topic.endswith("updated")]
    assert updated == [f"c{n:03}" for n in range(5, 25)]


async def test_rows_are_deleted_batch_by_batch_and_are_not_in_the_cache_any_more(db):
    counters = Counters(db)
    await counters._save_many(list(new(25)))
    assert await counters._get("c010") is not None
    progress = []
    assert await counters._delete_where({"value": {"lt": 20}}, batch_size=7, progress=progress.append) == 20
    assert progress == [7, 14, 20]
    assert await counters._get("c010") is None
    assert [row.name for row in await counters._query(order_by="name")] == [f"c{n:03}" for n in range(20, 25)]


async def test_all_rows_can_be_meant_in_batches(db):
    counters = Counters(db)
    await counters._save_many(list(new(5)))
    with pytest.raises(UnsafeWriteError):
        await counters._delete_where({}, batch_size=2)
    assert await counters._delete_where({}, all_rows=True, batch_size=2) == 5


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "9"])
async def test_a_size_that_is_none_is_refused_before_anything_happens(db, size):
    counters = Counters(db)
    await counters._save_many(list(new(3)))
    for call in (
        lambda: counters._save_stream(new(1, 5), batch_size=size),
        lambda: counters._update_where({"value": 0}, CounterUpdate(value=1), batch_size=size),
        lambda: counters._delete_where({"value": 0}, batch_size=size),
    ):
        with pytest.raises(ValidationFailedError, match="batch_size"):
            await call()
    assert outside(db, "SELECT value FROM counters ORDER BY name") == [(0,), (1,), (2,)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.sets(st.tuples(st.integers(0, 2), st.text("abc", min_size=1, max_size=2)), max_size=20),
    size=st.integers(1, 7),
)
async def test_keys_of_several_parts_are_gone_through_once_each_in_any_batches(db, keys, size):
    tracks = Tracks(db)
    outside(db, "DELETE FROM playlist_tracks")
    outside(db, "DELETE FROM playlists")
    ids = [await db.save("playlist", {"name": f"p{n}"}) for n in range(3)]
    rows = [TrackCreate(playlist_id=ids[number], track_id=track, position=1) for number, track in keys]
    await tracks._save_many(rows)
    progress = []
    changed = await tracks._update_where(
        {"position": 1}, TrackUpdate(position=2), batch_size=size, progress=progress.append
    )
    assert changed == len(keys)
    assert all(after - before <= size for before, after in zip([0, *progress], progress, strict=False))
    assert outside(db, "SELECT count(*) FROM playlist_tracks WHERE position = 2") == [(len(keys),)]
    assert await tracks._delete_where({"position": 2}, batch_size=size) == len(keys)


async def test_the_facade_saves_a_stream_of_dicts(db):
    progress = []
    rows = later({"name": f"c{n}", "value": n} for n in range(5))
    assert await db.save_stream("counter", rows, batch_size=2, progress=progress.append) == 5
    assert progress == [2, 4, 5]
    assert outside(db, "SELECT count(*), sum(value) FROM counters") == [(5, 10)]


async def test_the_facade_writes_to_matching_rows_in_batches(db):
    await db.save_many("counter", [{"name": f"c{n}", "value": n} for n in range(5)])
    progress = []
    options = {"batch_size": 2, "progress": progress.append}
    assert await db.update_where("counter", {"value": {"gte": 1}}, {"value": 9}, **options) == 4
    assert await db.delete_where("counter", {"value": 9}, **options) == 4
    assert progress == [2, 4, 2, 4]
    assert outside(db, "SELECT name FROM counters") == [("c0",)]


@pytest.mark.parametrize("given", [None, 5], ids=["None", "a number"])
async def test_what_is_no_stream_of_rows_is_refused(db, given):
    with pytest.raises(ValidationFailedError, match="save_stream of counter takes rows one after another"):
        await Counters(db)._save_stream(given)
    with pytest.raises(ValidationFailedError):
        await db.save_stream("counter", given)


async def test_a_dict_of_a_stream_that_is_refused_is_named(db):
    with pytest.raises(UnknownFieldError, match="colour"):
        await db.save_stream("counter", [{"name": "a", "value": 1}, {"name": "b", "colour": 1}])
    assert outside(db, "SELECT count(*) FROM counters") == [(0,)]
