"""Stopping a run from outside: the running statement is interrupted, the next one refused, a COMMIT left to end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, event

from soulspot_db.errors import MigrationError

__all__ = ["Stop", "StoppedError", "current_stop", "entered"]


class StoppedError(MigrationError):
    """The caller wants no more of it. Whoever has asked for that waits for the end, and nobody else meets it."""


class Stop:
    """A request that is made in one thread and obeyed in another.

    Only what is not committed is stopped, so that whoever asks finds in the database what became of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], object] | None = None
        self._is_committing = False
        self.is_requested = False

    def request(self) -> None:
        """Stop as soon as possible."""
        with self._lock:
            self.is_requested = True
            if self._interrupt is not None and not self._is_committing:
                self._interrupt()

    def interrupts(self) -> bool:
        """Whether the running statement is to end: what SQLite asks from time to time, never in a COMMIT."""
        return self.is_requested

    def watch(self, engine: Engine) -> None:
        """Refuse statements of its connections from the request on, but for those that undo."""
        event.listen(engine, "before_cursor_execute", self._look)

    def _look(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        with self._lock:
            if self.is_requested and not statement.startswith("ROLLBACK"):
                raise StoppedError("the run was stopped", "Run it again.", operation="migrate")
            self._is_committing = statement == "COMMIT"

    @contextmanager
    def interrupted_by(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Let a request call this in the block; it is called in the thread that asks."""
        with self._lock:
            self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None


_current: ContextVar[Stop | None] = ContextVar("soulspot_db_stop", default=None)


@contextmanager
def entered(stop: Stop) -> Iterator[None]:
    """Let whatever is begun in the block, in threads as well, find it."""
    token = _current.set(stop)
    try:
        yield
    finally:
        _current.reset(token)


def current_stop() -> Stop:
    """The one that whoever waits for us may ask; one that nobody asks where nobody waits."""
    return _current.get() or Stop()
