"""Rows that are asked for in one turn of the loop come with one statement."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from soulspot_db.engine.base import Rows, Statement
from soulspot_db.errors import QueryFailedError, ValidationFailedError
from soulspot_db.trace import Trace

__all__ = ["MOST", "Batches", "ByKey", "chunks"]

MOST = 1000
"""Rows that have a key each in one statement, and a tag each when they are written. SQLite binds at most 32,766 values to one
statement, and one tag for more rows costs readers less than a tag for each costs the event loop."""


class _Request(NamedTuple):
    keys: Sequence[Any]
    future: asyncio.Future[Rows]
    trace: Trace | None

    def answer(self, rows: Rows, shared: Trace) -> None:
        if self.trace is not None:
            self.trace.join(shared)
        if not self.future.done():
            self.future.set_result(rows)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def chunks(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The keys, as many at a time as one statement takes."""
    for start in range(0, len(keys), MOST):
        yield keys[start : start + MOST]


class ByKey:
    """How rows are found by the values of one column.

    Args:
        select: the statement for several values.
        position: of the column in a row.
        stored: a value as rows have it.
    """

    def __init__(
        self, select: Callable[[Sequence[Any]], Statement], position: int, stored: Callable[[Any], Any]
    ) -> None:
        self.select = select
        self._position = position
        self._stored = stored

    def shared(self, requests: Sequence[_Request], rows: Rows) -> Iterator[Rows]:
        """The rows of each request, out of those of all."""
        found: dict[Any, list[tuple[Any, ...]]] = {}
        for row in rows:
            found.setdefault(row[self._position], []).append(row)
        for request in requests:
            yield [row for stored in map(self._stored, request.keys) for row in found.get(stored, ())]


class Batches:
    """What waits for the end of this turn of the loop.

    Every task that is ready now has asked by then. After the DataLoader of GraphQL (Lee Byron and others, 2015).

    Args:
        read: runs one statement.
    """

    def __init__(self, read: Callable[[Statement, Trace | None], Awaitable[Rows]]) -> None:
        self._read = read
        # Another loop has turns of its own, and one that has ended in the middle of a turn never comes to its end.
        self._waiting: dict[tuple[asyncio.AbstractEventLoop, ByKey], list[_Request]] = {}
        self._sent: set[asyncio.Task[None]] = set()

    async def rows(self, by: ByKey, keys: Sequence[Any], trace: Trace | None = None) -> Rows:
        """The rows with these keys, in any order; at most `MOST` keys."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.get((loop, by))
        if waiting is not None:
            future: asyncio.Future[Rows] = loop.create_future()
            waiting.append(_Request(keys, future, trace))
            return await future
        others = self._waiting[loop, by] = []
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if others:
                self._send(by, others)
            raise
        finally:
            del self._waiting[loop, by]
        if not others:
            return await self._run(by.select(keys), trace)
        # In a task of its own, because the others must not lose their answer when the first of them is cancelled.
        mine: asyncio.Future[Rows] = loop.create_future()
        self._send(by, [_Request(keys, mine, trace), *others])
        return await mine

    async def _run(self, statement: Statement, trace: Trace | None) -> Rows:
        if trace is not None:
            trace.sql = statement.sql
        return await self._read(statement, trace)

    def _send(self, by: ByKey, requests: list[_Request]) -> None:
        group: list[_Request] = []
        size = 0
        for request in requests:
            if size + len(request.keys) > MOST and group:
                self._start(by, group)
                group, size = [], 0
            group.append(request)
            size += len(request.keys)
        self._start(by, group)

    def _start(self, by: ByKey, group: Sequence[_Request]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(by, group), context=contextvars.Context())
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)

    async def _answer(self, by: ByKey, group: Sequence[_Request]) -> None:
        wanted = [request for request in group if not request.future.done()]
        if not wanted:
            return
        shared = Trace()
        try:
            rows = await self._run(
                by.select(list(dict.fromkeys(key for request in wanted for key in request.keys))), shared
            )
        except Exception as error:  # noqa: BLE001 - not swallowed: it is the callers'
            if len(wanted) > 1 and isinstance(error, (QueryFailedError, ValidationFailedError)):
                # One key must not spoil the others.
                for request in wanted:
                    await self._answer(by, [request])
                return
            # Whatever else it is, such as a time-out, each would meet it again, one after another.
            for request in wanted:
                request.fail(error)
        else:
            for request, found in zip(wanted, by.shared(wanted, rows), strict=True):
                request.answer(found, shared)
