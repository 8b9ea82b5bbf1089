"""Programs of concurrent tasks: made by Hypothesis, run on databases in one file, and judged by the model.

The order of COMMITs is taken from the runtime, and everything else from the model: what each write returned and published,
and of each read, whether its answer is that of one moment between its start and its end, and never of an earlier moment than
that of a read which had ended before it began.
"""

import asyncio
import itertools
import shutil
import sqlite3
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import support
from hypothesis import strategies as st
from model import (
    CODES,
    COLUMNS,
    IDS,
    NAMES,
    QUESTIONS,
    REFUSED,
    SCHEMAS,
    AlbumSchema,
    Op,
    State,
    answer,
    applied,
    empty,
)
from soulspot_db import (
    ConstraintViolationError,
    Database,
    EntityRegistry,
    QueryTimeoutError,
    Repository,
)
from soulspot_db.engine.base import Statement
from soulspot_db.sessions.operations import Effects, Write

__all__ = ["Program", "empty_file", "perform", "programs", "run", "total_hits"]

FIRST = {
    "album": [{"id": IDS[0], "code": "x", "rating": 0}],
    "track": [{"name": "a", "album_id": IDS[0], "position": 0}],
}
READS = frozenset({"get", "get_row", "get_many", "get_by", "query", "count", "exists"})
# Long enough for every statement of ours: only those of more than some thousand steps are looked at at all.
_QUERY_TIMEOUT = 0.02
_ENDLESS_WRITE = f"INSERT INTO tracks (name, position) SELECT 'endless', ({support.ENDLESS})"


class Nested(NamedTuple):
    """A savepoint: what is done in it, and whether it is kept."""

    items: tuple[Any, ...]
    kept: bool


class Block(NamedTuple):
    """A transaction, and how it ends: commit, raise or timeout; with `snapshot`, a read-only one."""

    items: tuple[Any, ...]
    ending: str
    snapshot: bool = False


class Endless(NamedTuple):
    """A statement that is stopped by its timeout: a read, or a write that others may share a COMMIT with."""

    writes: bool


class Cancelled(NamedTuple):
    """Something that is cancelled after so many turns of the event loop."""

    item: Any
    turns: int


class Step(NamedTuple):
    """Tasks that run at the same time: each has a database and does one thing after another. One database alone writes.

    Which databases have forgotten what they kept before it, and which are asked everything after it, makes a difference to
    what is found in the cache by this step and the next.
    """

    tasks: tuple[tuple[int, tuple[Any, ...]], ...]
    cold: frozenset[int]
    asked: frozenset[int]


class Program(NamedTuple):
    """Steps one after another, and what makes their races more likely.

    `holds` says of one load after another whether it waits for a commit, and how many turns of the loop longer: before it
    asks the database, after, or not at all.
    `late` says of one delivery of the writer after another for how many turns of the loop it is kept back.
    """

    databases: int
    steps: tuple[Step, ...]
    holds: tuple[tuple[str, int], ...]
    late: tuple[int, ...]


# Making programs.


def _made(kind: type[Any], *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*parts).map(lambda values: kind(*values))


def _op(kind: str, entity: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Op]:
    return _made(Op, st.just(kind), st.just(entity), *parts)


_ids, _codes, _names = st.sampled_from(IDS), st.sampled_from(CODES), st.sampled_from(NAMES)
_numbers, _texts = st.integers(0, 2), st.sampled_from((*IDS, "x"))
_albums = st.fixed_dictionaries({"id": _ids, "code": st.none() | _codes, "rating": _numbers})
_tracks = st.fixed_dictionaries({"name": _names, "album_id": st.none() | _ids, "position": _numbers})
_album_changes = st.sampled_from(
    [{"rating": 1}, {"rating": 2}, {"code": None}, *({"code": code, "rating": 0} for code in CODES)]
)
_track_changes = st.sampled_from([{"position": 1}, {"position": 2}, *({"album_id": key} for key in (None, *IDS))])
_album_filters = st.sampled_from([{"rating": 0}, {"rating": 1}, {"code": "x"}])
_track_filters = st.sampled_from([{"position": 0}, {"position": 1}, {"album_id": IDS[0]}])


