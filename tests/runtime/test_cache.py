"""The cache: never stale after an acknowledged write, whatever is written and however."""

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
import support
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from soulspot_db import Database, EntityRegistry, EntitySchema, QueryTimeoutError
from soulspot_db.cache import stamps
from soulspot_db.cache.cache import Cache
from soulspot_db.engine.base import Statement
from support import ENDLESS, outside, until, within


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


async def test_readers_behind_a_cancelled_reader_are_answered(db):
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
    region, tags = db.session.plans.of(support.CounterSchema).region, (stamps.row("counters", ("a",)),)
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
    cache = Cache(ttl=60, max_size=10)
    region, tags = cache.region("counter", True), (("counters",),)
    assert await region.read("key", tags, _value("old")) == "old"
    cache.mark_dirty(tags)
    assert await region.read("key", tags, _value("unknown")) == "unknown"
    assert await region.read("key", tags, _value("unknown"), fresh=True) == "unknown"
    cache.clear_dirty(tags)  # it failed: nothing was invalidated
    assert await region.read("key", tags, _value("new")) == "old"


async def test_what_was_loaded_while_a_commit_began_is_not_kept():
    cache = Cache(ttl=60, max_size=10)
    region, tags = cache.region("counter", True), (("counters",),)

    async def load():
        cache.mark_dirty(tags)
        return "unknown"

    await region.read("key", tags, load)
    assert len(region) == 0


async def test_a_row_is_read_from_the_database_while_its_write_is_under_way(db):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # keeps the write waiting
    writing = asyncio.create_task(db.update("counter", "a", {"value": 1}))
    await until(lambda: db._engine.connections().active)
    before = await statements(db)
    for _ in range(3):
        assert (await db.get("counter", "a"))["value"] == 0
    assert await statements(db) == before + 3
    other.close()
    assert await within(5, writing) is True
    assert (await db.get("counter", "a"))["value"] == 1


async def test_two_commits_at_once_keep_a_tag_dirty_until_both_are_over():
    cache = Cache(ttl=60, max_size=10)
    region, tags = cache.region("counter", True), (("counters",),)
    cache.mark_dirty(tags)
    cache.mark_dirty(tags)
    cache.clear_dirty(tags)
    assert await region.read("key", tags, _value(1)) == 1
    assert len(region) == 0
    cache.clear_dirty(tags)
    await region.read("key", tags, _value(1))
    assert len(region) == 1


async def test_losing_stamps_costs_hits_and_revives_no_old_entry():
    cache = Cache(ttl=60, max_size=1)
    region = cache.region("counter", True)
    tags = (("counters", "row", 0),)
    await region.read("key", tags, _value("old"))
    cache.invalidate(tags)
    for number in range(1, 2_000):
        region.stamps([("counters", "row", number)])
    assert await region.read("key", tags, _value("new")) == "new"


async def test_a_failed_write_leaves_no_mark_and_the_cached_row(db):
    await db.save("job", {"title": "a"})
    await db.save("job", {"title": "b"})
    await db.get("job", "2")
    with pytest.raises(Exception, match="CONSTRAINT"):
        await db.update("job", "2", {"title": "a"})
    assert not db._cache._stamps._dirty
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


def node(name, refers, on_delete="cascade"):
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "parent_id": {"type": "integer", "nullable": True, "references": f"m.{refers}", "on_delete": on_delete},
    }
    return type(name, (EntitySchema,), {"entity_type": name, "table_name": f"{name}s", "fields": fields})


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


async def test_readers_behind_a_load_that_fails_try_for_themselves(open_database):
    db = await open_database(query_timeout=0.1)
    region = db.session.plans.of(support.CounterSchema).region

    async def load():
        return await db._engine.read(Statement(ENDLESS))

    reads = (region.read("key", (("counters",),), load) for _ in range(3))
    outcomes = await within(10, asyncio.gather(*reads, return_exceptions=True))
    assert [type(outcome) for outcome in outcomes] == [QueryTimeoutError] * 3
    await until(lambda: not region._loads)


NAMES = st.sampled_from("abc")
VALUES = st.integers(0, 2)


class CachedReadsEqualUncachedReads(RuleBasedStateMachine):
    """After every write, whatever its kind, what the cache answers is what a plain connection sees."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.isolation = contextlib.ExitStack()

    @initialize()
    def open(self):
        self.isolation.enter_context(EntityRegistry.isolated())
        EntityRegistry.register("counter", support.CounterSchema)
        self.db = Database(support.settings(self.folder / "x.db", connection_pool_size=1))
        self.run(self.db.open())
        self.run(self.db.create_table("counter"))
        self.plain = sqlite3.connect(self.folder / "x.db")

    def run(self, what):
        return self.loop.run_until_complete(within(10, what))

    @rule(name=NAMES, value=VALUES)
    def save(self, name, value):
        with contextlib.suppress(Exception):
            self.run(self.db.save("counter", {"name": name, "value": value}))

    @rule(name=NAMES, value=VALUES)
    def update(self, name, value):
        self.run(self.db.update("counter", name, {"value": value}))

    @rule(name=NAMES)
    def delete(self, name):
        self.run(self.db.delete("counter", name))

    @rule(value=VALUES, new=VALUES)
    def update_where(self, value, new):
        self.run(self.db.update_where("counter", {"value": value}, {"value": new}))

    @rule(value=VALUES)
    def delete_where(self, value):
        self.run(self.db.delete_where("counter", {"value": value}))

    @rule(names=st.lists(NAMES, min_size=1, max_size=3), value=VALUES, fail=st.booleans(), nested=st.booleans())
    def transaction(self, names, value, fail, nested):
        async def work():
            async with self.db.transaction() as tx:
                await tx.update_where("counter", {}, {"value": 1}, all_rows=True)
                with contextlib.suppress(ZeroDivisionError):
                    async with tx.transaction():
                        for name in names:
                            await tx.update("counter", name, {"value": value})
                            await tx.get("counter", name)
                        if nested:
                            raise ZeroDivisionError
                await tx.delete("counter", names[0])
                if fail:
                    raise ZeroDivisionError

        with contextlib.suppress(ZeroDivisionError):
            self.run(work())

    @rule(name=NAMES, value=VALUES)
    def write_beside_reads(self, name, value):
        async def work():
            reads = [self.db.get("counter", name), self.db.query("counter", {"value": value}), self.db.count("counter")]
            await asyncio.gather(*reads, self.db.update("counter", name, {"value": value}), *self.again(name, value))

        self.run(work())

    def again(self, name, value):
        return [self.db.get("counter", name), self.db.query("counter", {"value": value}), self.db.count("counter")]

    @invariant()
    def what_the_cache_says_is_what_the_file_says(self):
        if not hasattr(self, "plain"):
            return
        rows = dict(self.plain.execute("SELECT name, value FROM counters"))
        for _ in range(2):
            for name in "abc":
                found = self.run(self.db.get("counter", name))
                assert (None if found is None else found["value"]) == rows.get(name)
            for value in range(3):
                found = self.run(self.db.query("counter", {"value": value}, "name"))
                assert [row["name"] for row in found] == sorted(n for n, v in rows.items() if v == value)
            assert self.run(self.db.count("counter")) == len(rows)

    def teardown(self):
        if hasattr(self, "plain"):
            self.plain.close()
            self.run(self.db.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.isolation.close()
        shutil.rmtree(self.folder)


TestCachedReadsEqualUncachedReads = CachedReadsEqualUncachedReads.TestCase
TestCachedReadsEqualUncachedReads.settings = settings(
    max_examples=30, stateful_step_count=15, suppress_health_check=list(HealthCheck)
)
