"""Two programs that share a database and a Redis: what each of them sees of what the other one does."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from uuid import UUID

import homes
import pytest
import support
from soulspot_db import EntityRegistry, EntitySchema, Repository
from soulspot_db.cache import names, tags
from soulspot_db.cache.values import pack, unpack
from support import outside, within

DATABASES = homes.BOTH


class Playlists(Repository):
    schema = support.PlaylistSchema


async def statements(db):
    return (await db.stats())["queries"]["total"]


async def kept(db):
    """Wait until what was read last is kept in Redis."""
    await db.session.cache.tier.size()


async def noticed(db):
    """Have a program notice what others have written so far: a file tells it that, which makes what is kept void."""
    await db.count("job", fresh=True)
    await db.count("job")


ASKED = {
    "row": lambda db: db.get("counter", "a"),
    "rows": lambda db: db.get_many("counter", ["a", "b"]),
    "natural key": lambda db: db.get("playlist", "s1"),
    "unique value": lambda db: Playlists(db)._get_by({"spotify_id": "s1"}, fresh=isinstance(db, _Fresh)),
    "query": lambda db: db.query("counter", {"value": 0}),
    "count": lambda db: db.count("counter", {"value": 0}),
    "existence": lambda db: db.exists("counter", {"value": 0}),
}


async def rows(db):
    await db.save("counter", {"name": "a"})
    await db.save("playlist", {"name": "Focus", "spotify_id": "s1", "price": "1.50", "tags": ["a"], "rating": 0.5})


async def change(db):
    await db.update_where("counter", {"value": 0}, {"value": 1})
    await db.update("playlist", "s1", {"name": "Other"})


@pytest.mark.parametrize("what", ["row", "query", "count", "existence"])
async def test_what_one_has_read_the_other_one_finds_without_the_database(open_program, what):
    one, other = await open_program(), await open_program()
    await rows(one)
    await noticed(other)
    answer = await ASKED[what](one)
    await kept(one)
    before = await statements(other)
    assert await ASKED[what](other) == answer
    assert await statements(other) == before
    assert (await other.stats())["cache"]["redis"]["hit_rate"] > 0


@pytest.mark.parametrize("what", ASKED)
async def test_a_fresh_read_sees_what_another_one_has_written(open_program, what):
    one, other = await open_program(cache_recheck=3600), await open_program(cache_recheck=3600)
    await rows(one)
    old = await ASKED[what](other)
    await change(one)
    read = ASKED[what]
    fresh = await read(_Fresh(other))
    assert fresh != old
    assert fresh == await read(one)
    assert await read(other) == fresh  # the entry was replaced


class _Fresh:
    """A database whose reads are all fresh."""

    def __init__(self, db):
        self._db = db
        self.session = db.session

    def __getattr__(self, name):
        return lambda *args: getattr(self._db, name)(*args, fresh=True)


@pytest.mark.parametrize("what", [what for what in ASKED if what != "unique value"])
async def test_with_a_recheck_of_nought_every_read_sees_what_another_one_has_written(open_program, what):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    await rows(one)
    for db in (one, other):
        await ASKED[what](db)
    await change(one)
    new = await ASKED[what](other)
    assert new == await ASKED[what](_Fresh(one))
    assert new == await ASKED[what](one)


@pytest.mark.sqlite_only
async def test_what_was_read_is_served_from_memory_as_long_as_a_look_is_good(open_program):
    one = await open_program(cache_recheck=3600)
    await rows(one)
    await one.get("counter", "a")
    looks = _looks(one)
    for _ in range(100):
        await one.get("counter", "a")
    assert looks == []


def _looks(db):
    """The names of every look-up from now on."""
    connection, found = db.session.cache.tier._connection, []
    run = connection.run

    async def counted(batch):
        if batch.names:
            found.append(set(batch.names))
        return await run(batch)

    connection.run = counted
    return found


async def test_entries_that_are_due_in_one_turn_are_looked_at_together(open_program):
    one = await open_program(cache_recheck=0)
    names = [f"n{number}" for number in range(100)]
    await one.save_many("counter", [{"name": name} for name in names])
    await asyncio.gather(*(one.get("counter", name) for name in names))
    looks, before = _looks(one), await statements(one)
    await asyncio.gather(*(one.get("counter", name) for name in names))
    assert len(looks) <= 2
    assert await statements(one) == before


async def test_a_write_is_seen_by_the_other_one_within_the_recheck(open_program):
    one, other = await open_program(cache_recheck=0.2), await open_program(cache_recheck=0.2)
    await rows(one)
    assert (await other.get("counter", "a"))["value"] == 0
    await one.update("counter", "a", {"value": 1})
    acknowledged = time.monotonic()
    while (await other.get("counter", "a"))["value"] == 0:
        assert time.monotonic() - acknowledged < 0.25
        await asyncio.sleep(0.005)


async def test_none_an_empty_list_and_nothing_kept_are_three_things(open_program):
    one, other = await open_program(), await open_program()
    await noticed(other)
    for read in (lambda db: db.get("counter", "a"), lambda db: db.query("counter"), lambda db: db.count("counter")):
        nothing = await read(one)
        await kept(one)
        before = await statements(other)
        assert await read(other) == nothing
        assert await statements(other) == before
    await one.save("counter", {"name": "a"})
    assert await other.get("counter", "a", fresh=True) is not None
    assert len(await other.query("counter", fresh=True)) == 1


async def test_an_answer_that_has_ended_does_not_live_on_in_what_another_one_reads(open_program):
    one, other = await open_program(cache_ttl=1), await open_program(cache_ttl=1)
    await rows(one)
    for db in (one, other):
        await db.get("counter", "a", fresh=True)
    outside(one, "UPDATE counters SET value = 7 WHERE name = 'a'")
    read = time.monotonic()
    await asyncio.sleep(0.95)
    await one.get("counter", "a", fresh=True)
    await kept(one)
    await asyncio.sleep(max(read + 1.05 - time.monotonic(), 0))
    assert (await other.get("counter", "a"))["value"] == 7


async def test_what_is_read_anew_again_and_again_takes_nobodys_place_among_those_that_are_looked_at(open_program):
    one = await open_program(cache_recheck=0.3, cache_max_size=20)
    names = [f"n{number}" for number in range(20)]
    await one.save_many("counter", [{"name": name} for name in names])
    for name in names:
        await one.get("counter", name)
    for _ in range(30):
        await one.get("counter", "n0", fresh=True)
    await asyncio.sleep(0.35)
    looks = _looks(one)
    for name in names:
        await one.get("counter", name)
    assert len(looks) <= 3


async def test_a_transaction_neither_asks_nor_fills_it(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    await rows(one)
    with suppress(_UndoneError):
        async with one.transaction() as tx:
            await tx.update("counter", "a", {"value": 1})
            assert (await tx.get("counter", "a"))["value"] == 1
            assert (await one.query("counter"))[0]["value"] == 1
            assert (await _outside_any(other.get("counter", "a")))["value"] == 0
            raise _UndoneError
    assert (await other.get("counter", "a"))["value"] == 0
    assert (await one.get("counter", "a"))["value"] == 0


class _UndoneError(Exception):
    pass


async def _outside_any(what):
    return await asyncio.create_task(what)


async def test_what_a_kept_savepoint_wrote_is_seen_by_the_other_one(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    await rows(one)
    assert (await other.get("counter", "a"))["value"] == 0
    async with one.transaction() as tx, tx.transaction():
        await tx.update("counter", "a", {"value": 1})
    assert (await other.get("counter", "a"))["value"] == 1


async def test_a_cascade_and_a_bulk_write_are_seen_by_the_other_one(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    key = await one.save("playlist", {"name": "Focus"})
    await one.save("playlist_track", {"playlist_id": key, "track_id": "t"})
    row = f"{key},t"
    assert await other.get("playlist_track", row) is not None
    await one.delete("playlist", key)
    assert await other.get("playlist_track", row) is None
    await one.save_many("counter", [{"name": f"n{number}"} for number in range(1_001)])
    assert (await other.get("counter", "n7"))["value"] == 0
    await one.update_where("counter", {"value": 0}, {"value": 1})
    assert (await other.get("counter", "n7"))["value"] == 1


async def test_very_many_rows_written_in_one_transaction_are_seen_by_the_other_one(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    await one.save_many("counter", [{"name": f"n{number}"} for number in range(1_200)])
    assert (await other.get("counter", "n7"))["value"] == 0
    async with one.transaction() as tx:
        for start in (0, 600):
            some = [f"n{number}" for number in range(start, start + 600)]
            await tx.update_where("counter", {"name": some}, {"value": 1})
    assert (await other.get("counter", "n7"))["value"] == 1


async def test_a_thousand_who_miss_the_same_at_once_ask_the_database_once(open_program):
    one = await open_program()
    await rows(one)
    before = await statements(one)
    answers = await within(20, asyncio.gather(*(one.query("counter") for _ in range(1_000))))
    assert all(len(answer) == 1 for answer in answers)
    assert await statements(one) == before + 1


async def test_of_a_thousand_who_find_the_same_in_redis_one_reads_it(open_program):
    one, other = await open_program(), await open_program()
    await rows(one)
    await noticed(other)
    await one.query("counter")
    await kept(one)
    before = await statements(other)
    plan = other.session.plans.of(support.CounterSchema)
    decoded, decode = [], plan.codec.decode
    plan.codec.decode = lambda row: decoded.append(1) or decode(row)
    await within(20, asyncio.gather(*(other.query("counter") for _ in range(1_000))))
    assert await statements(other) == before
    assert len(decoded) == 1


async def test_nobody_joins_a_load_from_before_another_ones_write(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    await rows(one)
    reads, go, reading = other.session.engine.read, asyncio.Event(), asyncio.Event()

    async def held(statement, trace=None):
        answer = await reads(statement, trace)
        if not reading.is_set():
            reading.set()
            await go.wait()
        return answer

    other.session.engine.read = held
    early = asyncio.create_task(other.query("counter"))
    await within(5, reading.wait())
    await one.update("counter", "a", {"value": 1})
    assert (await within(5, other.query("counter")))[0]["value"] == 1
    go.set()
    assert (await early)[0]["value"] == 0
    assert (await other.query("counter"))[0]["value"] == 1
    assert (await one.query("counter"))[0]["value"] == 1


async def test_what_is_kept_depends_on_its_row_though_it_was_asked_for_by_another_value(open_program):
    one, other = await open_program(), await open_program(cache_recheck=0)
    await rows(one)
    await noticed(other)
    assert (await other.get("playlist", "s1"))["name"] == "Focus"
    if one.settings.database_type == "postgresql":  # a file tells that something was written, not what
        await one.save("playlist", {"name": "Another", "spotify_id": "s2"})
    before = await statements(other)
    assert (await other.get("playlist", "s1"))["name"] == "Focus"
    assert await statements(other) == before
    await one.update("playlist", "s1", {"name": "New"})
    assert (await other.get("playlist", "s1"))["name"] == "New"


async def test_many_entries_are_looked_at_with_one_that_is_due(open_program):
    one, other = await open_program(cache_recheck=0.2), await open_program()
    names = [f"n{number}" for number in range(100)]
    await one.save_many("counter", [{"name": name} for name in names])
    for name in names:
        await one.get("counter", name)
    await asyncio.sleep(0.25)
    looks, hits = _looks(one), one.session.cache.hits
    for name in names:
        await one.get("counter", name)
    assert one.session.cache.hits == hits + len(names)
    assert len(looks) <= 5
    await other.update("counter", "n7", {"value": 1})
    await asyncio.sleep(0.25)
    assert [(await one.get("counter", name))["value"] for name in names] == [int(name == "n7") for name in names]


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xc1", b"\x93\x90\x90\x90", b"\x80" * 50, b"\x93\x91\xa1x\x91\xa1y\x91\x91\x01"]
)
async def test_what_was_not_written_by_us_is_missed(open_program, data):
    one, other = await open_program(), await open_program()
    await rows(one)
    answer = await one.get("counter", "a")
    await kept(one)
    await _overwrite(one, lambda _old: data)
    assert await other.get("counter", "a") == answer


@pytest.mark.parametrize("row", [(), (1,), ("a", "not a number"), ("a", None), ("a", [1, 2]), ("a", 1, 2)])
async def test_rows_that_the_model_refuses_are_missed(open_program, row):
    one, other = await open_program(), await open_program()
    await rows(one)
    answer = await one.get("counter", "a")
    await kept(one)

    def other_row(old):
        found = unpack(old)
        return pack(found.names, found.stamps, [row])

    await _overwrite(one, other_row)
    assert await other.get("counter", "a") == answer


async def _overwrite(db, change):
    connection = db.session.cache.tier._connection
    keys = await _command(connection, "KEYS", connection._prefix + b"v*")
    assert keys
    for key in keys:
        await _command(connection, "SET", key, change(await _command(connection, "GET", key)))


async def _command(connection, *words):
    return (await connection._answers([words]))[0]


async def test_nothing_of_a_value_or_key_is_shown_by_the_names_in_redis(open_program):
    one = await open_program()
    await one.save("counter", {"name": "plain-secret"})
    await one.get("counter", "plain-secret")
    await kept(one)
    connection = one.session.cache.tier._connection
    for key in await _command(connection, "KEYS", connection._prefix + b"*"):
        assert b"secret" not in key


async def test_rows_are_kept_as_the_database_returned_them(open_program):
    one = await open_program()
    await rows(one)
    await one.query("playlist")
    await kept(one)
    connection = one.session.cache.tier._connection
    (key,) = await _command(connection, "KEYS", connection._prefix + b"v*")
    found = unpack(await _command(connection, "GET", key))
    stored = outside(one, "SELECT id, spotify_id, price, tags FROM playlists")[0]
    assert {*map(str, stored)} <= {*map(str, found.rows[0])}


async def test_programs_that_read_rows_in_another_way_share_no_answers(open_program):
    one = await open_program()
    await rows(one)
    await one.get("counter", "a")
    await kept(one)
    with EntityRegistry.isolated():
        fields = {**support.CounterSchema.fields, "value": {"type": "integer", "default": 0, "minimum": -5}}
        changed = {"entity_type": "counter", "table_name": "counters", "fields": fields}
        EntityRegistry.register("counter", type("CounterSchema", (EntitySchema,), changed))
        other = await open_program()
        before = await statements(other)
        await other.get("counter", "a")
        assert await statements(other) == before + 1


async def test_entities_may_be_kept_in_memory_alone(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    small = {
        "entity_type": "small",
        "table_name": "counters",
        "fields": support.CounterSchema.fields,
        "cache": {"l2": False},
    }
    EntityRegistry.register("small", type("SmallSchema", (EntitySchema,), small))
    await rows(one)
    await one.get("small", "a")
    await kept(one)
    connection = one.session.cache.tier._connection
    assert await _command(connection, "KEYS", connection._prefix + b"v*") == []
    before = await statements(one)
    await one.get("small", "a")
    assert await statements(one) == before
    await other.update("small", "a", {"value": 1})
    assert (await one.get("small", "a"))["value"] == 1


async def test_what_one_invalidates_or_clears_the_other_one_reads_anew(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    await rows(one)
    ways = [
        lambda: one.cache.invalidate("counter:a"),
        lambda: one.cache.invalidate_pattern("counter:*"),
        lambda: one.cache.invalidate_pattern("counter:*:value:0"),
        one.cache.clear,
    ]
    for way in ways:
        await other.get("counter", "a")
        before = await statements(other)
        await other.get("counter", "a")
        assert await statements(other) == before
        await way()
        await other.get("counter", "a")
        assert await statements(other) == before + 1


async def test_hooks_are_told_that_an_answer_from_redis_needed_no_database(open_program):
    one, other = await open_program(), await open_program()
    await rows(one)
    await noticed(other)
    await one.query("counter")
    await kept(one)
    seen = []
    other.hooks.add(lambda record: seen.append((record.operation, record.cache, record.rows)))
    await other.query("counter")
    assert seen == [("query", "hit", 0)]


async def test_a_row_in_memory_can_be_looked_at_after_a_look_at_its_stamps(open_program):
    one, other = await open_program(cache_recheck=0), await open_program(cache_recheck=0)
    await rows(one)
    await noticed(other)
    assert await other.cache.get("counter:a") is None
    for ask in (lambda: other.get("counter", "a"), lambda: other.get("playlist", "s1")):
        await ask()
    before = await statements(other)
    assert (await other.cache.get("counter:a"))["value"] == 0
    assert (await other.cache.get("playlist:s1"))["name"] == "Focus"
    assert await statements(other) == before
    await one.update("counter", "a", {"value": 1})
    assert await other.cache.get("counter:a") is None


async def test_of_very_many_rows_no_more_is_kept_than_there_is_room_for(open_program):
    one = await open_program(cache_max_size=50, cache_recheck=0.05)
    region = one.session.plans.of(support.CounterSchema).region
    for number in range(1_500):
        await one.get("counter", f"n{number}")
    assert len(region._entries) <= 50
    assert len(region._looks) <= 50
    assert len(one.session.cache._stamps) <= 60
    tier = one.session.cache.tier
    assert tier._next is None or len(tier._next.answers) < 50
    assert not tier.owes


async def test_a_write_is_acknowledged_and_told_of_only_after_redis_has_been(open_program):
    one = await open_program()
    heard, steps = [], []
    one.events.subscribe("database.**", lambda event: heard.append(event.event_type))
    tier = one.session.cache.tier
    drop = tier.drop

    async def watched(some):
        await asyncio.sleep(0.02)
        steps.append((list(heard), support.being_written(one) != []))
        await drop(some)
        steps.append("dropped")

    tier.drop = watched
    await one.save("counter", {"name": "a"})
    steps.append("acknowledged")
    await one.events.settle()
    assert steps == [([], True), "dropped", "acknowledged"]
    assert heard == ["database.counter.created"]
    assert support.being_written(one) == []


async def test_events_come_in_the_order_of_commits_though_redis_answers_in_another(open_program):
    one = await open_program()
    heard, tier = [], one.session.cache.tier
    one.events.subscribe("database.**", lambda event: heard.append(event.event_type))
    drop, waits = tier.drop, iter([0.05, 0.02, 0.0])

    async def slower_first(some):
        await asyncio.sleep(next(waits))
        await drop(some)

    tier.drop = slower_first
    row = {"name": "a"}
    await asyncio.gather(one.save("counter", row), one.update("counter", "a", {"value": 1}), one.delete("counter", "a"))
    await one.events.settle()
    assert heard == [f"database.counter.{what}" for what in ("created", "updated", "deleted")]


@pytest.mark.parametrize("in_block", [False, True])
async def test_a_cancelled_writer_leaves_only_after_redis_has_been_told(open_program, in_block):
    one, other = await open_program(), await open_program(cache_recheck=0)
    await rows(one)
    assert (await other.get("counter", "a"))["value"] == 0
    tier, dropping, go = one.session.cache.tier, asyncio.Event(), asyncio.Event()
    drop = tier.drop

    async def held(some):
        dropping.set()
        await go.wait()
        await drop(some)

    tier.drop = held

    async def write():
        if not in_block:
            await one.update("counter", "a", {"value": 1})
            return
        async with one.transaction() as tx:
            await tx.update("counter", "a", {"value": 1})

    writing = asyncio.create_task(write())
    await within(5, dropping.wait())
    writing.cancel()
    await asyncio.sleep(0.02)
    assert not writing.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await within(5, writing)
    assert (await other.get("counter", "a"))["value"] == 1
    assert support.being_written(one) == []


async def test_while_redis_is_told_of_a_write_readers_here_see_it_and_keep_nothing(open_program):
    one = await open_program()
    await rows(one)
    await one.get("counter", "a")
    tier, dropping, go = one.session.cache.tier, asyncio.Event(), asyncio.Event()
    drop = tier.drop

    async def held(some):
        dropping.set()
        await go.wait()
        await drop(some)

    tier.drop = held
    writing = asyncio.create_task(one.update("counter", "a", {"value": 1}))
    await within(5, dropping.wait())
    for _ in range(2):
        assert (await one.get("counter", "a"))["value"] == 1
        assert (await one.query("counter"))[0]["value"] == 1
    assert len(one.session.plans.of(support.CounterSchema).region) == 1  # the entry that is void
    go.set()
    await within(5, writing)


@pytest.mark.sqlite_only
async def test_what_a_program_without_redis_writes_to_the_file_is_seen_within_the_recheck(open_program, open_database):
    one, other, third = await open_program(cache_recheck=0), await open_program(cache_recheck=0), await open_database()
    await rows(one)
    for db in (one, other):
        await db.get("counter", "a")
    await third.update("counter", "a", {"value": 1})
    assert (await one.get("counter", "a"))["value"] == 1
    outside(third, "UPDATE counters SET value = 2")
    assert (await other.get("counter", "a"))["value"] == 2
    assert (await one.get("counter", "a"))["value"] == 2


@pytest.mark.sqlite_only
async def test_what_was_written_while_no_program_looked_is_seen_by_the_next(open_program):
    one = await open_program()
    await rows(one)
    await one.get("counter", "a")
    await kept(one)
    await one.close()
    outside(one, "UPDATE counters SET value = 7")
    other = await open_program()
    assert (await other.get("counter", "a"))["value"] == 7


async def test_a_program_on_another_database_shares_nothing(open_program):
    one = await open_program()
    identity = one.session.engine.identity

    async def another():
        return "another " + await identity()

    await rows(one)
    await one.get("counter", "a")
    await kept(one)
    other = await open_program()
    await other.session.cache.tier.close()
    other.session.engine.identity = another
    await other.session.cache.open(another)
    before = await statements(other)
    await other.get("counter", "a")
    assert await statements(other) == before + 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (1, True),
        (1, 1.0),
        (None, "None"),
        (b"a", "a"),
        ("a,'b", ("a", "b")),
        (UUID(int=1), 1),
        ((1, (2,)), (1, 2)),
    ],
)
def test_values_that_differ_have_different_names(one, other):
    assert names.answer_name(b"", "sql", (one,)) != names.answer_name(b"", "sql", (other,))
    assert names.answer_name(b"", "sql", ("a", "b")) != names.answer_name(b"", "sql", ("a,b",))


def test_a_key_that_has_no_name_drops_all_rows_of_its_table():
    class Odd(str):
        __slots__ = ()

    whole = names.touched_names([tags.bulk("t"), tags.table("t")])
    assert names.touched_names([tags.row("t", (Odd("odd"),)), tags.row("t", ("b",))]) >= whole
    assert names.touched_names([tags.row("t", (str(number),)) for number in range(1_001)]) == whole
    assert names.touched_names([tags.row("t", ("a",))]).isdisjoint(whole)
    with pytest.raises(TypeError):
        names.stamp_names([tags.row("t", (Odd("never asked for"),))])


def test_a_name_is_made_of_the_same_bytes_by_every_version_of_python():
    # Which characters Python prints, and which it escapes, is not the same in all of them: this one is of 2023.
    assert names.stamp_names([tags.row("t", ("é\U0001fae8\ud800", 1))]) == (
        b"sda08535dc5942ff12d56f154979f7f26",
        b"s9e68654bbd97d89e79d4cac897e2e565",
    )
    assert names.answer_name(b"s", "SELECT ?", ("é\U0001fae8", b"x", None)) == b"ve56ba7ff6f6f17050801870704a75de9"


def test_a_stamp_has_the_same_name_in_every_process():
    program = (
        "from soulspot_db.cache import names, tags; from uuid import UUID;"
        "print(names.stamp_names([tags.row('t', (UUID(int=7), 'x', 3)), tags.bulk('t'), tags.table('t')]))"
    )
    asked = [tags.row("t", (UUID(int=7), "x", 3)), tags.bulk("t"), tags.table("t")]
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == str(names.stamp_names(asked))


def test_without_it_nothing_of_redis_is_imported(tmp_path):
    program = (
        "import asyncio, sys; from soulspot_db import Database, DatabaseSettings\n"
        "async def main():\n"
        "    async with Database(DatabaseSettings(database_path='x.db', _env_file=None)) as db: await db.stats()\n"
        "asyncio.run(main())\n"
        "print([name for name in ('redis', 'hiredis', 'msgpack', 'soulspot_db.cache.redis',"
        " 'soulspot_db.cache.tier', 'soulspot_db.cache.shared') if name in sys.modules])"
    )
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(("CACHE", "DATABASE"))}
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