def _mostly(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of several, each with a weight; `one_of` takes a choice that is given twice for one."""
    listed = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.integers(0, len(listed) - 1).flatmap(lambda position: listed[position])


def _several(items: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Nested]:
    return _made(Nested, _several(inner, 1, 3), st.booleans())


_WRITES: dict[str, st.SearchStrategy[Op]] = {
    "album": _mostly(
        (2, _op("save", "album", _albums)),
        (3, _op("update", "album", _texts, _album_changes)),
        (2, _op("delete", "album", _texts)),
        (1, _op("save_many", "album", st.lists(_albums, min_size=1, max_size=2))),
        (2, _op("update_where", "album", _album_filters, st.sampled_from([{"rating": 1}, {"rating": 2}]))),
        (1, _op("delete_where", "album", _album_filters)),
    ),
    "track": _mostly(
        (2, _op("save", "track", _tracks)),
        (3, _op("update", "track", _names, _track_changes)),
        (2, _op("delete", "track", _names)),
        (1, _op("save_many", "track", st.lists(_tracks, min_size=1, max_size=2))),
        (2, _op("update_where", "track", _track_filters, _track_changes)),
        (1, _op("delete_where", "track", _track_filters)),
    ),
}


class _Kinds(NamedTuple):
    """What a task may do."""

    read: st.SearchStrategy[Any]
    reading: st.SearchStrategy[Any]
    writing: st.SearchStrategy[Any]
    any: st.SearchStrategy[Any]


def _kinds(writes: st.SearchStrategy[Op], entities: Sequence[str]) -> _Kinds:
    asked = st.sampled_from([question for question in QUESTIONS if question.entity in entities])
    read = st.tuples(asked, st.sampled_from([False, False, False, True])).map(
        lambda found: found[0]._replace(fresh=found[1])
    )
    in_block = _mostly((2, writes), (1, read))
    endings = st.sampled_from(["commit", "commit", "commit", "commit", "raise", "raise", "timeout"])
    blocks = _made(
        Block,
        _several(_mostly((2, in_block), (1, _nested(_mostly((2, in_block), (1, _nested(in_block)))))), 1, 4),
        endings,
    )
    snapshots = _several(read, 2, 4).map(lambda reads: Block(reads, "commit", snapshot=True))
    reading = _mostly((6, read), (1, snapshots))
    writing = _mostly((3, writes), (2, blocks))
    turns = st.sampled_from([0, 1, 2, 3, 5, 10, 20, 40, 80, 160, 320])
    stopped = _made(Cancelled, writing | reading, turns)
    some = _mostly((8, writing), (6, reading), (4, stopped), (1, _made(Endless, st.booleans())))
    return _Kinds(read, reading, writing, some)


# A step is about one table or about both: where everything happens to few rows, most of it matters to the rest.
_KINDS = [
    _kinds(_WRITES["album"], ["album"]),
    _kinds(_WRITES["track"], ["track"]),
    _kinds(_mostly((1, _WRITES["album"]), (1, _WRITES["track"])), ["album", "track"]),
]


@st.composite
def _steps(draw: Any, databases: int) -> Step:
    kinds = draw(st.sampled_from(_KINDS))
    writer = draw(st.integers(0, databases - 1))
    some = st.frozensets(st.integers(0, databases - 1), min_size=draw(st.sampled_from([0, databases])))
    cold, asked = draw(some), draw(some)
    if draw(st.integers(0, 3)) == 0:
        return Step(((writer, draw(_several(kinds.any, 2, 5))),), cold, asked)
    again = st.tuples(kinds.read, st.lists(st.booleans(), min_size=2, max_size=5)).map(
        lambda found: tuple(found[0]._replace(fresh=fresh) for fresh in found[1])
    )
    items = _mostly((1, _several(kinds.reading, 2, 4)), (1, again))
    readers = draw(_several(st.tuples(st.integers(0, databases - 1), items), 2, 4))
    writers = draw(_several(st.tuples(st.just(writer), _several(kinds.any, 1, 2)), 1, 2))
    return Step((*readers, (writer, draw(_several(kinds.writing, 1, 2))), *writers), cold, asked)


@st.composite
def programs(draw: Any, *, databases: int | None = None, least: int = 3, most: int = 6) -> Program:
    """Programs of so many steps, on one or two databases."""
    number = databases or draw(st.sampled_from([1, 1, 2]))
    steps = draw(_several(_steps(number), least, most))
    places, longer = st.sampled_from(["no", "before", "after", "after"]), st.sampled_from([0, 3, 30, 100])
    holds = draw(_several(st.tuples(places, longer), 3, 5))
    late = draw(_several(st.sampled_from([0, 1, 30, 100]), 2, 3))
    return Program(number, steps, holds, late)


# Running them.


class _UndoneError(Exception):
    pass


def _undo() -> None:
    raise _UndoneError


@dataclass
class _Doing:
    """A write or transaction under way: what was asked in which order and, once it is asked, the place of its COMMIT."""

    item: Any
    transcript: list[tuple[Any, Any]] = field(default_factory=list)
    asked: int = 0
    committed: bool = False


@dataclass
class _Seen:
    """An answer, from when to when it was asked for, and of which states it is the answer."""

    label: str
    version: int
    start: int
    end: int
    fits: Callable[[State], bool]


class _Typed(Repository[Any, Any]):
    schema = AlbumSchema

    def row(self, key: str, *, fresh: bool) -> Any:
        return self._get(uuid.UUID(key), fresh=fresh)

    def by_code(self, code: str, *, fresh: bool) -> Any:
        return self._get_by({"code": code}, fresh=fresh)


async def perform(db: Any, op: Op) -> Any:
    """Ask `db`, a database or a transaction, and give back what the model gives back."""
    key = {"album": "id", "track": "name"}[op.entity]
    match op.kind:
        case "get" | "get_many":
            return await getattr(db, op.kind)(op.entity, op.what, fresh=op.fresh)
        case "get_row" | "get_by":
            ask = _Typed(db).row if op.kind == "get_row" else _Typed(db).by_code
            found = await ask(op.what, fresh=op.fresh)
            return found and {"id": str(found.id), "code": found.code, "rating": found.rating}
        case "query":
            return await db.query(op.entity, op.what, key, fresh=op.fresh)
        case "count" | "exists":
            return await getattr(db, op.kind)(op.entity, op.what, fresh=op.fresh)
    try:
        given = (op.what,) if op.changes is None else (op.what, op.changes)
        return await getattr(db, op.kind)(op.entity, *given)
    except ConstraintViolationError:
        return REFUSED


def total_hits(db: Database) -> int:
    return db.session.cache.hits


class _Watched:
    """What hangs on a COMMIT, and who is told of it first."""

    def __init__(self, finish: Any, seen: Callable[[Any], None]) -> None:
        self._finish = finish
        self._seen = seen

    def __call__(self, outcome: Any) -> Any:
        self._seen(outcome)
        return self._finish(outcome)

    @property
    def dropping(self) -> Any:
        return self._finish.dropping


class _Run:
    """One program, from the first step to the last look."""

    def __init__(self, program: Program, databases: Sequence[Database]) -> None:
        self.program = program
        self.databases = databases
        self.states: list[State] = [empty()]
        self.asked = [0]  # when the COMMIT of each state was asked for
        self.told: dict[int, list[Any]] = {number: [] for number in range(len(databases))}
        self.heard: dict[int, list[Any]] = {number: [] for number in range(len(databases))}
        self.version = 0  # how many COMMITs are known to have happened
        self._clock = itertools.count(1)
        self._doing: ContextVar[_Doing] = ContextVar("doing")
        self._commits: list[tuple[int, _Doing]] = []
        self._seen: list[_Seen] = []
        self._writing = 0
        self._holds = itertools.cycle(program.holds)
        for number, db in enumerate(databases):
            self._watch(number, db)

    def _watch(self, number: int, db: Database) -> None:
        session, engine = db.session, db.session.engine

        def committing(tags: Any, effects: Any, result: Any) -> Any:
            doing = self._doing.get()
            doing.asked = next(self._clock)
            finish = type(session).committing(session, tags, effects, result)

            def seen(outcome: Any) -> None:
                if outcome.error is None and not getattr(doing.item, "snapshot", False):
                    doing.committed = True
                    self.version += 1
                    self._commits.append((number, doing))

            return _Watched(finish, seen)

        async def read(statement: Statement, trace: Any = None) -> Any:
            when, turns = next(self._holds)
            if when == "before":
                await self._another_commit(turns)
            rows = await type(engine).read(engine, statement, trace)
            if when == "after":
                await self._another_commit(turns)
            return rows

        def hear(event: Any) -> None:
            fields = event.data.get("fields")
            self.heard[number].append((event.event_type, event.data["entity_id"], fields and tuple(fields)))

        session.committing = committing  # type: ignore[method-assign]
        engine.read = read  # type: ignore[method-assign]
        db.events.subscribe("database.**", hear)
        _deliver_late(engine, self.program.late)

    async def _another_commit(self, turns: int) -> None:
        version = self.version
        for _ in range(300):
            if self.version > version or not self._writing:
                break
            await asyncio.sleep(0)
        for _ in range(turns if self.version > version else 0):
            await asyncio.sleep(0)

    # Doing.

    async def go(self) -> None:
        await self._begin()
        for step in self.program.steps:
            for number in step.cold:
                self.databases[number].session.cache.clear()
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                for number, items in step.tasks:
                    group.create_task(self._do_all(number, items))
            self._judge()
            for number in sorted(step.asked):
                for question in QUESTIONS:
                    await self._read(self.databases[number], question)
            self._judge()
        await self._at_rest()

    async def _begin(self) -> None:
        """With some rows, so that there is something to change."""
        for entity, rows in FIRST.items():
            await self._do(0, Op("save_many", entity, rows))
        self._judge()

    async def _do_all(self, number: int, items: Sequence[Any]) -> None:
        for item in items:
            await self._do(number, item)

    async def _do(self, number: int, item: Any) -> None:
        db = self.databases[number]
        if isinstance(item, Cancelled):
            task = asyncio.create_task(self._do(number, item.item))
            for _ in range(item.turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return
        elif isinstance(item, Op) and item.kind in READS:
            await self._read(db, item)
        elif isinstance(item, Endless) and not item.writes:
            try:
                await type(db.session.engine).read(db.session.engine, Statement(support.ENDLESS))
            except QueryTimeoutError:
                return
            raise AssertionError("a read without an end has ended")
        else:
            await self._write(db, item)

    async def _read(self, db: Database, op: Op) -> None:
        version, start = self.version, next(self._clock)
        found = await perform(db, op)
        self._saw(f"{op} answered {found}", version, start, lambda state: answer(state, op) == found)

    def _saw(self, label: str, version: int, start: int, fits: Callable[[State], bool]) -> None:
        self._seen.append(_Seen(label, version, start, next(self._clock), fits))

    async def _write(self, db: Database, item: Any) -> None:
        doing = _Doing(item)
        token = self._doing.set(doing)
        version, start = self.version, next(self._clock)
        self._writing += 1
        try:
            if isinstance(item, Op):
                doing.transcript.append((item, await perform(db, item)))
            elif isinstance(item, Endless):
                await self._endless(db)
            else:
                await self._block(db, item, doing)
        except QueryTimeoutError:
            if isinstance(item, Op):
                raise
        finally:
            self._writing -= 1
            self._doing.reset(token)
            if not doing.committed:
                # Refused, undone or cancelled: whatever it was told by then holds for one moment all the same.
                transcript = list(doing.transcript)
                self._saw(f"{transcript}", version, start, lambda state: not _replayed(state, transcript)[2])

    async def _endless(self, db: Database) -> None:
        await db.session.write(
            Write([Statement(_ENDLESS_WRITE)], {("tracks",)}, lambda _rows: Effects(), lambda _rows: None)
        )
        raise AssertionError("a write without an end has ended")

    async def _block(self, db: Database, block: Block, doing: _Doing) -> None:
        try:
            async with db.transaction(read_only=block.snapshot) as tx:
                await self._in_block(db, tx, block.items, doing)
                if block.ending == "raise":
                    _undo()
                if block.ending == "timeout":
                    await tx._lease.execute([Statement(support.ENDLESS)], lambda outcome: outcome.result())
        except _UndoneError:
            return

    async def _in_block(self, db: Database, tx: Any, items: Sequence[Any], doing: _Doing) -> None:
        for position, item in enumerate(items):
            if isinstance(item, Op):
                # A call on the database joins the block, like one on the transaction.
                doing.transcript.append((item, await perform(tx if position % 2 else db, item)))
                continue
            doing.transcript.append(("begin", None))
            try:
                async with tx.transaction() as nested:
                    await self._in_block(db, nested, item.items, doing)
                    if not item.kept:
                        _undo()
            except _UndoneError:
                pass
            doing.transcript.append(("end", item.kept))

    # Judging.

    def _judge(self) -> None:
        for number, doing in self._commits:
            state, told, wrong = _replayed(self.states[-1], doing.transcript, cut_short=doing.item)
            assert not wrong, f"{wrong} in {doing.transcript} after {self.states[-1]}"
            self.states.append(state)
            self.asked.append(doing.asked)
            self.told[number] += told
        self._commits.clear()
        ended: list[tuple[int, int]] = []  # when a read had ended, and the earliest state it can have seen
        for seen in sorted(self._seen, key=lambda seen: seen.start):
            first = max([seen.version, *(state for end, state in ended if end < seen.start)])
            last = max(number for number, asked in enumerate(self.asked) if asked < seen.end)
            fitting = [number for number in range(first, last + 1) if seen.fits(self.states[number])]
            assert fitting, f"{seen.label} fits none of {self.states[first : last + 1]}"
            ended.append((seen.end, fitting[0]))
        self._seen.clear()
        del self.asked[:-1], self.states[:-1]
        self.asked, self.version = [0], 0

    async def _at_rest(self) -> None:
        for number, db in enumerate(self.databases):
            await support.until(lambda db=db: db._engine.connections().active == 0)
            assert (await db.stats())["connections"]["active"] == 0
            assert not db._engine._leases
            await db.events.settle()
            # In order for each row; of the rows of one write nobody is promised an order.
            assert _by_row(self.heard[number]) == _by_row(self.told[number])
            for question in QUESTIONS:
                await self._from_memory(db, question)
        with closing(sqlite3.connect(self.databases[0].settings.database_path)) as plain:
            stored = {
                name: set(plain.execute(f"SELECT {', '.join(columns)} FROM {name}s"))
                for name, columns in COLUMNS.items()
            }
        expected = {
            name: {tuple(row[column] for column in COLUMNS[name]) for row in rows.values()}
            for name, rows in self.states[-1].items()
        }
        assert stored == expected

    async def _from_memory(self, db: Database, question: Op) -> None:
        end = time.monotonic() + 2  # on a busy machine nobody may have been able to look whether others have written
        while True:
            hits = total_hits(db)
            found, expected = await perform(db, question), answer(self.states[-1], question)
            assert found == expected, f"{question} answered {found}, not {expected}"
            if total_hits(db) > hits or not db.settings.cache_max_size:
                return
            assert time.monotonic() < end, f"the answer to {question} is never kept"
            await asyncio.sleep(0)


def _replayed(
    state: State, transcript: Sequence[tuple[Any, Any]], *, cut_short: Any = None
) -> tuple[State, list[Any], str]:
    """The state after what was done, the events, and the first answer that is not the model's.

    Args:
        state: before it.
        transcript: calls with their answers, and where nested blocks began and ended.
        cut_short: the write that has happened although its caller was cancelled before it was told.
    """
    if not transcript and isinstance(cut_short, Op):
        state, _, told = applied(state, cut_short)
        return state, told, ""
    told: list[Any] = []
    outer: list[tuple[State, list[Any]]] = []
    for op, found in transcript:
        if op == "begin":
            outer.append((state, list(told)))
        elif op == "end":
            before = outer.pop()
            if not found:
                state, told = before
        elif op.kind in READS:
            if answer(state, op) != found:
                return state, told, f"{op} answered {found}"
        else:
            state, expected, more = applied(state, op)
            told += more
            if expected != found:
                return state, told, f"{op} answered {found}, not {expected}"
    return state, told, ""


def _deliver_late(engine: Any, late: Sequence[int]) -> None:
    """Let turns of the loop pass between what the writer's thread has done and what the loop knows of it, in order."""
    waiting: deque[tuple[Any, ...]] = deque()
    turns = itertools.cycle(late)

    async def pump() -> None:
        while waiting:
            for _ in range(next(turns)):
                await asyncio.sleep(0)
            type(engine)._deliver(engine, *waiting.popleft())

    pumping: list[asyncio.Task[None]] = []

    def deliver(done: Any, timings: Any, look: Any) -> None:
        if done and all(job._read for job, _ in done):
            type(engine)._deliver(engine, done, timings, look)
            return
        waiting.append((done, timings, look))
        if len(waiting) == 1:
            pumping[:] = [asyncio.get_running_loop().create_task(pump())]

    engine._deliver = deliver


def _by_row(events: Sequence[Any]) -> dict[Any, list[Any]]:
    rows: dict[Any, list[Any]] = {}
    for topic, key, fields in events:
        rows.setdefault((topic.split(".")[1], key), []).append((topic, fields))
    return rows


# The place where they run.


async def _make(path: Path) -> None:
    async with Database(support.settings(path)) as db:
        for schema in SCHEMAS:
            await db.create_table(schema.entity_type)


def empty_file(path: Path) -> Path:
    """A file with the tables of the model and no row, to copy."""
    with registered():
        asyncio.run(_make(path))
    return path


@contextmanager
def registered() -> Iterator[None]:
    """Within this, the registry knows the entities of the model and no others."""
    with EntityRegistry.isolated():
        for schema in SCHEMAS:
            EntityRegistry.register(schema.entity_type, schema)
        yield


@asynccontextmanager
async def _open(path: Path, number: int, **changes: Any) -> Any:
    async with AsyncExitStack() as stack:
        opened = [Database(support.settings(path, query_timeout=_QUERY_TIMEOUT, **changes)) for _ in range(number)]
        yield [await stack.enter_async_context(db) for db in opened]


def run(program: Program, empty: Path, path: Path, **changes: Any) -> None:
    """Run a program on a fresh copy of the file, with some settings; raises what is not as it should be."""
    for stale in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        stale.unlink(missing_ok=True)
    shutil.copy(empty, path)
    others = {"cache_recheck": 0} if program.databases > 1 else {}

    async def go() -> None:
        async with _open(path, program.databases, **others, **changes) as databases:
            await _Run(program, databases).go()

    asyncio.run(go())
