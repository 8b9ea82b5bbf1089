"""Interleavings of reads and writes, one by one: what is held where, and what must be answered then.

Each is a coroutine function of a `Stage`; its name says what it shows.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, TypeAlias

import support
from model import IDS, Op, TrackSchema
from programs import perform, total_hits
from soulspot_db import CommitOutcomeUnknownError, Database, QueryTimeoutError
from soulspot_db.cache.question import row_question
from soulspot_db.cache.region import MISS
from soulspot_db.engine.base import Outcome, Statement
from support import within

__all__ = ["INTERLEAVINGS", "Stage", "play"]

Scene: TypeAlias = Callable[["Stage"], Awaitable[None]]
INTERLEAVINGS: dict[str, Scene] = {}
_BESIDE_OTHERS: set[str] = set()
A, B = IDS


def interleaving(scene: Scene) -> Scene:
    INTERLEAVINGS[scene.__name__] = scene
    return scene


def beside_others(scene: Scene) -> Scene:
    """One in which every read looks whether others have written."""
    _BESIDE_OTHERS.add(scene.__name__)
    return interleaving(scene)


class Hold:
    """A place where somebody waits: reached by them, passed once somebody says so, and by a COMMIT with this error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.reached = asyncio.Event()
        self._may_pass = asyncio.Event()

    async def here(self) -> None:
        self.reached.set()
        await self._may_pass.wait()

    def release(self) -> None:
        self._may_pass.set()


class _UndoneError(Exception):
    pass


