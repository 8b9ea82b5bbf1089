"""The one place that every operation passes: it is timed, counted, and told to hooks."""

from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from time import perf_counter
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar

from soulspot_db.cache.region import MISS
from soulspot_db.errors import DatabaseError
from soulspot_db.monitoring.codes import counted_code
from soulspot_db.monitoring.figures import Figures, OperationFigures
from soulspot_db.monitoring.hooks import Hooks
from soulspot_db.monitoring.loops import LoopWatch
from soulspot_db.monitoring.place import calling_place
from soulspot_db.monitoring.record import CacheOutcome, OperationRecord
from soulspot_db.monitoring.recorder import StatementRecorder
from soulspot_db.sessions.operations import Read, ReadMany, Write
from soulspot_db.trace import Trace

__all__ = ["Monitor"]

T = TypeVar("T")
_ONE = frozenset({"get", "get_or_raise", "get_by"})
_WAITED = 0.001  # seconds; less is the way to a lane and back


class _Session(Protocol):
    def at_once(self, request: Read[T]) -> Any: ...
    async def read(self, request: Read[T]) -> T: ...
    async def read_many(self, request: ReadMany[T]) -> Mapping[Hashable, T]: ...
    async def write(self, request: Write[T]) -> T: ...


class _HasText(Protocol):
    @property
    def sql(self) -> str: ...


class _Said(NamedTuple):
    sql: str


class Monitor:
    """The operations of one database.

    Args:
        recorder: of its statements.
        slow: seconds from which it is told where an operation was called.
        loops: notices rows that are read one after another, for developers.
    """

    def __init__(self, recorder: StatementRecorder, slow: float, loops: LoopWatch | None = None) -> None:
        self.hooks = Hooks()
        self._listening = self.hooks.listening
        self.figures = Figures()
        self.errors: dict[str, int] = {}
        """By code; as many as we have, and `other`."""
        self.waited = 0
        self.waited_seconds = 0.0
        self.last_error: dict[str, str] | None = None
        self._recorder = recorder
        self._slow = slow
        self._loops = loops

    def remembered(self, figures: OperationFigures, peek: Callable[[], Any]) -> Any:
        """The answer of memory, or MISS."""
        started = perf_counter()
        found = peek()
        if found is not MISS:
            figures.hits += 1
            if self._listening:
                took = perf_counter() - started
                record = OperationRecord(figures.entity_type, figures.operation, "", took, took, 0.0, 0, "hit", None)
                self.hooks.tell(record)
        return found

    def at_once(self, figures: OperationFigures, session: _Session, request: Read[T]) -> Any:
        """What the database says without a wait, or MISS; then the operation goes on."""
        trace = request.trace = Trace()
        try:
            found = session.at_once(request)
        except DatabaseError as problem:
            self._over(figures, trace, problem.code, request)
            raise
        if found is not MISS:
            self._over(figures, trace, None, request)
        return found

    async def read(self, figures: OperationFigures, session: _Session, request: Read[T]) -> T:
        """Have `session` answer."""
        trace = request.trace = request.trace or Trace()
        with _Watched(self, figures, trace, request):
            return await session.read(request)

    async def read_many(
        self, figures: OperationFigures, session: _Session, request: ReadMany[T]
    ) -> Mapping[Hashable, T]:
        """Have `session` answer many questions, which are one operation."""
        trace = request.trace = Trace()
        with _Watched(self, figures, trace, request):
            return await session.read_many(request)

    async def write(self, figures: OperationFigures, session: _Session, request: Write[T]) -> T:
        """Have `session` write."""
        trace = request.trace = Trace()
        trace.bypassed = True
        with _Watched(self, figures, trace, request):
            return await session.write(request)

    def ended(self, operation: str, trace: Trace, error: BaseException | None, statement: str = "") -> None:
        """A transaction, a COMMIT or a migration is over."""
        trace.bypassed = True
        self._over(self.figures.of("")[operation], trace, None if error is None else _code(error), _Said(statement))

    def handled(self, topic: str, seconds: float, outcome: str) -> None:
        """A handler of an event has ended. Topics are the application's, and may be many: they are counted together."""
        error = None if outcome == "handled" else outcome
        self.figures.of("")["handle"].add(seconds, seconds, 0, failed=error is not None)
        if error is not None:
            self._count(error)
        if self._listening:
            self.hooks.tell(OperationRecord(topic, "handle", "", seconds, 0.0, seconds, 0, "bypass", error))

    def _count(self, error: str) -> None:
        code = counted_code(error)
        self.errors[code] = self.errors.get(code, 0) + 1

    def _over(self, figures: OperationFigures, trace: Trace, error: str | None, asked: _HasText) -> None:
        duration = perf_counter() - trace.started
        # Parts of it may have run at the same time.
        running = trace.running if trace.running < duration else duration  # noqa: FURB136 - every call passes here
        figures.add(duration, running, trace.rows, failed=error is not None)
        if trace.queued >= _WAITED:
            self.waited += 1
            self.waited_seconds += trace.queued
        if error is not None:
            self._count(error)
            self.last_error = {"code": error, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        if self._loops is not None and trace.asked and figures.operation in _ONE:
            self._loops.reads_one(figures.entity_type, (figures.within,))
        is_slow = duration >= self._slow
        if not is_slow and not self._listening:
            return
        sql = trace.sql or asked.sql
        module, place = calling_place((figures.within,)) if is_slow else (None, None)
        if module is not None and place is not None:
            self._recorder.called_at(sql, place)
        cache: CacheOutcome = "bypass" if trace.bypassed else "miss" if trace.asked or error is not None else "hit"
        waiting = duration - running
        self.hooks.tell(
            OperationRecord(
                figures.entity_type,
                figures.operation,
                sql,
                duration,
                waiting,
                running,
                trace.rows,
                cache,
                error,
                module,
                place,
            )
        )


class _Watched:
    """A block that is an operation."""

    __slots__ = ("_asked", "_figures", "_monitor", "_trace")

    def __init__(self, monitor: Monitor, figures: OperationFigures, trace: Trace, asked: _HasText) -> None:
        self._monitor = monitor
        self._figures = figures
        self._trace = trace
        self._asked = asked

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A cancellation is told of as well.
        code = None if error is None else _code(error)
        self._monitor._over(self._figures, self._trace, code, self._asked)  # noqa: SLF001 - one thing in two classes


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, DatabaseError) else type(error).__name__
