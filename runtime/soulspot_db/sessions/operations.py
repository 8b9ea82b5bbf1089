"""What a repository asks of its session: reads and writes, and what hangs on their outcome."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.events.event import Event
from soulspot_db.events.rows import Told
from soulspot_db.fairness import Turns, spread
from soulspot_db.sessions.batching import ByKey
from soulspot_db.trace import Trace

__all__ = ["Effects", "OpenTransaction", "Read", "ReadMany", "Write"]

T = TypeVar("T")


@dataclass(slots=True)
class Effects:
    """What must happen once a write is committed."""

    tags: set[Tag] = field(default_factory=set)
    events: list[Told] = field(default_factory=list)

    def add(self, other: "Effects") -> None:
        """Take over the effects of another write."""
        self.tags |= other.tags
        self.events += other.events


@dataclass(slots=True)
class Read(Generic[T]):
    """A question: the statement that answers it, and the place of its answer in the cache.

    `key` is None for what is not to be kept, such as an answer that depends on the clock. `narrow` says what the answer
    depends on once it is known, None where that is all of `tags`. A `point` read finds at most one row, by a unique index,
    until it was tried at once in vain; one with `batch` may be asked together with others: how, and for which key.

    Where `each` is given, it makes something of each row, which takes its time, and `decode` the answer of those. `trace` is
    told of how many rows the database returned, if it was asked at all, and how long that took.
    """

    region: CacheRegion
    key: Hashable | None
    tags: Collection[Tag]
    statement: Callable[[], Statement]
    decode: Callable[[Sequence[Any]], T]
    narrow: Callable[[T], Collection[Tag] | None] | None = None
    fresh: bool = False
    point: bool = False
    batch: tuple[ByKey, Any] | None = None
    each: Callable[[tuple[Any, ...]], Any] | None = None
    trace: Trace | None = None

    @property
    def sql(self) -> str:
        """The text of the statement."""
        return self.statement().sql

    def asked(self) -> Statement:
        """The statement, after telling the trace that it is about to run."""
        statement = self.statement()
        if self.trace is not None:
            self.trace.sql = statement.sql
        return statement

    def told(self, rows: Rows) -> Rows:
        """What the database says, after telling the trace how many rows it is."""
        if self.trace is not None:
            self.trace.found(len(rows))
        return rows

    def answer_now(self, rows: Rows) -> T:
        """The answer that these few rows are."""
        return self.decode(rows if self.each is None else list(map(self.each, rows)))

    async def answer(self, rows: Rows, turns: Turns) -> T:
        """The answer that these rows are, however many."""
        return self.decode(rows if self.each is None else await spread(rows, self.each, turns))


@dataclass(slots=True)
class ReadMany(Generic[T]):
    """Questions that one statement answers: of those whose answer is not known, together. At most `MOST`.

    `asked` are the questions, with what the answer to each depends on; `keys` the keys that they are about, which `by`
    finds. `each` makes something of each row, and `decode` the answers to those that were asked for.
    """

    region: CacheRegion
    asked: Mapping[Hashable, Collection[Tag]]
    keys: Mapping[Hashable, Any]
    by: ByKey
    each: Callable[[tuple[Any, ...]], Any]
    decode: Callable[[Collection[Hashable], Sequence[Any]], Mapping[Hashable, T]]
    fresh: bool = False
    trace: Trace | None = None

    def told(self, rows: Rows) -> Rows:
        """What the database says, after telling the trace how many rows it is."""
        if self.trace is not None:
            self.trace.found(len(rows))
        return rows

    @property
    def sql(self) -> str:
        """The text of the statement that asks for all."""
        return self.by.select(self.keys_of(self.asked)).sql

    def keys_of(self, asked: Collection[Hashable]) -> list[Any]:
        """The keys of these questions."""
        return [self.keys[question] for question in asked]

    async def answers(self, asked: Collection[Hashable], rows: Rows, turns: Turns) -> Mapping[Hashable, T]:
        """The answers that these rows are."""
        return self.decode(asked, await spread(rows, self.each, turns))


@dataclass(slots=True)
class Write(Generic[T]):
    """Statements, what they may touch, and what is made of their rows.

    `effects` looks at keys alone and cannot fail. `result` can, on a row that somebody else made unreadable: the data
    has changed all the same, so by then the effects are settled.
    """

    statements: Sequence[Statement]
    tags: Collection[Tag]
    effects: Callable[[Sequence[Rows]], Effects]
    result: Callable[[Sequence[Rows]], T]
    trace: Trace | None = None

    @property
    def sql(self) -> str:
        """The text of the last statement."""
        return self.statements[-1].sql

    def settled(self, results: Sequence[Rows]) -> Effects:
        """The effects, after telling the trace how many rows were written."""
        if self.trace is not None:
            inserted = sum(len(statement.bulk.rows) for statement in self.statements if statement.bulk is not None)
            self.trace.found(sum(map(len, results)) + inserted)
        return self.effects(results)


class OpenTransaction(Protocol):
    """A transaction that reads, writes and published events join."""

    @property
    def is_open(self) -> bool:
        """Whether it can still be joined."""
        ...

    def is_of(self, home: object) -> bool:
        """Whether it belongs to this session, or to a database that publishes on this bus."""
        ...

    async def read(self, request: Read[T]) -> T:
        """Answer a question from what the transaction sees."""
        ...

    async def read_many(self, request: ReadMany[T]) -> Mapping[Hashable, T]:
        """Answer many from what the transaction sees."""
        ...

    async def write(self, request: Write[T]) -> T:
        """Do what is asked, all or nothing, within the transaction."""
        ...

    def keep(self, event: Event[Any]) -> None:
        """Publish an event after the COMMIT."""
        ...