class Stage:
    """A database whose loads can be held before or after they have read, and whose COMMITs before anybody hears of them."""

    def __init__(self, db: Database, open_another: Callable[[], Awaitable[Database]]) -> None:
        self.db = db
        self.open_another = open_another
        self.heard: list[tuple[str, str]] = []
        self._reads: list[tuple[str, Hold]] = []
        self._commits: list[Hold] = []
        self._install(db.session.engine)
        db.events.subscribe("database.**", lambda event: self.heard.append((event.event_type, event.data["entity_id"])))

    def _install(self, engine: Any) -> None:
        real_read, real_write, real_begin = engine.read, engine.write, engine.begin
        real_read_now = engine.read_now

        def read_now(statement: Any, trace: Any = None) -> Any:
            return None if self._reads else real_read_now(statement)  # what is to be held goes to a lane

        async def read(statement: Any, trace: Any = None) -> Any:
            when, hold = self._reads.pop(0) if self._reads else ("", None)
            if hold is not None and when == "before":
                await hold.here()
            rows = await real_read(statement)
            if hold is not None and when == "after":
                await hold.here()
            return rows

        async def told_late(commit: Callable[..., Awaitable[Any]], finish: Any) -> Any:
            if not self._commits:
                return await commit(finish)
            hold = self._commits.pop(0)
            outcome = await commit(lambda outcome: outcome)
            await hold.here()
            return finish(outcome if hold.error is None else Outcome(error=hold.error))

        async def write(statements: Any, finish: Any, tags: Any = (), trace: Any = None) -> Any:
            return await told_late(lambda finish: real_write(statements, finish, tags), finish)

        async def begin(**how: Any) -> Any:
            lease = await real_begin(**how)
            real_commit = lease.commit
            lease.commit = lambda finish, tags, trace=None: told_late(lambda finish: real_commit(finish, tags), finish)
            return lease

        engine.read, engine.write, engine.begin, engine.read_now = read, write, begin, read_now

    @asynccontextmanager
    async def loading(self, op: Op, when: str = "after") -> AsyncIterator[asyncio.Task[Any]]:
        """Within the block, the load of this read is held."""
        hold = Hold()
        self._reads.append((when, hold))
        task = asyncio.create_task(perform(self.db, op))
        await within(5, hold.reached.wait())
        yield task
        hold.release()
        await within(5, task)

    @asynccontextmanager
    async def committing(self, what: Awaitable[Any], error: Exception | None = None) -> AsyncIterator[None]:
        """Within the block, `what` has been committed in the file, and nobody has been told; then they are told of `error`."""
        hold = Hold(error)
        self._commits.append(hold)
        task = asyncio.ensure_future(what)
        await within(5, hold.reached.wait())
        yield
        hold.release()
        await asyncio.wait({task}, timeout=5)
        assert (task.exception() is None) is (error is None)

    @asynccontextmanager
    async def waiting(self, what: Awaitable[Any]) -> AsyncIterator[None]:
        """Within the block, `what` waits for its turn to write, and nothing of it is in the file."""
        with closing(sqlite3.connect(self.db.settings.database_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.ensure_future(what)
            await support.until(lambda: self.db._engine.connections().active)
            yield
        await within(5, task)

    async def ask(self, kind: str, entity: str, what: Any, *, fresh: bool = False) -> Any:
        return await within(2, perform(self.db, Op(kind, entity, what, fresh=fresh)))

    async def position(self, name: str = "a", *, fresh: bool = False) -> int | None:
        found = await self.ask("get", "track", name, fresh=fresh)
        return found and found["position"]

    async def is_kept(self, kind: str, entity: str, what: Any) -> bool:
        """Whether the answer can be had without the database."""
        hits = total_hits(self.db)
        await self.ask(kind, entity, what)
        return total_hits(self.db) > hits

    async def save(self, entity: str, *rows: dict[str, Any]) -> None:
        await self.db.save_many(entity, list(rows))

    async def move(self, position: int, name: str = "a") -> None:
        await self.db.update("track", name, {"position": position})


async def play(name: str, path: Path, *, inline: bool = True, patience: float = 10) -> None:
    """Play one on the file at `path`, which has the tables of the model and no rows.

    Args:
        inline: rows are read on the loop.
        patience: seconds that closing may take.
    """
    opened: list[Database] = []
    recheck = 0 if name in _BESIDE_OTHERS else 3600

    async def open_one() -> Database:
        opened.append(
            await Database(
                support.settings(path, cache_recheck=recheck, connection_pool_size=3, inline_reads=inline)
            ).open()
        )
        return opened[-1]

    try:
        await within(20, INTERLEAVINGS[name](Stage(await open_one(), open_one)))
    finally:
        for db in opened:
            await within(patience, db.close())


# A load that is overtaken by a write. The same for every kind of question, each of which has its own way to the cache.

ASKED = {
    "row": Op("get", "track", "a"),
    "rows": Op("get_many", "track", ["a", "b"]),
    "query": Op("query", "track", {"position": 1}),
    "count": Op("count", "track", {"position": 1}),
    "existence": Op("exists", "track", {"position": 1}),
    "natural_key": Op("get", "album", "x"),
    "row_by_its_id": Op("get_row", "album", A),
    "unique_value": Op("get_by", "album", "x"),
}


async def _set_to(stage: Stage, number: int) -> None:
    await stage.db.update_where("track", {"name": "a"}, {"position": number})
    await stage.db.update("album", A, {"rating": number})


async def _rows(stage: Stage) -> None:
    await stage.save("album", {"id": A, "code": "x"})
    await stage.save("track", {"name": "a"}, {"name": "b"})


async def _asked(stage: Stage, question: Op) -> Any:
    return await within(2, perform(stage.db, question))


def _overtaken(name: str, question: Op) -> None:
    async def not_kept(stage: Stage) -> None:
        await _rows(stage)
        async with stage.loading(question) as reading:
            await _set_to(stage, 1)
        new = await _asked(stage, question)
        assert new != reading.result()
        assert new == await _asked(stage, question._replace(fresh=True))

    async def not_joined(stage: Stage) -> None:
        await _rows(stage)
        async with stage.loading(question) as reading:
            await _set_to(stage, 1)
            new = await _asked(stage, question)
            assert new == await _asked(stage, question._replace(fresh=True))
        assert reading.result() != new

    async def not_kept_if_it_began_while_the_write_waited(stage: Stage) -> None:
        await _rows(stage)
        async with AsyncExitStack() as stack, stage.waiting(_set_to(stage, 1)):
            reading = await stack.enter_async_context(stage.loading(question))
        new = await _asked(stage, question)
        assert new != reading.result()
        assert new == await _asked(stage, question._replace(fresh=True))

    for scene in (not_kept, not_joined, not_kept_if_it_began_while_the_write_waited):
        scene.__name__ = f"a_load_that_a_write_overtakes_is_{scene.__name__}_{name}"
        interleaving(scene)


for _name, _question in ASKED.items():
    _overtaken(_name, _question)


# Around the COMMIT.


@interleaving
async def once_somebody_has_seen_a_commit_nobody_sees_what_was_before_it(stage: Stage) -> None:
    await _rows(stage)
    assert await stage.position() == 0
    assert await stage.ask("count", "track", {"position": 1}) == 0
    async with stage.committing(stage.move(1)):
        assert await stage.position(fresh=True) == 1
        assert await stage.position() == 1
        assert await stage.ask("count", "track", {"position": 1}) == 1
    assert await stage.position() == 1


@interleaving
async def once_somebody_has_seen_a_commit_no_turn_of_the_loop_shows_what_was_before_it(stage: Stage) -> None:
    await _rows(stage)
    region = stage.db.session.plans.of(TrackSchema).region
    is_over, seen = asyncio.Event(), []

    async def watch() -> None:
        while not is_over.is_set():
            found = region.peek(row_question(("a",)))  # what there is at once: a load would take many turns
            seen.append(None if found is MISS else found.position)
            await asyncio.sleep(0)

    assert await stage.position() == 0
    watching = asyncio.create_task(watch())
    async with stage.committing(stage.move(1)):
        assert await stage.position(fresh=True) == 1
        assert 0 in seen
        seen.clear()
    assert await stage.position() == 1
    await asyncio.sleep(0)
    is_over.set()
    await within(5, watching)
    assert None in seen
    assert 0 not in seen


@interleaving
async def what_is_asked_during_a_commit_is_kept_after_it_and_not_before(stage: Stage) -> None:
    await _rows(stage)
    async with stage.committing(stage.move(1)):
        await stage.position()
        assert not await stage.is_kept("get", "track", "a")
        assert not await stage.is_kept("query", "track", {})
        await stage.position("b")
        assert await stage.is_kept("get", "track", "b")
    await stage.position()
    assert await stage.is_kept("get", "track", "a")


@interleaving
async def a_commit_of_a_transaction_is_seen_like_that_of_one_write(stage: Stage) -> None:
    await _rows(stage)

    async def work() -> None:
        async with stage.db.transaction() as tx:
            await tx.update("track", "a", {"position": 1})

    assert await stage.position() == 0
    async with stage.committing(work()):
        assert await stage.position(fresh=True) == 1
        assert await stage.position() == 1
    assert await stage.position() == 1


@interleaving
async def a_commit_whose_outcome_nobody_knows_is_looked_up(stage: Stage) -> None:
    await _rows(stage)
    assert await stage.position() == 0
    assert await stage.ask("count", "track", {"position": 1}) == 0
    async with stage.committing(stage.move(1), CommitOutcomeUnknownError("the disk failed")):
        pass
    assert await stage.position() == 1
    assert await stage.ask("count", "track", {"position": 1}) == 1
    assert await stage.is_kept("get", "track", "a")


@interleaving
async def a_fresh_read_joins_no_load_that_has_begun(stage: Stage) -> None:
    await _rows(stage)
    async with stage.loading(Op("get", "track", "a")) as reading:
        support.outside(stage.db, "UPDATE tracks SET position = 1")
        assert await stage.position(fresh=True) == 1
    assert reading.result()["position"] == 0


@interleaving
async def nobody_hears_of_a_write_before_it_can_be_read(stage: Stage) -> None:
    await _rows(stage)
    await stage.db.events.settle()
    stage.heard.clear()
    async with stage.committing(stage.move(1)):
        await stage.db.events.settle()
        assert not stage.heard
    await stage.db.events.settle()
    assert stage.heard == [("database.track.updated", "a")]


@interleaving
async def a_row_written_by_two_is_dirty_until_both_commits_are_known(stage: Stage) -> None:
    await _rows(stage)
    async with stage.committing(stage.move(1)):
        async with stage.committing(stage.move(2)):
            assert await stage.position() == 2
        assert await stage.position() == 2
        assert not await stage.is_kept("get", "track", "a")
    assert await stage.position() == 2
    assert await stage.is_kept("get", "track", "a")


@interleaving
async def a_write_that_is_refused_during_a_load_leaves_the_load_to_be_kept(stage: Stage) -> None:
    await _rows(stage)
    async with stage.loading(Op("get", "track", "a")) as reading:
        assert await stage.ask("save", "track", {"name": "a"}) == "refused"
    assert reading.result()["position"] == 0
    assert await stage.is_kept("get", "track", "a")


@interleaving
async def of_many_rows_that_are_loaded_while_one_is_written_the_others_are_kept(stage: Stage) -> None:
    await _rows(stage)
    async with stage.loading(Op("get_many", "track", ["a", "b", "c"])):
        await stage.move(1)
    assert await stage.is_kept("get", "track", "b")
    assert await stage.is_kept("get", "track", "c")
    assert not await stage.is_kept("get", "track", "a")
    assert await stage.position() == 1


@interleaving
async def an_entry_from_before_a_write_is_not_revived_by_whatever_is_asked_since(stage: Stage) -> None:
    await _rows(stage)
    for position in (1, 2):
        for number in range(50):
            await stage.position(f"n{number}", fresh=True)
        assert await stage.position() == position - 1
        await stage.move(position)
        for number in range(50):
            await stage.position(f"n{number}", fresh=True)
        assert await stage.position() == position


@interleaving
async def of_very_many_rows_written_at_once_each_is_seen(stage: Stage) -> None:
    names = [f"n{number}" for number in range(1_001)]
    assert await stage.position("n7") is None
    await stage.save("track", *({"name": name} for name in names))
    assert await stage.position("n7") == 0
    await stage.db.update_where("track", {"position": 0}, {"position": 1})
    assert await stage.position("n7") == 1
    await stage.db.delete_where("track", {"position": 1})
    assert await stage.position("n7") is None


# Transactions.


@interleaving
async def a_transaction_sees_what_it_has_written_and_nobody_else_does(stage: Stage) -> None:
    await _rows(stage)
    assert await stage.position() == 0
    outside = asyncio.Event()
    seen: list[int | None] = []

    async def another() -> None:
        await outside.wait()
        seen.extend([await stage.position(), await stage.position(fresh=True), await stage.position()])

    task = asyncio.create_task(another())
    with suppress(_UndoneError):
        async with stage.db.transaction() as tx:
            await tx.update("track", "a", {"position": 5})
            assert await stage.position() == 5
            assert (await tx.query("track", {"position": 5}))[0]["name"] == "a"
            outside.set()
            await within(5, task)
            assert seen == [0, 0, 0]
            assert await stage.position() == 5
            raise _UndoneError
    assert await stage.position() == 0
    assert await stage.ask("query", "track", {"position": 5}) == []


@interleaving
async def what_a_transaction_reads_is_not_kept_for_others(stage: Stage) -> None:
    await _rows(stage)
    with suppress(_UndoneError):
        async with stage.db.transaction() as tx:
            await tx.save("track", {"name": "c"})
            assert await tx.get("track", "c") is not None
            assert await stage.ask("get_many", "track", ["c"]) != [None]
            assert await tx.count("track") == 3
            raise _UndoneError
    assert await stage.position("c") is None
    assert await stage.ask("count", "track", {}) == 2


@interleaving
async def a_savepoint_rolled_back_between_two_reads_changes_neither(stage: Stage) -> None:
    await _rows(stage)
    read, go_on = asyncio.Event(), asyncio.Event()
    seen: list[int | None] = []

    async def another() -> None:
        await read.wait()
        seen.append(await stage.position())
        go_on.set()

    for round_ in range(2):
        read.clear()
        go_on.clear()
        task = asyncio.create_task(another())
        async with stage.db.transaction() as tx:
            with suppress(_UndoneError):
                async with tx.transaction():
                    await tx.update("track", "a", {"position": 5})
                    if round_ == 0:
                        read.set()
                        await within(5, go_on.wait())
                    raise _UndoneError
            read.set()
            await within(5, go_on.wait())
            await tx.update("track", "b", {"position": 1})
        await task
    assert seen == [0, 0]
    assert await stage.position() == 0
    await stage.db.events.settle()
    assert ("database.track.updated", "a") not in stage.heard


@interleaving
async def a_savepoint_that_is_rolled_back_leaves_what_was_written_before_it(stage: Stage) -> None:
    await _rows(stage)
    assert [await stage.position(), await stage.position("b")] == [0, 0]
    async with stage.db.transaction() as tx:
        await tx.update("track", "a", {"position": 1})
        with suppress(_UndoneError):
            async with tx.transaction():
                await tx.update("track", "b", {"position": 1})
                raise _UndoneError
    assert [await stage.position(), await stage.position("b")] == [1, 0]


@interleaving
async def a_savepoint_that_is_kept_is_seen_once_all_of_it_is_committed(stage: Stage) -> None:
    await _rows(stage)
    assert [await stage.position(), await stage.position("b")] == [0, 0]
    async with stage.db.transaction() as tx, tx.transaction():
        await tx.update("track", "a", {"position": 1})
        async with tx.transaction():
            await tx.update("track", "b", {"position": 2})
    assert [await stage.position(), await stage.position("b")] == [1, 2]


# Rows that are found by something else than their keys.


def _id(found: dict[str, Any] | None) -> str | None:
    return found and found["id"]


@interleaving
async def a_unique_value_that_goes_to_another_row_during_the_load_is_found_there(stage: Stage) -> None:
    await _rows(stage)
    for kind in ("get_by", "get"):
        async with stage.loading(Op(kind, "album", "x")):
            await stage.db.update("album", A, {"code": None})
            await stage.save("album", {"id": B, "code": "x"})
        assert _id(await stage.ask(kind, "album", "x")) == B
        await stage.db.delete("album", B)
        await stage.db.update("album", A, {"code": "x"})


@interleaving
async def a_unique_value_that_goes_to_another_row_later_is_found_there(stage: Stage) -> None:
    await _rows(stage)
    for kind in ("get_by", "get"):
        assert _id(await stage.ask(kind, "album", "x")) == A
    await stage.db.update("album", A, {"code": None})
    for kind in ("get_by", "get"):
        assert await stage.ask(kind, "album", "x") is None
    await stage.save("album", {"id": B, "code": "x"})
    for kind in ("get_by", "get"):
        assert _id(await stage.ask(kind, "album", "x")) == B


@interleaving
async def a_text_that_becomes_a_primary_key_means_that_row(stage: Stage) -> None:
    await stage.save("album", {"id": A, "code": B})
    assert _id(await stage.ask("get", "album", B)) == A
    assert await stage.is_kept("get", "album", B)
    await stage.save("album", {"id": B, "code": "x"})
    assert _id(await stage.ask("get", "album", B)) == B
    await stage.db.delete("album", B)
    assert _id(await stage.ask("get", "album", B)) == A


@interleaving
async def a_text_that_becomes_a_primary_key_during_the_load_means_that_row(stage: Stage) -> None:
    await stage.save("album", {"id": A, "code": B})
    async with stage.loading(Op("get", "album", B)) as reading:
        await stage.save("album", {"id": B})
    assert reading.result()["id"] == A
    assert _id(await stage.ask("get", "album", B)) == B


# Rows that are not there.


@interleaving
async def a_row_that_is_inserted_while_it_is_looked_for_is_found_from_then_on(stage: Stage) -> None:
    asked = [
        Op("get", "track", "a"),
        Op("get_many", "track", ["a"]),
        Op("query", "track", {}),
        Op("count", "track", {}),
    ]
    for question in asked:
        async with stage.loading(question) as reading:
            await stage.save("track", {"name": "a"})
        nothing = reading.result()
        assert nothing in (None, [None], [], 0)
        assert await _asked(stage, question) != nothing
        await stage.db.delete("track", "a")
        assert await _asked(stage, question) == nothing
        stage.db.session.cache.clear()  # or the next question would find its answer there


@interleaving
async def a_row_that_was_missed_is_found_once_it_is_inserted(stage: Stage) -> None:
    asked = [Op("get", "album", "x"), Op("get", "album", A), Op("get_by", "album", "x"), Op("get_row", "album", A)]
    for question in asked:
        assert await _asked(stage, question) is None
        assert await _asked(stage, question) is None
    await stage.save("album", {"id": A, "code": "x"})
    for question in asked:
        assert _id(await _asked(stage, question)) == A
    await stage.db.delete("album", "x")
    for question in asked:
        assert await _asked(stage, question) is None


@interleaving
async def a_row_deleted_with_its_parent_during_the_load_is_not_kept(stage: Stage) -> None:
    asked = [Op("get", "track", "a"), Op("get_many", "track", ["a"]), Op("count", "track", {"album_id": A})]
    for question in asked:
        await stage.save("album", {"id": A})
        await stage.save("track", {"name": "a", "album_id": A})
        async with stage.loading(question) as reading:
            await stage.db.delete("album", A)
        assert reading.result() not in (None, [None], 0)
        assert await _asked(stage, question) in (None, [None], 0)


@interleaving
async def a_row_deleted_with_its_parent_is_gone_from_the_cache(stage: Stage) -> None:
    await stage.save("album", {"id": A, "code": "x"})
    await stage.save("track", {"name": "a", "album_id": A})
    assert await stage.position() == 0
    assert await stage.ask("count", "track", {"album_id": A}) == 1
    await stage.db.delete_where("album", {"code": "x"})
    assert await stage.position() is None
    assert await stage.ask("count", "track", {"album_id": A}) == 0


# Other programs.


@beside_others
async def a_load_that_another_programs_commit_overtakes_is_not_believed_later(stage: Stage) -> None:
    await _rows(stage)
    other = await stage.open_another()
    async with stage.loading(Op("get", "track", "a")) as reading:
        await other.update("track", "a", {"position": 1})
        assert await stage.position() == 1
    assert reading.result()["position"] == 0
    assert await stage.position() == 1


@beside_others
async def what_another_program_has_committed_is_seen_by_the_next_read(stage: Stage) -> None:
    await _rows(stage)
    other = await stage.open_another()
    for position in (1, 2):
        assert await stage.position() == position - 1
        await other.update("track", "a", {"position": position})
        assert await stage.position() == position
        assert (await other.get("track", "a"))["position"] == position
    assert [row["position"] for row in await stage.ask("query", "track", {"name": "a"})] == [2]


@beside_others
async def what_another_program_has_committed_is_seen_beside_a_write_of_ours(stage: Stage) -> None:
    await _rows(stage)
    assert await stage.position() == 0
    other = await stage.open_another()
    await other.update("track", "a", {"position": 1})
    async with _at_work(stage.db):
        assert await stage.position() == 1


@beside_others
async def what_another_program_has_committed_is_seen_beside_a_transaction_of_ours(stage: Stage) -> None:
    await _rows(stage)
    assert await stage.position() == 0
    other = await stage.open_another()
    await other.update("track", "a", {"position": 1})
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with stage.db.transaction():
            begun.set()
            await go_on.wait()

    task = asyncio.create_task(hold())
    await within(5, begun.wait())
    assert await stage.position() == 1
    go_on.set()
    await within(5, task)


@beside_others
async def what_another_program_has_committed_is_seen_after_a_write_of_ours_was_stopped(stage: Stage) -> None:
    await _rows(stage)
    other = await stage.open_another()
    stage.db._engine._writer._query_timeout = 0.02
    endless = Statement(f"INSERT INTO tracks (name, position) SELECT 'endless', ({support.ENDLESS})")
    with suppress(QueryTimeoutError):
        await within(5, stage.db.session.engine.write([endless], lambda outcome: outcome.result()))
    assert await stage.position() == 0
    await other.update("track", "a", {"position": 1})
    assert await stage.position() == 1


_SLOW = (
    "INSERT INTO tracks (name, position) SELECT 'slow', count(*) FROM "
    "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000000) SELECT i FROM n)"
)


@asynccontextmanager
async def _at_work(db: Database) -> AsyncIterator[None]:
    """Within the block, a write of `db` has begun in the file and not come to its end."""
    task = asyncio.create_task(db.session.engine.write([Statement(_SLOW)], lambda outcome: outcome.result()))
    await support.until(lambda: db._engine._writer.is_exclusive)
    yield
    await within(10, task)
