"""A lane: a thread, a queue and one connection. Callers wait on the event loop, statements run in the thread."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from soulspot_db.engine.base import Finish, Outcome, Statement
from soulspot_db.errors import DatabaseError
from soulspot_db.trace import Trace

if TYPE_CHECKING:
    from queue import SimpleQueue

__all__ = ["Job", "Lane"]

T = TypeVar("T")


class Job(Generic[T]):
    """Statements on their way through a lane, and the caller who waits for them.

    Exactly one side claims a job: the thread that runs it, or the loop that gives it up. What has been claimed by the
    thread is finished before its caller goes on, so a cancelled write is either done or will never be.
    """

    def __init__(
        self, statements: Sequence[Statement], finish: Finish[T], *, read: bool = False, trace: Trace | None = None
    ) -> None:
        self.statements = statements
        self.queued = time.perf_counter()  # since when it waits, then how long it has waited for its turn
        self.seconds = 0.0  # that it ran; both are written by the thread that has claimed it
        self.has_run = False
        self._trace = trace
        self.stopped = False  # read by the lane's progress handler
        self._finish = finish
        self._read = read
        self._claim = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[T] = self._loop.create_future()
        self._delivered = asyncio.Event()

    def claim(self) -> bool:
        """Whether the job is now the caller's of this method, to run or to drop."""
        return self._claim.acquire(blocking=False)

    def ran(self, started: float, ended: float) -> None:
        """A part of it has run in the thread, between these times of `perf_counter`."""
        if not self.has_run:
            self.has_run = True
            self.queued = started - self.queued
        self.seconds += ended - started

    @property
    def is_wanted(self) -> bool:
        """Whether nobody has claimed it yet, above all its caller, who may have left."""
        return not self._claim.locked()

    def deliver(self, outcome: Outcome) -> None:
        """Finish the job; called on the loop, once."""
        if self._trace is not None and self.has_run:
            self._trace.ran(self.seconds, self.queued)
        try:
            result = self._finish(outcome)
        except BaseException as error:  # noqa: BLE001 - not swallowed: it is the caller's, who may be in another task
            if not self._future.done():
                self._future.set_exception(error)
        else:
            if not self._future.done():
                self._future.set_result(result)
        finally:
            self._delivered.set()

    async def result(self) -> T:
        """Wait for a job whose turn is certain; cancelled, it is done all the same, and then raises."""
        try:
            return await self._future
        except asyncio.CancelledError:
            # A SELECT that is stopped leaves its transaction as it was.
            self.stopped = self._read
            await self._settled()
            raise

    async def result_within(self, patience: float, late: Callable[[], DatabaseError]) -> T:
        """Wait for a job that may be given up until its turn comes.

        Args:
            patience: seconds that it may wait for its turn.
            late: makes the error for one whose turn did not come.
        """
        timer = self._loop.call_later(patience, self._expire, late)
        try:
            return await self._future
        except asyncio.CancelledError:
            if self.claim():
                # Never started, so whatever hangs on its end is told that it will not be.
                with contextlib.suppress(asyncio.CancelledError):
                    self._finish(Outcome(error=asyncio.CancelledError()))
            elif self._read:
                self.stopped = True
            else:
                await self._settled()
            raise
        finally:
            timer.cancel()

    def _expire(self, late: Callable[[], DatabaseError]) -> None:
        if self.claim():
            self.deliver(Outcome(error=late()))

    async def _settled(self) -> None:
        while not self._delivered.is_set():
            # The first cancellation is raised by our caller once the statement is done; a second changes nothing.
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivered.wait()


class Lane:
    """One thread that serves a queue until it finds None in it.

    Args:
        name: the thread's name.
        queue: where jobs come from; several reader lanes share one.
        serve: called in the thread, once, with the lane; it opens the connection and loops.
    """

    def __init__(self, name: str, queue: "SimpleQueue[Any]", serve: Callable[["Lane"], None]) -> None:
        self.queue = queue
        self.busy = False  # set by the lane's thread alone
        # A daemon, so that a program that forgot to close its database can still end.
        self._thread = threading.Thread(target=serve, args=[self], name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let one of the threads that share the queue end, once it has done what was queued before this call."""
        self.queue.put(None)

    async def ended(self) -> None:
        """Wait for the thread; lanes that share a queue must all have been stopped, or another may have taken the stop."""
        await asyncio.to_thread(self._thread.join)
