"""The cache: never stale after an acknowledged write, whatever is written and however."""

import asyncio
import time

import homes
import pytest
import sqlalchemy as sa
import support
from pydantic import create_model
from soulspot_db import Entity, EntityRegistry, EntitySchema, QueryTimeoutError, Repository
from soulspot_db.cache import tags as cache_tags
from soulspot_db.cache.cache import Cache
from support import being_written, locked, outside, until, within

DATABASES = homes.BOTH


async def statements(db):
    return (await db.stats())["queries"]["total"]


async def test_a_row_is_read_once_and_then_served_from_the_cache(db):
    await db.save("counter", {"name": "a"})
    before = await statements(db)
    for _ in range(5):
        await db.get("counter", "a")
    assert await statements(db) == before + 1


async def test_none_an_empty_list_and_zero_are_cached_too(db):
    for _ in range(2):
        assert await db.get("counter", "a") is None
        assert await db.query("counter", {"value": 1}) == []
        assert await db.count("counter") == 0
        assert await db.exists("counter", {"value": 1}) is False
    memory = (await db.stats())["cache"]["memory"]
    assert (memory["hit_rate"], memory["size"]) == (0.5, 4)


async def test_a_cached_none_is_gone_once_the_row_is_saved(db):
    assert await db.get("counter", "a") is None
    assert await db.get("playlist", "s1") is None
    await db.save("counter", {"name": "a"})
    await db.save("playlist", {"name": "Focus", "spotify_id": "s1"})
    assert await db.get("counter", "a") is not None
    assert await db.get("playlist", "s1") is not None


async def test_a_cached_none_is_gone_once_the_database_has_assigned_its_key(db):
    assert await db.get("job", "1") is None
    assert await db.save("job", {"title": "a"}) == "1"
    assert await db.get("job", "1") is not None


async def test_a_write_to_one_row_leaves_the_cached_other_rows(db):
    await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
    await db.get("counter", "a")
    await db.update("counter", "b", {"value": 1})
    before = await statements(db)
    await db.get("counter", "a")
    assert await statements(db) == before


async def test_fresh_reads_the_database_and_fills_the_cache(db):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    outside(db, "UPDATE counters SET value = 7")
    assert (await db.get("counter", "a"))["value"] == 0
    assert (await db.get("counter", "a", fresh=True))["value"] == 7
    assert (await db.get("counter", "a"))["value"] == 7
    assert (await db.query("counter", fresh=True))[0]["value"] == 7
    assert await db.count("counter", {"value": 7}, fresh=True) == 1
    assert await db.exists("counter", {"value": 7}, fresh=True)


async def test_an_entry_is_not_served_after_its_time(open_database):
    db = await open_database(cache_ttl=0.05)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    outside(db, "UPDATE counters SET value = 7")
    await asyncio.sleep(0.06)
    assert (await db.get("counter", "a"))["value"] == 7


@pytest.mark.parametrize("how", ["setting", "schema"])
async def test_a_cache_that_is_off_keeps_nothing(open_database, how):
    db = await open_database(cache_max_size=0 if how == "setting" else 1000)
    plain = {"entity_type": "plain", "table_name": "plains", "fields": support.CounterSchema.fields, "cache": False}
    EntityRegistry.register("plain", type("PlainSchema", (EntitySchema,), plain))
    await db.create_table("plain")
    await db.save("plain", {"name": "a"})
    await db.get("plain", "a")
    outside(db, "UPDATE plains SET value = 7")
    assert (await db.get("plain", "a"))["value"] == 7
    assert (await db.stats())["cache"]["memory"]["size"] == 0


async def test_the_schema_sets_time_and_size_of_its_own_region(open_database):
    db = await open_database()
    small = {
        "entity_type": "small",
        "table_name": "smalls",
        "fields": support.CounterSchema.fields,
        "cache": {"max_size": 2},
    }
    EntityRegistry.register("small", type("SmallSchema", (EntitySchema,), small))
    await db.create_table("small")
    for name in "abcd":
        await db.get("small", name)
    assert (await db.stats())["cache"]["memory"]["size"] == 2


async def test_concurrent_reads_of_one_row_ask_the_database_once(db):
    await db.save("counter", {"name": "a"})
    before = await statements(db)
    rows = await asyncio.gather(*(db.get("counter", "a") for _ in range(50)))
    assert all(row["name"] == "a" for row in rows)
    assert await statements(db) == before + 1


