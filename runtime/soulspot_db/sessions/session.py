"""Where reads and writes go: into the current transaction if there is one, else through the cache to the engine."""

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from threading import get_ident
from typing import Any, Generic, Protocol, TypeVar, cast

from soulspot_db import ambient
from soulspot_db.cache.cache import Cache
from soulspot_db.cache.region import MISS, CacheRegion
from soulspot_db.cache.tags import Tag
from soulspot_db.engine.base import Engine, Rows, Statement
from soulspot_db.engine.settled import settled
from soulspot_db.events.publisher import Publisher
from soulspot_db.monitoring.monitor import Monitor
from soulspot_db.sessions.batching import Batches
from soulspot_db.sessions.commit import Commit
from soulspot_db.sessions.operations import Effects, OpenTransaction, Read, ReadMany, Write
from soulspot_db.sessions.plan import Plans

__all__ = ["HasSession", "Session", "SessionLike"]

T = TypeVar("T")


class SessionLike(Protocol):
    """What a repository needs: a database's session, or one transaction."""

    @property
    def plans(self) -> Plans:
        """The prepared entities of the database."""
        ...

    @property
    def monitor(self) -> Monitor:
        """What every operation passes."""
        ...

    def peek(self, region: CacheRegion, key: Hashable) -> Any:
        """The cached answer where there is one to be had at once, else MISS."""
        ...

    def peek_many(self, region: CacheRegion, keys: Iterable[Hashable]) -> Any:
        """The cached answers to all of `keys` where they are to be had at once, else MISS."""
        ...

    def at_once(self, request: Read[T]) -> Any:
        """The answer to a point read that can be had without waiting, else MISS."""
        ...

    async def read(self, request: Read[T]) -> T:
        """Answer a question."""
        ...

    async def read_many(self, request: ReadMany[T]) -> Mapping[Hashable, T]:
        """Answer many questions, each by its key."""
        ...

    async def write(self, request: Write[T]) -> T:
        """Do what is asked, all or nothing."""
        ...

    def current(self) -> OpenTransaction | None:
        """The transaction that reads and writes join, if there is one."""
        ...

    def latest(self, opened: str) -> AbstractAsyncContextManager[Any]:
        """A block, called `opened`, whose statements each see what others have committed by then; or one nested in the current."""
        ...


class HasSession(Protocol):
    """What a repository is made of: a database, or one transaction."""

    @property
    def session(self) -> SessionLike:
        """Where its repositories read and write."""
        ...


