"""What the rest of the runtime asks of a database, whichever it is."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from soulspot_db.cache.tags import Tag
from soulspot_db.errors import DatabaseError
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.trace import Trace

__all__ = [
    "Activity",
    "Bulk",
    "Connections",
    "Engine",
    "Guard",
    "Lease",
    "Looked",
    "Outcome",
    "Rows",
    "Select",
    "Statement",
    "Timing",
]

T = TypeVar("T")
Rows: TypeAlias = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """Rows for one table, each with a value for each of `columns`."""

    table: str
    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with its values; the text is shared by all statements of one shape.

    With `bulk` it inserts many rows, all or none, and returns none. `shown` is whether a log may show the values, because none is of
    a field that is kept from others.
    """

    sql: str
    values: tuple[Any, ...] = ()
    bulk: Bulk | None = None
    shown: bool = False


Timing: TypeAlias = tuple[Statement, float]
"""A statement and the seconds it ran."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write: the rows of each of its statements, or the error that undid it."""

    rows: Sequence[Rows] = ()
    error: BaseException | None = None

    def result(self) -> Sequence[Rows]:
        """The rows.

        Raises:
            BaseException: the error, if there is one.
        """
        if self.error is not None:
            raise self.error
        return self.rows


Finish: TypeAlias = Callable[[Outcome], T]
"""Called exactly once on the event loop, for commits of the same rows in their order, also when the caller has been cancelled:
invalidation and events hang on it, so it must not depend on anybody waiting. What it returns or raises is the caller's
result."""


Looked: TypeAlias = Callable[[float, bool], None]
"""Told on the event loop of every look for the commits of others: when it was, on the monotonic clock, and whether there have
been any since the last one."""

Select: TypeAlias = Callable[[str], Rows]
"""Runs a SELECT on the connection that asks, and raises a DatabaseError."""

Guard: TypeAlias = Callable[[Select], DatabaseError | None]
"""Asked where others have written: why nothing more may be read or written, or None."""


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections there are, and how many of them are at work."""

    active: int
    total: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Activity:
    """How many transactions are open, and who has the only lane that writes, in words, where there is only one."""

    transactions: int
    holder: str | None = None


class Lease(Protocol):
    """A connection held for one transaction."""

    @property
    def is_over(self) -> bool:
        """Whether it has been ended or abandoned."""
        ...

    async def execute(
        self, statements: Sequence[Statement], finish: Finish[T], *, read: bool = False, trace: Trace | None = None
    ) -> T:
        """Run statements in order, all or none; of a `read`, which changes nothing, a cancelled caller need not see the end."""
        ...

    async def command(self, sql: str) -> None:
        """Begin or end a savepoint."""
        ...

    async def commit(self, finish: Finish[T], tags: Collection[Tag] = (), trace: Trace | None = None) -> T:
        """COMMIT what touched `tags` and give the connection back."""
        ...

    async def rollback(self) -> None:
        """ROLLBACK and give the connection back; safe when the transaction is already gone."""
        ...

    def abandon(self) -> None:
        """Have it rolled back without waiting, after the statement that runs."""
        ...


class Engine(Protocol):
    """One database. Whatever gets a `trace` tells it how long statements waited and ran."""

    async def open(self, guard: Guard | None = None) -> None:
        """Connect; raises ConnectionFailedError. `guard` is asked whenever others have written."""
        ...

    async def identity(self) -> str:
        """The same for all programs that are connected to the same database, and another for any other."""
        ...

    async def close(self) -> None:
        """Finish what has begun and disconnect; closing twice is safe."""
        ...

    @property
    def reads_now(self) -> bool:
        """Whether `read_now` is worth trying."""
        ...

    def read_now(self, statement: Statement, trace: Trace | None = None) -> Rows | None:
        """Run one that finds at most one row, by a unique index, if that needs no waiting; else None."""
        ...

    async def read(self, statement: Statement, trace: Trace | None = None) -> Rows:
        """Run one statement that changes nothing."""
        ...

    async def write(
        self, statements: Sequence[Statement], finish: Finish[T], tags: Collection[Tag] = (), trace: Trace | None = None
    ) -> T:
        """Commit statements, which may touch `tags`, all or none, possibly together with those of other callers."""
        ...

    async def begin(self, *, read_only: bool, holder: str, latest: bool = False) -> Lease:
        """Start a transaction; `holder` names it in errors and in the log.

        In one that reads the `latest`, each statement sees what others have committed by then, where they can meanwhile.
        """
        ...

    def look(self) -> None:
        """Have somebody look whether other programs have written; what is found is told to `Looked`, at once or later."""
        ...

    def connections(self) -> Connections:
        """How busy the engine is."""
        ...

    def activity(self) -> Activity:
        """Which transactions are open."""
        ...

    @property
    def met_damage(self) -> str | None:
        """What the last statement that met a damaged database has said since it was opened; None where none has."""
        ...

    async def explained(self, statement: Statement, tables: Mapping[str, Known]) -> str | None:
        """Which index would help a statement, in a sentence, or None; asked beside the connections that callers wait for."""
        ...
