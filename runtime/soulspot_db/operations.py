"""What a repository asks of its session: reads and writes, and what hangs on their outcome."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from soulspot_db.batching import ByKey, chunks
from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.events.event import Event
from soulspot_db.events.rows import Told

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
    depends on once it is known, None where that is all of `tags`. A `point` read finds at most one row, by a unique index;
    one with `batch` may be asked together with others: how, and for which key.
    """

    region: CacheRegion
    key: Hashable | None
    tags: Collection[Tag]
    statement: Callable[[], Statement]
    decode: Callable[[Rows], T]
    narrow: Callable[[T], Collection[Tag] | None] | None = None
    fresh: bool = False
    point: bool = False
    batch: tuple[ByKey, Any] | None = None


@dataclass(slots=True)
class ReadMany(Generic[T]):
    """Many questions that few statements answer: of those whose answer is not known, together.

    `asked` are the questions, with what the answer to each depends on; `keys` the keys that they are about, which `by`
    finds. `decode` is given those that were asked for.
    """

    region: CacheRegion
    asked: Mapping[Hashable, Collection[Tag]]
    keys: Mapping[Hashable, Any]
    by: ByKey
    decode: Callable[[Collection[Hashable], Rows], Mapping[Hashable, T]]
    fresh: bool = False

    def chunks(self, asked: Collection[Hashable]) -> Iterator[Sequence[Any]]:
        """The keys of these questions, as many at a time as one statement takes."""
        return chunks([self.keys[question] for question in asked])


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
