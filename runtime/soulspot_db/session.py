"""Where reads and writes go: into the current transaction if there is one, else through the cache to the engine."""

from collections.abc import Callable, Collection, Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from soulspot_db.cache.cache import Cache
from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.stamps import Tag
from soulspot_db.engine.base import Engine, Outcome, Rows, Statement
from soulspot_db.events.bus import Event
from soulspot_db.events.publisher import Publisher

if TYPE_CHECKING:
    from soulspot_db.plan import Plans
    from soulspot_db.transaction import Transaction

__all__ = ["Effects", "Read", "Session", "SessionLike", "Write"]

T = TypeVar("T")


@dataclass(slots=True)
class Effects:
    """What must happen once a write is committed."""

    tags: set[Tag] = field(default_factory=set)
    events: list[Event[Any]] = field(default_factory=list)

    def add(self, other: "Effects") -> None:
        """Take over the effects of another write."""
        self.tags |= other.tags
        self.events += other.events


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A question: the statement that answers it, and the place of its answer in the cache."""

    region: CacheRegion
    key: Hashable
    tags: Collection[Tag]
    statement: Callable[[], Statement]  # built only on a miss
    decode: Callable[[Rows], T]
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Write(Generic[T]):
    """Statements, what they may touch, and how their rows become the result and the effects."""

    statements: Sequence[Statement]
    tags: Collection[Tag]
    settle: Callable[[Sequence[Rows]], tuple[T, Effects]]


class SessionLike(Protocol):
    """What a repository needs: a database's session, or one transaction."""

    @property
    def plans(self) -> "Plans":
        """The prepared entities of the database."""
        ...

    async def read(self, request: Read[T]) -> T:
        """Answer a question."""
        ...

    async def write(self, request: Write[T]) -> T:
        """Do what is asked, all or nothing."""
        ...

    def current(self) -> "Transaction | None":
        """The transaction that reads and writes join, if there is one."""
        ...


class Session:
    """The ordinary session of a database."""

    def __init__(self, engine: Engine, cache: Cache, publisher: Publisher, plans: "Plans") -> None:
        self.plans = plans
        self.engine = engine
        self.cache = cache
        self.publisher = publisher
        # One per database: a transaction on one must not catch the calls on another.
        self._current: ContextVar[Transaction | None] = ContextVar("soulspot_db_transaction", default=None)

    def current(self) -> "Transaction | None":
        """The open transaction of this task, or of the one that started it."""
        transaction = self._current.get()
        return transaction if transaction is not None and transaction.is_open else None

    def enter(self, transaction: "Transaction | None") -> None:
        """Make a transaction the current one of this task; None ends that."""
        self._current.set(transaction)

    async def read(self, request: Read[T]) -> T:
        """Answer from the current transaction, the cache or the database, in this order."""
        transaction = self.current()
        if transaction is not None:
            return await transaction.read(request)

        async def load() -> T:
            return request.decode(await self.engine.read(request.statement()))

        return await request.region.read(request.key, request.tags, load, fresh=request.fresh)

    async def write(self, request: Write[T]) -> T:
        """Write in the current transaction, or commit at once."""
        transaction = self.current()
        if transaction is not None:
            return await transaction.write(request)
        return await self.engine.write(request.statements, self.committing(request.tags, request.settle))

    def committing(
        self, tags: Collection[Tag], settle: Callable[[Sequence[Rows]], tuple[T, Effects]]
    ) -> Callable[[Outcome], T]:
        """Announce a COMMIT that touches `tags`; returns what to call when its outcome is known.

        The order is the promise: dirty, COMMIT, invalidate, clean, publish, acknowledge. Called on the loop in commit
        order, so events of one entity are queued in the order of their commits.
        """
        self.cache.mark_dirty(tags)

        def finish(outcome: Outcome) -> T:
            try:
                rows = outcome.result()
                # Before anything that could fail: the data has changed, whatever becomes of the result.
                touched: Collection[Tag] = tags
                try:
                    result, effects = settle(rows)
                    touched = effects.tags
                finally:
                    self.cache.invalidate(touched)
            finally:
                self.cache.clear_dirty(tags)
            self.publisher.publish(effects.events)
            return result

        return finish

    def hold(self, event: Event[Any]) -> bool:
        """Keep an event of the application's own until the current transaction commits; False if there is none."""
        transaction = self.current()
        if transaction is None:
            return False
        transaction.keep(event)
        return True