async def test_readers_behind_a_cancelled_reader_are_answered(open_database):
    db = await open_database(inline_reads=False)
    await db.save("counter", {"name": "a"})
    tasks = [asyncio.create_task(db.get("counter", "a")) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    rows = await within(5, asyncio.gather(*tasks, return_exceptions=True))
    assert isinstance(rows[0], asyncio.CancelledError)
    assert all(row["name"] == "a" for row in rows[1:])


async def test_a_read_that_a_write_overtakes_is_not_kept(db):
    """The load is held in the reader's thread until the write is acknowledged: the value it brings is old."""
    await db.save("counter", {"name": "a"})
    region, tags = db.session.plans.of(support.CounterSchema).region, (cache_tags.row("counters", ("a",)),)
    loaded, go = asyncio.Event(), asyncio.Event()

    async def load():
        loaded.set()
        await go.wait()
        return "old"

    reader = asyncio.create_task(region.read("key", tags, load))
    await loaded.wait()
    await db.update("counter", "a", {"value": 1})
    later = asyncio.create_task(region.read("key", tags, _value("new")))
    assert await within(5, later) == "new"  # it did not join the load from before the write
    go.set()
    assert await reader == "old"
    assert await region.read("key", tags, _value("again")) == "new"


def _value(value):
    async def load():
        return value

    return load


async def test_while_a_commit_is_under_way_nothing_is_served_from_or_put_into_the_cache():
    cache = Cache(ttl=60, max_size=10, recheck=1)
    region, tags = cache.add_region(True), (("counters",),)
    assert await region.read("key", tags, _value("old")) == "old"
    dirty = cache.mark_dirty(tags)
    assert await region.read("key", tags, _value("unknown")) == "unknown"
    assert await region.read("key", tags, _value("unknown"), fresh=True) == "unknown"
    cache.clear_dirty(dirty)  # it failed: nothing was invalidated
    assert await region.read("key", tags, _value("new")) == "old"


async def test_what_was_loaded_while_a_commit_began_is_not_kept():
    cache = Cache(ttl=60, max_size=10, recheck=1)
    region, tags = cache.add_region(True), (("counters",),)

    dirty = []

    async def load():
        dirty.append(cache.mark_dirty(tags))
        return "unknown"

    await region.read("key", tags, load)
    assert len(region) == 0


async def test_a_row_is_read_from_the_database_while_its_write_is_under_way(db):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    async with locked(db):
        writing = asyncio.create_task(db.update("counter", "a", {"value": 1}))
        await until(lambda: db._engine.connections().active)
        before = await statements(db)
        for _ in range(3):
            assert (await db.get("counter", "a"))["value"] == 0
        assert await statements(db) == before + 3
    assert await within(5, writing) is True
    assert (await db.get("counter", "a"))["value"] == 1


async def test_two_commits_at_once_keep_a_tag_dirty_until_both_are_over():
    cache = Cache(ttl=60, max_size=10, recheck=1)
    region, tags = cache.add_region(True), (("counters",),)
    first, second = cache.mark_dirty(tags), cache.mark_dirty(tags)
    cache.clear_dirty(first)
    assert await region.read("key", tags, _value(1)) == 1
    assert len(region) == 0
    cache.clear_dirty(second)
    await region.read("key", tags, _value(1))
    assert len(region) == 1


async def test_stamps_live_as_long_as_what_depends_on_them_and_no_longer():
    cache = Cache(ttl=60, max_size=1, recheck=1)
    region = cache.add_region(True)
    for number in range(1_000):
        await region.read(number, (("counters", "row", number),), _value(number))
    assert len(cache._stamps) == 1
    cache.invalidate([("counters", "row", number) for number in range(1_000)])
    assert await region.read(999, (("counters", "row", 999),), _value("new")) == "new"


async def test_a_failed_write_leaves_no_mark_and_the_cached_row(db):
    await db.save("job", {"title": "a"})
    await db.save("job", {"title": "b"})
    await db.get("job", "2")
    with pytest.raises(Exception, match="CONSTRAINT"):
        await db.update("job", "2", {"title": "a"})
    assert not being_written(db)
    before = await statements(db)
    assert (await db.get("job", "2"))["title"] == "b"
    assert await statements(db) == before


async def test_deleting_a_row_drops_what_the_database_deletes_with_it(db):
    playlist = await db.save("playlist", {"name": "Focus"})
    key = await db.save("playlist_track", {"playlist_id": playlist, "track_id": "t1"})
    assert await db.get("playlist_track", key) is not None
    assert await db.count("playlist_track") == 1
    await db.delete("playlist", playlist)
    assert await db.get("playlist_track", key) is None
    assert await db.count("playlist_track") == 0


JSONS = [1, 1.0, True, "1", {"a": 1}, {"a": 1.0}, {"a": True}, {"a": [0]}, {"a": [False]}]


@pytest.mark.sqlite_only
async def test_json_values_that_python_takes_for_equal_are_asked_and_cached_one_by_one(db):
    fields = {"id": {"type": "integer", "primary_key": True}, "data": {"type": "json"}}
    EntityRegistry.register("note", type("Note", (EntitySchema,), {**NOTE, "fields": fields}))
    await db.create_table("note")
    await db.save_many("note", [{"data": value} for value in JSONS])
    for number, value in [*enumerate(JSONS, 1), *enumerate(JSONS, 1)]:
        where = {"data": {"eq": value}}
        assert [row["id"] for row in await db.query("note", where)] == [number]
        assert await db.count("note", {"data": {"in": [value]}}) == 1
        assert await db.exists("note", {"data": {"eq": value}, "id": number})
    assert (await db.stats())["cache"]["memory"]["hit_rate"] == 0.5


async def test_a_row_found_by_a_unique_value_stays_while_others_are_written(db):
    class Playlists(Repository):
        schema = support.PlaylistSchema

    key = await db.save("playlist", {"name": "Focus", "spotify_id": "s1"})
    for _ in range(2):
        await db.save("playlist", {"name": "Other"})
        before = await statements(db)
        assert (await Playlists(db)._get_by({"spotify_id": "s1"})).name == "Focus"
        assert (await db.get("playlist", "s1"))["id"] == key
    assert await statements(db) == before
    await db.update("playlist", key, {"spotify_id": "s2"})
    assert await Playlists(db)._get_by({"spotify_id": "s1"}) is None
    assert await db.get("playlist", "s1") is None
    other = await db.save("playlist", {"name": "Again", "spotify_id": "s1"})
    assert (await Playlists(db)._get_by({"spotify_id": "s1"})).name == "Again"
    assert (await db.get("playlist", "s1"))["id"] == other


async def test_get_many_asks_for_the_missing_rows_alone_and_keeps_each(db):
    await db.save_many("counter", [{"name": name} for name in "abcd"])
    await db.get("counter", "a")
    before = await statements(db)
    assert [row["name"] for row in await db.get_many("counter", ["a", "b", "c"])] == ["a", "b", "c"]
    assert await statements(db) == before + 1
    await db.update("counter", "b", {"value": 1})
    before = await statements(db)
    rows = await db.get_many("counter", ["c", "b", "a", "none"])
    assert [row and row["value"] for row in rows] == [0, 1, 0, None]
    assert await db.get("counter", "none") is None
    assert await statements(db) == before + 1


NOTE = {"entity_type": "note", "table_name": "notes"}


class ArtistSchema(EntitySchema):
    """As the generator makes them: they name the tables of each other, and know of no others."""

    entity_type = "artist"
    table_name = "artists"
    fields = {"id": {"type": "integer", "primary_key": True}}
    cascades = ("albums", "plays")
    model = create_model("Artist", __base__=Entity, id=(int, ...))
    table = sa.Table("artists", sa.MetaData(), sa.Column("id", sa.Integer))


class AlbumSchema(EntitySchema):
    entity_type = "album"
    table_name = "albums"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "artist_id": {"type": "integer", "references": "metadata.artist", "on_delete": "cascade"},
    }
    cascades = ("plays",)
    model = create_model("Album", __base__=Entity, id=(int, ...), artist_id=(int, ...))
    table = sa.Table("albums", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("artist_id", sa.Integer))


