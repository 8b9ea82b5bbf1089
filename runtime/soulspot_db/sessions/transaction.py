"""The session of a transaction: one connection, savepoint frames, and the effects that wait for the COMMIT."""

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, TypeVar

from soulspot_db.cache.region import MISS, CacheRegion
from soulspot_db.engine.base import Lease, Outcome
from soulspot_db.engine.errors import in_another_loop
from soulspot_db.engine.settled import settled
from soulspot_db.errors import TransactionError
from soulspot_db.events.event import Event
from soulspot_db.monitoring.monitor import Monitor
from soulspot_db.monitoring.quiet import log_quietly
from soulspot_db.sessions.operations import Read, ReadMany, Write
from soulspot_db.sessions.plan import Plans
from soulspot_db.sessions.savepoint import Frame, Savepoint
from soulspot_db.sessions.session import Session
from soulspot_db.trace import Trace

__all__ = ["TransactionSession"]

T = TypeVar("T")
_log = logging.getLogger("soulspot_db.monitoring")


class TransactionSession:
    """Where the calls of an open transaction go.

    `trace` has begun when it was asked for; what it waited for is over.
    """

    def __init__(self, session: Session, lease: Lease, opened: str, trace: Trace, *, read_only: bool) -> None:
        self._trace = trace
        self._begun = perf_counter()
        self._session = session
        self._lease = lease
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        # Nobody asks whose the transaction itself is; a task would lead back here through its context, and keep a
        # transaction that was lost from being collected at once.
        self._frames = [Frame(None, read_only)]
        # Tasks started inside the block share it, one statement at a time.
        self._turn = asyncio.Lock()
        self.is_open = True

    @property
    def plans(self) -> Plans:
        """The prepared entities of the database."""
        return self._session.plans

    @property
    def monitor(self) -> Monitor:
        """What every operation passes."""
        return self._session.monitor

    def peek(self, region: CacheRegion, key: Hashable) -> Any:  # noqa: ARG002 - as the database's own session has it
        """MISS: the cache does not know what this transaction has written."""
        return MISS

    def peek_many(self, region: CacheRegion, keys: Iterable[Hashable]) -> Any:  # noqa: ARG002 - as above
        """MISS, as of a single key."""
        return MISS

    def at_once(self, request: Read[T]) -> Any:  # noqa: ARG002 - as the database's own session has it
        """MISS: statements of a transaction run on its connection, in turn."""
        return MISS

    def current(self) -> "TransactionSession":
        """This transaction."""
        return self

    def latest(self, opened: str) -> "Savepoint[TransactionSession]":  # noqa: ARG002 - as the database's own session has it
        """A nested block: what its statements see is decided already."""
        return Savepoint(self, read_only=False)

    def is_of(self, home: object) -> bool:
        """Whether this session made it, or this bus is told of what it does."""
        return home is self._session or home is self._session.publisher.bus

    async def read(self, request: Read[T]) -> T:
        """Ask the database itself: the cache does not know what this transaction has written."""
        if (trace := request.trace) is not None:
            trace.bypassed = True
        async with self._its_turn():
            rows = await self._lease.execute(
                [request.asked()], lambda outcome: outcome.result(), read=True, trace=trace
            )
        return await request.answer(request.told(rows[0]), self._session.cache.turns)

    async def read_many(self, request: ReadMany[T]) -> Mapping[Hashable, T]:
        """Ask the database itself for many rows."""
        if (trace := request.trace) is not None:
            trace.bypassed = True
        statement = request.by.select(request.keys_of(request.asked))
        async with self._its_turn():
            rows = await self._lease.execute([statement], lambda outcome: outcome.result(), read=True, trace=trace)
        return await request.answers(request.asked, request.told(rows[0]), self._session.cache.turns)

    async def write(self, request: Write[T]) -> T:
        """Write; invalidation and events wait for the COMMIT."""
        async with self._its_turn():
            # Which savepoint it falls into is decided here, where it is decided in the database too.
            if any(frame.read_only for frame in self._frames):
                raise TransactionError(
                    "the transaction is read-only", "Open it without `read_only=True` to write.", operation="write"
                )
            frame = self._frames[-1]

            def finish(outcome: Outcome) -> T:
                rows = outcome.result()
                frame.effects.add(request.settled(rows))
                return request.result(rows)

            return await self._lease.execute(request.statements, finish, trace=request.trace)

    def keep(self, event: Event[Any]) -> None:
        """Publish an event of the application's own after the COMMIT."""
        if not self.is_open:
            raise _over()
        self._frames[-1].effects.events.append(event)

    @asynccontextmanager
    async def _its_turn(self) -> AsyncIterator[None]:
        if asyncio.get_running_loop() is not self._loop:
            # A thread that was started inside the block has got the block with its context.
            raise in_another_loop()
        async with self._turn:
            if not self.is_open:
                # It waited for its turn until the block had ended; on its own it would commit at once.
                raise _over()
            yield

    async def _command(self, sql: str) -> None:
        await self._lease.command(sql)

    async def open_savepoint(self, *, read_only: bool) -> Frame:
        """Begin a frame, in which nothing can be written if it is `read_only`.

        Raises:
            TransactionError: another task has one open, so it would be unclear whose writes a rollback undoes.
        """
        task = asyncio.current_task()
        async with self._its_turn():
            if len(self._frames) > 1 and self._frames[-1].owner is not task:
                raise TransactionError(
                    "another task has a nested block open in this transaction",
                    "Open nested blocks one after another, or give each task a transaction of its own.",
                )
            # A savepoint whose task is cancelled here stays open in the database, where it harms nobody: the next of
            # its name hides it, COMMIT and ROLLBACK end it.
            await self._command(f"SAVEPOINT frame_{len(self._frames) + 1}")
            frame = Frame(task, read_only)
            self._frames.append(frame)
            return frame

    async def close_savepoint(self, frame: Frame, error: BaseException | None) -> None:
        """End a frame: its effects join the outer frame's, or, where an error has left it, are forgotten with its writes.

        Raises:
            TransactionError: it cannot be kept, because blocks did not end in the reverse order of their beginnings.
        """
        try:
            async with self._its_turn():
                if isinstance(error, GeneratorExit):
                    self._left_by_generator(frame)
                await self._close_frame(frame, error)
        except BaseException:  # a cancellation, or a RELEASE that failed: raised again
            # What is half undone must not be stored. Nobody is left to close the frame, or to undo what RELEASE has kept;
            # what an exception has left must not be kept by an outer block. The transaction stays the current one, so
            # that every later call in the outer block raises and none commits on its own.
            self._lease.abandon()
            raise

    async def _close_frame(self, frame: Frame, error: BaseException | None) -> None:
        is_closed_early = isinstance(error, GeneratorExit)
        if frame not in self._frames:
            if is_closed_early:
                return  # as a generator that stood still in it while the block around it was undone
            raise _out_of_order("a block around it was undone before, and this nested block with it")
        if frame is not self._frames[-1] and (error is None or is_closed_early):
            # Other than by an error of its own, which leaves the blocks inside it as well, it ends before them.
            raise _out_of_order("a nested block inside this one has not ended")
        place = self._frames.index(frame)
        name = f"frame_{place + 1}"
        del self._frames[place:]
        if error is None:
            # First, so that what is published meanwhile comes after it; a transaction that is gone commits no effects.
            self._frames[-1].effects.add(frame.effects)
        else:
            await self._command(f"ROLLBACK TO {name}")
        await self._command(f"RELEASE {name}")

    async def end(self, error: BaseException | None) -> None:
        """COMMIT, or ROLLBACK where an error has left the block; from here on every other use of the transaction raises."""
        self.is_open = False
        failed = error
        try:
            await self._end(error)
        except BaseException as problem:  # a cancellation too is told of; raised again
            failed = problem
            raise
        finally:
            self._trace.ran(perf_counter() - self._begun, self._begun - self._trace.started)
            self._session.monitor.ended("transaction", self._trace, failed)

    async def _end(self, error: BaseException | None) -> None:
        try:
            await self._turn.acquire()
        except asyncio.CancelledError:
            self._lease.abandon()
            raise
        try:
            if error is not None:
                if isinstance(error, GeneratorExit):
                    self._left_by_generator(self._frames[0])
                await self._lease.rollback()
                return
            if len(self._frames) > 1:
                # A nested block has not come to its end, so what it wrote is not to be kept.
                await self._command("ROLLBACK TO frame_2")
                message = "%s has ended with a nested block open; what that has written is rolled back"
                log_quietly(_log, logging.WARNING, message, self._opened)
            await self._commit()
        except BaseException:  # whatever it was, a cancellation too, the connection must be given back; raised again
            self._lease.abandon()  # does nothing once COMMIT or ROLLBACK has been asked for
            raise
        finally:
            self._turn.release()

    async def _commit(self) -> None:
        effects, trace, failed = self._frames[0].effects, Trace(), None
        commit = self._session.committing(effects.tags, lambda _rows: effects, lambda _rows: None)
        try:
            await self._lease.commit(commit, effects.tags, trace)
        except BaseException as problem:  # a cancellation too is told of; raised again
            failed = problem
            raise
        finally:
            self._session.monitor.ended("commit", trace, failed, "COMMIT")
            if commit.dropping is not None:
                await settled(commit.dropping)

    def _left_by_generator(self, frame: Frame) -> None:
        """Say that writes are undone because an async generator was closed at a `yield` inside the block of a frame.

        Its caller has been in the block as well, perhaps without knowing, and is told of nothing. Called in turn: what is
        being written belongs to the frame as well.
        """
        undone = self._frames[self._frames.index(frame) :] if frame in self._frames else []
        if not any(lost.has_effects for lost in undone):
            return
        is_nested = frame is not self._frames[0]
        log_quietly(
            _log,
            logging.WARNING,
            "%s was left by an async generator that was not used up, or a coroutine that was destroyed; what was written in "
            "it is rolled back. Do not `yield` inside a block, or use `contextlib.aclosing`",
            f"a nested block of {self._opened}" if is_nested else self._opened,
        )
        if is_nested and frame.owner is not asyncio.current_task():
            # Nobody closed it on purpose: the loop did, when it was forgotten. Until then it has taken in what the outer
            # block wrote, and that must not be missing from what the outer block commits.
            self._lease.abandon()

    def __del__(self) -> None:
        lease = self._lease
        if lease.is_over:
            return
        try:
            # The garbage is collected in any thread, and the lease belongs to the loop's.
            self._loop.call_soon_threadsafe(lease.abandon)
        except RuntimeError:  # the loop is closed, so it does nothing at the same time
            lease.abandon()
        message = f"{self._opened} was never ended; it is rolled back"
        log_quietly(_log, logging.WARNING, message)
        # Last, because it raises where warnings are errors. Whoever is interrupted by the collection is not to blame, so
        # the line that it names is this one.
        warnings.warn(message, ResourceWarning, stacklevel=1, source=self)


def _over() -> TransactionError:
    return TransactionError(
        "the transaction is over",
        "Await everything that belongs to it inside the `async with db.transaction()` block.",
    )


def _out_of_order(message: str) -> TransactionError:
    return TransactionError(
        message,
        "End nested blocks in the reverse order in which they began; nothing of the transaction is stored.",
        "Do not `yield` inside a block, or close the generator with `contextlib.aclosing`.",
    )
