"""Hooks: whoever wants to know is told of every operation, and nobody else pays for it."""

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

from soulspot_db.engine.base import Rows
from soulspot_db.errors import DatabaseError, ValidationFailedError
from soulspot_db.monitoring.quiet import log_quietly
from soulspot_db.operations import Effects, OpenTransaction, Read, ReadMany, Write

__all__ = ["Hook", "Hooks", "OperationRecord"]

T = TypeVar("T")
_log = logging.getLogger("soulspot_db.monitoring")


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One call of a repository or the facade, once it is over."""

    entity_type: str
    operation: str
    """The method, such as `get` or `update_where`."""
    statement: str
    """SQL without values; of several statements the first."""
    duration: float
    """Seconds, from the call until its answer, waiting included."""
    rows: int
    """How many rows the database returned, or wrote; 0 where it was not asked."""
    cache: Literal["hit", "miss", "bypass"]
    """Whether a read was answered from memory, from Redis, or by another caller's statement; writes and reads in transactions bypass
    the cache."""
    error: str | None
    """The code of the error that the caller got, or its class where it is none of ours."""


Hook = Callable[[OperationRecord], None]


class _Session(Protocol):
    def current(self) -> OpenTransaction | None: ...
    async def read(self, request: Read[T]) -> T: ...
    async def read_many(self, request: ReadMany[T]) -> Mapping[Hashable, T]: ...
    async def write(self, request: Write[T]) -> T: ...


class _Trace:
    """What becomes known of an operation while it runs."""

    __slots__ = ("asked", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self.asked = False

    def seen(self, rows: int) -> None:
        """The database was asked, and returned or wrote so many rows."""
        self.rows += rows
        self.asked = True


class Hooks:
    """The hooks of one database: functions that take an `OperationRecord`.

    They are called on the event loop, when the operation is over and before its caller goes on, so they must be quick. One
    that raises is logged, and the operation is what it was.
    """

    def __init__(self) -> None:
        self._hooks: list[Hook] = []

    def __len__(self) -> int:
        return len(self._hooks)

    def add(self, hook: Hook) -> Hook:
        """Have `hook` told of every operation from now on; usable as a decorator.

        Raises:
            ValidationFailedError: it cannot be called, or is a coroutine function, which nobody would await.
        """
        if not _is_plain_function(hook):
            raise ValidationFailedError(
                "a hook must be a plain function that takes the record",
                "Write `def`, not `async def`; start a task in it for what has to wait.",
                operation="hooks.add",
            )
        self._hooks.append(hook)
        return hook

    def remove(self, hook: Hook) -> None:
        """Do not tell `hook` any more. Doing it twice is harmless."""
        if hook in self._hooks:
            self._hooks.remove(hook)

    async def read(self, entity_type: str, operation: str, session: _Session, request: Read[T]) -> T:
        """Have `session` answer, and tell of it."""
        in_transaction = session.current() is not None
        with self._telling(entity_type, operation, request.statement().sql, bypass=in_transaction) as trace:
            return await session.read(replace(request, watch=trace.seen))

    async def read_many(
        self, entity_type: str, operation: str, session: _Session, request: ReadMany[T]
    ) -> Mapping[Hashable, T]:
        """Have `session` answer many questions, and tell of it once."""
        sql = request.by.select(request.keys_of(request.asked)).sql
        in_transaction = session.current() is not None
        with self._telling(entity_type, operation, sql, bypass=in_transaction) as trace:

            def decode(asked: Collection[Hashable], rows: Sequence[Any]) -> Mapping[Hashable, T]:
                trace.seen(len(rows))
                return request.decode(asked, rows)

            return await session.read_many(replace(request, decode=decode))

    async def write(self, entity_type: str, operation: str, session: _Session, request: Write[T]) -> T:
        """Have `session` write, and tell of it."""
        with self._telling(entity_type, operation, request.statements[-1].sql, bypass=True) as trace:
            inserted = sum(len(statement.bulk.rows) for statement in request.statements if statement.bulk is not None)

            def effects(results: Sequence[Rows]) -> Effects:
                trace.seen(sum(map(len, results)) + inserted)
                return request.effects(results)

            return await session.write(replace(request, effects=effects))

    @contextmanager
    def _telling(self, entity_type: str, operation: str, statement: str, *, bypass: bool) -> Iterator[_Trace]:
        """Tell of the operation that runs in this block."""
        trace, error, started = _Trace(), None, time.perf_counter()
        try:
            yield trace
        except BaseException as problem:  # a cancellation is told of as well; raised again
            error = problem.code if isinstance(problem, DatabaseError) else type(problem).__name__
            raise
        finally:
            duration = time.perf_counter() - started
            cache: Literal["hit", "miss", "bypass"] = "bypass" if bypass else "miss" if trace.asked else "hit"
            self._tell(OperationRecord(entity_type, operation, statement, duration, trace.rows, cache, error))

    def _tell(self, record: OperationRecord) -> None:
        for hook in tuple(self._hooks):
            try:
                hook(record)
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - logged; who only watches must not change anything
                log_quietly(_log, logging.ERROR, "hook %s failed", getattr(hook, "__qualname__", hook), exc_info=True)


def _is_plain_function(hook: object) -> bool:
    """Whether it can be called and has then done its work; an object with `__call__` may."""
    return callable(hook) and not any(
        is_async(function)
        for function in (hook, type(hook).__call__)
        for is_async in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )
