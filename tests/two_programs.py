"""Two programs beside each other on one database and one Redis, at every point of each other's way; and mistakes to plant.

Each scene is a coroutine function of a `Pair`; its name says what it shows.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any
from unittest import mock

import planted
import support
from proxy import Proxy
from redis_servers import RedisServer
from soulspot_db import Database
from soulspot_db.cache.cache import Cache
from soulspot_db.cache.redis import RedisConnection
from soulspot_db.cache.shared import SharedRegion
from soulspot_db.cache.stamps import Moment
from soulspot_db.cache.tier import SecondTier
from soulspot_db.sessions.commit import Commit
from soulspot_db.sessions.session import Session
from support import until, within

__all__ = ["MISTAKES", "SCENES", "Pair"]

SCENES: dict[str, Callable[["Pair"], Awaitable[None]]] = {}


def scene(function: Callable[["Pair"], Awaitable[None]]) -> Callable[["Pair"], Awaitable[None]]:
    SCENES[function.__name__] = function
    return function


class _UndoneError(Exception):
    pass


class Pair:
    """`one` writes, `other` reads, and looks at stamps before every read; both by a `way` to the `server` that can fail."""

    def __init__(self, open_program: Callable[..., Awaitable[Database]], server: RedisServer, way: Proxy) -> None:
        self.open_program = open_program
        self.server = server
        self.way = way
        self.one: Any = None
        self.other: Any = None

    async def open(self) -> None:
        self.one = await self.open_program(cache_recheck=3600)
        self.other = await self.open_program(cache_recheck=0)
        await self.one.save_many("counter", [{"name": "a"}, {"name": "b"}])
        await self.one.save("playlist", {"name": "Focus", "spotify_id": "s1"})

    async def value(self, db: Database, *, fresh: bool = False) -> int:
        return (await within(5, db.get("counter", "a", fresh=fresh)))["value"]

    async def write(self, value: int = 1) -> None:
        await within(5, self.one.update("counter", "a", {"value": value}))

    async def kept(self, db: Database) -> None:
        """Wait until what was read last is in Redis."""
        await db.session.cache.tier.size()

    async def settled(self, *programs: Database) -> None:
        """Wait until programs trust Redis again, and owe it nothing."""
        for db in programs:
            tier = db.session.cache.tier
            await until(lambda tier=tier: tier.is_up and not tier.owes and tier._return is None)

    @asynccontextmanager
    async def loading(self, read: Awaitable[Any]) -> AsyncIterator["asyncio.Task[Any]"]:
        """Within the block, the other one has read the database, and not yet kept what it found."""
        engine, reached, go = self.other.session.engine, asyncio.Event(), asyncio.Event()
        ask = engine.read

        async def held(statement: Any, trace: Any = None) -> Any:
            engine.read = ask
            rows = await ask(statement, trace)
            reached.set()
            await go.wait()
            return rows

        engine.read = held
        task = asyncio.ensure_future(read)
        await within(5, reached.wait())
        yield task
        go.set()
        await within(5, task)

    @asynccontextmanager
    async def writing(self, owner: Any, name: str, write: Awaitable[Any]) -> AsyncIterator[None]:
        """Within the block, a write of the one is held before this method is called, which is a step of its way."""
        real, reached, go = getattr(owner, name), asyncio.Event(), asyncio.Event()

        async def held(*args: Any) -> Any:
            setattr(owner, name, real)
            reached.set()
            await go.wait()
            return await real(*args)

        setattr(owner, name, held)
        task = asyncio.ensure_future(write)
        await within(5, reached.wait())
        yield
        go.set()
        await within(5, task)


@scene
async def a_load_that_a_write_of_another_program_overtakes_is_kept_by_nobody(pair: Pair) -> None:
    async with pair.loading(pair.other.get("counter", "a")):
        await pair.write()
    await pair.kept(pair.other)
    assert await pair.value(pair.other) == 1
    third = await pair.open_program()
    assert await pair.value(third) == 1


@scene
async def nobody_joins_a_load_from_before_a_write_of_another_program(pair: Pair) -> None:
    async with pair.loading(pair.other.query("counter", {"name": "a"})):
        await pair.write()
        assert (await within(5, pair.other.query("counter", {"name": "a"})))[0]["value"] == 1


@scene
async def an_old_answer_does_not_come_back_when_new_ones_are_kept(pair: Pair) -> None:
    assert await pair.value(pair.other) == 0
    await pair.write()
    assert await pair.value(pair.one) == 1
    await pair.kept(pair.one)
    assert await pair.value(pair.other) == 1


@scene
async def what_is_read_while_a_write_waits_is_not_kept_beyond_it(pair: Pair) -> None:
    async with pair.writing(pair.one.session.engine, "write", pair.write()):
        assert await pair.value(pair.other) == 0
    assert await pair.value(pair.other) == 1


@scene
async def what_a_transaction_reads_is_seen_by_nobody_if_it_is_undone(pair: Pair) -> None:
    with suppress(_UndoneError):
        async with pair.one.transaction() as tx:
            await tx.update("counter", "a", {"value": 5})
            assert (await tx.get("counter", "a"))["value"] == 5
            raise _UndoneError
    assert [await pair.value(pair.one), await pair.value(pair.other)] == [0, 0]


@scene
async def what_a_kept_savepoint_has_written_is_seen_by_the_other_one(pair: Pair) -> None:
    assert await pair.value(pair.other) == 0
    async with pair.one.transaction() as tx, tx.transaction():
        await tx.update("counter", "a", {"value": 1})
    assert await pair.value(pair.other) == 1


@scene
async def while_stamps_are_dropped_nobody_takes_the_old_answer_from_redis(pair: Pair) -> None:
    assert await pair.value(pair.one) == 0
    await pair.kept(pair.one)
    async with pair.writing(pair.one.session.cache.tier, "drop", pair.write()):
        await pair.value(pair.one)
    assert await pair.value(pair.one) == 1


@scene
async def a_write_is_seen_by_the_other_ones_next_read(pair: Pair) -> None:
    for value in (1, 2):
        assert await pair.value(pair.other) == value - 1
        await pair.write(value)
        assert await pair.value(pair.other) == value


@scene
async def a_write_is_acknowledged_only_after_its_stamps_are_dropped(pair: Pair) -> None:
    tier = pair.one.session.cache.tier
    drop = tier.drop

    async def slow(names: Any) -> None:
        await asyncio.sleep(0.05)
        await drop(names)

    tier.drop = slow
    assert await pair.value(pair.other) == 0
    await pair.write()
    assert await pair.value(pair.other) == 1
    assert await pair.value(pair.other) == 1
    async with pair.one.transaction() as tx:
        await tx.update("counter", "a", {"value": 2})
    assert await pair.value(pair.other) == 2


@scene
async def a_unique_value_that_goes_to_another_row_during_the_load_is_found_there(pair: Pair) -> None:
    async with pair.loading(pair.other.get("playlist", "s1")):
        await pair.one.update("playlist", "s1", {"spotify_id": None})
        await pair.one.save("playlist", {"name": "Other", "spotify_id": "s1"})
    assert (await pair.other.get("playlist", "s1"))["name"] == "Other"


@scene
async def what_redis_was_not_told_of_is_dropped_before_it_is_asked_again(pair: Pair) -> None:
    assert await pair.value(pair.other) == 0
    await pair.kept(pair.other)
    pair.way.refuse()
    await pair.write()
    assert await pair.value(pair.one) == 1
    pair.way.accept()
    await pair.settled(pair.one, pair.other)
    third = await pair.open_program()
    assert [await pair.value(pair.one), await pair.value(third)] == [1, 1]
    assert await pair.value(pair.other) == 1


@scene
async def what_redis_had_saved_before_a_write_is_not_found_after_it_was_started_again(pair: Pair) -> None:
    assert await pair.value(pair.other) == 0
    await pair.kept(pair.other)
    pair.server.ask("SAVE")
    await pair.write()
    pair.server.restart()
    await until(lambda: pair.server.ask("PING") == b"+PONG\r\n")
    third = await pair.open_program()
    assert await pair.value(third) == 1
    assert await pair.value(pair.one) == 1


@scene
async def nothing_in_memory_is_believed_while_nobody_can_look(pair: Pair) -> None:
    assert await pair.value(pair.other) == 0
    pair.way.refuse()
    support.outside(pair.one, "UPDATE counters SET value = 7")
    assert await pair.value(pair.other) == 7


# Mistakes.


def _delete_only() -> AbstractContextManager[Any]:
    """What is kept is deleted; its stamps stay as they are."""

    async def drop(self: SecondTier, _names: Any) -> None:
        connection: Any = self._connection
        for key in (await connection._answers([("KEYS", connection._prefix + b"v*")]))[0]:
            await connection._answers([("DEL", key)])

    return mock.patch.object(SecondTier, "drop", drop)


def _early_clear() -> AbstractContextManager[Any]:
    drop = "self.dropping = self._cache.drop("
    clear = "self._cache.clear_dirty(self._dirty); self._dirty = (); "
    return planted.replaced(Commit, "__call__", (drop, clear + drop))


_UNCHANGED = "all(stamps[name] == stamp for name, stamp in zip(basis.names, basis.stamps, strict=True))"
_ASSUMED = (
    "known = {n: s for b in bases.values() for n, s in zip(b.names, b.stamps)}; found = [known[n] for n in names]"
)

# By name: the mistake, and a scene that finds it.
MISTAKES: dict[str, tuple[planted.Mistake, str]] = {
    "delete-only invalidation": (
        _delete_only,
        "a_load_that_a_write_of_another_program_overtakes_is_kept_by_nobody",
    ),
    "stamps noted after the database was read": (
        lambda: planted.replaced(
            SharedRegion,
            "read",
            ("await self._fill(question, basis,", "await self._fill(question, await self._noted(names),"),
        ),
        "a_load_that_a_write_of_another_program_overtakes_is_kept_by_nobody",
    ),
    "a load in flight not forgotten": (
        lambda: planted.replaced(SharedRegion, "read", ("(key, moment.generation, basis.stamps)", "(key, 0)")),
        "nobody_joins_a_load_from_before_a_write_of_another_program",
    ),
    "a counter with eviction": (
        lambda: planted.replaced(RedisConnection, "run", ("secrets.token_bytes(16)", "b'0'")),
        "an_old_answer_does_not_come_back_when_new_ones_are_kept",
    ),
    "invalidation before COMMIT": (
        planted.invalidation_before_commit,
        "what_is_read_while_a_write_waits_is_not_kept_beyond_it",
    ),
    "reads in a transaction kept": (
        lambda: planted.caching_inside_a_transaction(answers=False, fills=True),
        "what_a_transaction_reads_is_seen_by_nobody_if_it_is_undone",
    ),
    "a kept savepoint's tags dropped": (
        planted.a_kept_savepoint_forgets_its_tags,
        "what_a_kept_savepoint_has_written_is_seen_by_the_other_one",
    ),
    "dirty cleared before the stamps are dropped": (
        _early_clear,
        "while_stamps_are_dropped_nobody_takes_the_old_answer_from_redis",
    ),
    "a re-check against the stamps of the moment": (
        lambda: planted.replaced(SharedRegion, "_look_again", (_UNCHANGED, "True")),
        "a_write_is_seen_by_the_other_ones_next_read",
    ),
    "entries that are never due": (
        lambda: planted.replaced(
            SharedRegion, "_put", ("min(basis.expires, basis.looked + self._recheck)", "basis.expires")
        ),
        "a_write_is_seen_by_the_other_ones_next_read",
    ),
    "nothing dropped": (
        lambda: planted.replaced(
            Cache, "_dropped", ("await tier.drop([EVERYTHING] if tags is None else touched_names(tags))", "pass")
        ),
        "a_write_is_seen_by_the_other_ones_next_read",
    ),
    "a write acknowledged before its stamps are dropped": (
        lambda: planted.replaced(Session, "write", ("await settled(commit.dropping)", "pass")),
        "a_write_is_acknowledged_only_after_its_stamps_are_dropped",
    ),
    "a block acknowledged before its stamps are dropped": (
        lambda: planted.replaced(planted.TransactionSession, "_commit", ("await settled(commit.dropping)", "pass")),
        "a_write_is_acknowledged_only_after_its_stamps_are_dropped",
    ),
    "the stamps of fewer tags noted without a look at the others": (
        lambda: planted.replaced(SharedRegion, "_narrowed", (" or tuple(stamps[len(names) :]) != wide.stamps", "")),
        "a_unique_value_that_goes_to_another_row_during_the_load_is_found_there",
    ),
    "what could not be dropped is forgotten": (
        lambda: mock.patch.object(SecondTier, "owe"),
        "what_redis_was_not_told_of_is_dropped_before_it_is_asked_again",
    ),
    "the run of Redis not part of its keys": (
        lambda: planted.replaced(RedisConnection, "_connect", ("{told['run_id']}", "always")),
        "what_redis_had_saved_before_a_write_is_not_found_after_it_was_started_again",
    ),
    "entries believed while nobody can look": (
        lambda: planted.replaced(SharedRegion, "_look_again", ("return\n", _ASSUMED + "\n")),
        "nothing_in_memory_is_believed_while_nobody_can_look",
    ),
    "a load kept though a write overtook it": (
        lambda: mock.patch.object(Moment, "lasts", return_value=True),
        "while_stamps_are_dropped_nobody_takes_the_old_answer_from_redis",
    ),
}