class Session:
    """The ordinary session of a database.

    Args:
        engine: asks the database.
        cache: its answers.
        publisher: tells of what was written.
        plans: the prepared entities.
        monitor: counts.
        latest_block: makes what `latest` returns; a transaction is made of a session, which cannot know it.
    """

    def __init__(
        self,
        engine: Engine,
        cache: Cache,
        publisher: Publisher,
        plans: Plans,
        monitor: Monitor,
        *,
        latest_block: Callable[["Session", str], AbstractAsyncContextManager[Any]],
    ) -> None:
        self.plans = plans
        self.monitor = monitor
        self.engine = engine
        self.cache = cache
        self.publisher = publisher
        self._home = cache.home
        self._latest_block = latest_block
        self._batches = Batches(lambda statement, trace: self.engine.read(statement, trace))  # noqa: PLW0108 - tests put theirs in its place

    def current(self) -> OpenTransaction | None:
        """The open transaction of this task, or of the one that started it."""
        return ambient.innermost(self)

    def latest(self, opened: str) -> AbstractAsyncContextManager[Any]:
        """A block whose statements each see what others have committed by then, or one nested in the current one."""
        return self._latest_block(self, opened)

    def peek(self, region: CacheRegion, key: Hashable) -> Any:
        """The cached answer; MISS where only `read` can tell."""
        if self._home.thread != get_ident() or self.current() is not None:
            return MISS
        return region.peek(key)

    def peek_many(self, region: CacheRegion, keys: Iterable[Hashable]) -> Any:
        """The cached answers; MISS where only `read_many` can tell all of them."""
        if self._home.thread != get_ident() or self.current() is not None:
            return MISS
        return region.peek_many(keys)

    def at_once(self, request: Read[T]) -> Any:
        """The database's answer to a point read, kept in the cache; MISS where only `read` can tell, or it is its turn."""
        if not self.engine.reads_now or self._home.thread != get_ident() or self.current() is not None:
            return MISS
        if not request.region.is_ready(fresh=request.fresh):
            return MISS
        rows = self.engine.read_now(request.asked(), request.trace)
        if rows is None:
            request.point = False  # it would take a lane's time a second time to find that out
            return MISS
        answer = request.answer_now(request.told(rows))
        if request.key is None:
            return answer
        return request.region.fill(request.key, request.tags, answer, request.narrow)

    async def read(self, request: Read[T]) -> T:
        """Answer from the current transaction, the cache or the database, in this order."""
        transaction = self.current()
        if transaction is not None:
            return await transaction.read(request)
        self._home.require()

        if request.point and self.engine.reads_now:
            if self.cache.turns.are_due():
                await asyncio.sleep(0)
            found = MISS if request.fresh or request.key is None else self.peek(request.region, request.key)
            if found is not MISS or (found := self.at_once(request)) is not MISS:
                return cast("T", found)

        load = _Load(self, request)
        if request.key is None:
            return await load()
        return await request.region.read(request.key, request.tags, load, narrow=request.narrow, fresh=request.fresh)

    async def rows(self, request: Read[Any]) -> Rows:
        """What the database says to a question."""
        return request.told(await self._asked(request))

    async def _asked(self, request: Read[Any]) -> Rows:
        # Of very many at once, the loop answers as many as it has time for; the others have waited for a turn already.
        if request.point and self.engine.reads_now and not self.cache.turns.are_due():
            rows = self.engine.read_now(request.asked(), request.trace)
            if rows is not None:
                return rows
        if request.batch is not None:
            by, key = request.batch
            return await self._batches.rows(by, [key], request.trace)
        return await self.engine.read(request.asked(), request.trace)

    async def read_many(self, request: ReadMany[T]) -> Mapping[Hashable, T]:
        """Answer many questions in the same way; what the cache does not know is asked together."""
        transaction = self.current()
        if transaction is not None:
            return await transaction.read_many(request)
        self._home.require()

        async def load(missing: Collection[Hashable]) -> Mapping[Hashable, T]:
            rows = await self._batches.rows(request.by, request.keys_of(missing), request.trace)
            return await request.answers(missing, request.told(rows), self.cache.turns)

        return await request.region.read_many(request.asked, load, fresh=request.fresh)

    async def write(self, request: Write[T]) -> T:
        """Write in the current transaction, or commit at once."""
        transaction = self.current()
        if transaction is not None:
            return await transaction.write(request)
        self._home.require()
        commit = self.committing(request.tags, request.settled, request.result)
        try:
            return await self.engine.write(request.statements, commit, request.tags, request.trace)
        finally:
            if commit.dropping is not None:
                await settled(commit.dropping)

    def committing(
        self,
        tags: Collection[Tag],
        effects: Callable[[Sequence[Rows]], Effects],
        result: Callable[[Sequence[Rows]], T],
    ) -> Commit[T]:
        """Announce a COMMIT that touches `tags`; returns what to call when its outcome is known."""
        return Commit(self.cache, self.publisher, tags, effects, result)


class _Load(Generic[T]):
    """How the answer to a question is had from the database."""

    __slots__ = ("_request", "_session")

    def __init__(self, session: Session, request: Read[T]) -> None:
        self._session = session
        self._request = request

    async def __call__(self) -> T:
        return await self.answer(await self.rows())

    def statement(self) -> Statement:
        return self._request.statement()

    async def rows(self) -> Rows:
        return await self._session.rows(self._request)

    async def answer(self, rows: Rows) -> T:
        return await self._request.answer(rows, self._session.cache.turns)