async def test_deletes_reach_hand_written_entities_through_generated_ones(db):
    def refers(name, target):
        parent = {"type": "integer", "references": target, "on_delete": "cascade"}
        fields = {**ArtistSchema.fields, "parent_id": parent}
        return type(name, (EntitySchema,), {"entity_type": name, "table_name": f"{name}s", "fields": fields})

    for schema in (ArtistSchema, AlbumSchema, refers("note", "metadata.album"), refers("mark", "m.note")):
        EntityRegistry.register(schema.entity_type, schema)
        await db.create_table(schema.entity_type)
    await db.save("artist", {"id": 1})
    await db.save("album", {"id": 1, "artist_id": 1})
    for name in ("note", "mark"):
        await db.save(name, {"id": 1, "parent_id": 1})
        assert await db.get(name, "1") is not None
        assert await db.count(name) == 1
    await db.delete("artist", "1")
    for name in ("album", "note", "mark"):
        assert await db.get(name, "1") is None
        assert await db.count(name) == 0


@pytest.mark.parametrize("rows", [3, 1_500])
async def test_a_bulk_write_is_seen_however_many_rows_it_touches(db, rows):
    names = [f"n{number}" for number in range(rows)]
    assert await db.get("counter", "n1") is None
    await db.save_many("counter", [{"name": name} for name in names])
    assert (await db.get("counter", "n1"))["value"] == 0
    await db.update_where("counter", {"value": 0}, {"value": 7})
    assert (await db.get("counter", "n1"))["value"] == 7
    await db.delete_where("counter", {"value": 7})
    assert await db.get("counter", "n1") is None


async def test_a_very_large_delete_does_not_keep_the_event_loop(db):
    """One tag stands for all rows, so what is done on the loop does not grow with them."""
    plan = db.session.plans.of(support.CounterSchema)
    stored = [(f"n{number}",) for number in range(1_001)]
    assert len(plan.effects(stored, "deleted").tags) == 2
    assert len(plan.effects(stored[:1_000], "deleted").tags) == 1_001
    assert len(plan.touched(stored)) == 2


def node(name, refers, on_delete="cascade"):
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "parent_id": {"type": "integer", "nullable": True, "references": f"m.{refers}", "on_delete": on_delete},
    }
    return type(name, (EntitySchema,), {"entity_type": name, "table_name": f"{name}s", "fields": fields})


@pytest.mark.sqlite_only
async def test_deletes_follow_references_that_run_in_a_circle_and_through_each_other(db):
    schemas = [node("a", "c"), node("b", "a"), node("c", "b"), node("d", "b", "set_null"), node("e", "e")]
    for schema in schemas:
        EntityRegistry.register(schema.entity_type, schema)
    for schema in schemas:
        await db.create_table(schema.entity_type)
    await db.save("a", {"id": 1})
    for name in "bcd":
        await db.save(name, {"id": 1, "parent_id": 1})
        await db.get(name, "1")
    await db.save_many("e", [{"id": 1}, {"id": 2, "parent_id": 1}])
    await db.get("e", "2")
    await db.delete("a", "1")
    await db.delete("e", "1")
    assert [await db.get(name, "1") for name in "bc"] == [None, None]
    assert (await db.get("d", "1"))["parent_id"] is None
    assert await db.get("e", "2") is None


async def test_a_load_that_fails_fails_for_all_who_wait_for_it_at_once(db):
    region, loads = db.session.plans.of(support.CounterSchema).region, []

    async def load():
        loads.append(1)
        await asyncio.sleep(0.02)
        raise QueryTimeoutError("too slow")

    def reads():
        return (region.read("key", (("counters",),), load) for _ in range(3))

    outcomes = await within(10, asyncio.gather(*reads(), return_exceptions=True))
    assert [type(outcome) for outcome in outcomes] == [QueryTimeoutError] * 3
    assert len(loads) == 1
    await within(10, asyncio.gather(*reads(), return_exceptions=True))
    assert len(loads) == 2  # an error is not kept
    assert not region._loads


@pytest.mark.parametrize("entity", ["counter", "playlist"])
async def test_reads_from_the_cache_let_the_loop_turn(db, turns, entity):
    key = await db.save(entity, {"name": "a"})
    await db.get(entity, key)
    before, end = turns(), time.monotonic() + 0.05
    while time.monotonic() < end:
        await db.get(entity, key)
    assert turns() - before >= 5


async def test_entries_made_together_do_not_end_together_and_none_lasts_longer_than_it_may(monkeypatch):
    now = 0.0
    monkeypatch.setattr("soulspot_db.cache.region.time.monotonic", lambda: now)
    region = Cache(ttl=100, max_size=1000, recheck=1).add_region(True)
    for number in range(200):
        await region.read(number, (), _value(number))
    now = 89.0
    assert len(region) == 200
    left = []
    for second in range(90, 101):
        now = float(second)
        left.append(len(region))
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > 5
    assert left[-1] == 0


async def test_many_rows_are_all_from_before_a_write_or_all_from_after_it(db):
    """One of the rows is known, the other is loaded while a write changes both."""
    await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
    await db.get("counter", "a")
    read, held, go = db.session.engine.read, asyncio.Event(), asyncio.Event()

    async def late(statement, trace=None):
        held.set()
        await go.wait()
        return await read(statement, trace)

    db.session.engine.read = late
    asking = asyncio.create_task(db.get_many("counter", ["a", "b"]))
    await held.wait()
    await db.update_where("counter", {"value": 0}, {"value": 1})
    go.set()
    assert [row["value"] for row in await within(5, asking)] == [1, 1]
    db.session.engine.read = read
    assert [row["value"] for row in await db.get_many("counter", ["a", "b"])] == [1, 1]
