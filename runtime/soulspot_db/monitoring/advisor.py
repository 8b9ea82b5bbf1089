"""Finds out in the background why statements were slow, once for each shape, and tells what would help."""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Any, TypeAlias

from cachetools import LRUCache

from soulspot_db.engine.base import Statement
from soulspot_db.errors import DatabaseError
from soulspot_db.monitoring.quiet import log_quietly
from soulspot_db.monitoring.slow.entities import known_tables
from soulspot_db.monitoring.slow.known import Known

__all__ = ["Advisor", "Explain"]

Explain: TypeAlias = Callable[[Statement, Mapping[str, Known]], Awaitable[str | None]]
"""Says in a sentence which index would help a statement, or None; takes the entities by their tables."""

_log = logging.getLogger("soulspot_db.query")
_MOST = 100  # statements that are remembered, and that wait
_PAUSE = 60.0  # seconds after one that could not be explained
_EXPLAINED = ("SELECT", "UPDATE", "DELETE", "WITH")


class Advisor:
    """The advice for the slow statements of one database.

    What was slow least recently is forgotten; if it is slow again, it is explained again.

    Args:
        explain: asked for one statement after another.
    """

    def __init__(self, explain: Explain) -> None:
        self._explain = explain
        self._found: LRUCache[str, str | None] = LRUCache(_MOST)  # None where nothing helps, or nothing is known yet
        self._waiting: LRUCache[str, Sequence[Any]] = LRUCache(_MOST)
        self._task: asyncio.Task[None] | None = None
        self._is_open = False
        self._failed_at = float("-inf")

    def open(self) -> None:
        """Begin, in this loop; what has not been found out in another one is forgotten."""
        self._is_open, self._task = True, None

    def wonder(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Have it found out why a statement was slow; called on the event loop. Does nothing before `open` and after `close`.

        Args:
            sql: its text.
            values: its values, which say how many rows it finds, and whether a pattern begins with letters. They are kept until it is
                explained, and not told to anybody.
        """
        if sql in self._found:
            self._found[sql]
            return
        if not self._is_open or monotonic() - self._failed_at < _PAUSE:
            return
        if not sql.lstrip()[:6].upper().startswith(_EXPLAINED):
            return
        self._found[sql] = None
        self._waiting[sql] = values
        if self._task is None or self._task.done():
            # In an empty context: it goes on when whoever was slow is done, and is part of no transaction of theirs.
            self._task = asyncio.get_running_loop().create_task(
                self._work(), name="soulspot-db advisor", context=contextvars.Context()
            )

    def advice(self, sql: str) -> str | None:
        """The index that would help a statement, in a sentence; None where none does, or it is not known yet."""
        return self._found.get(sql)

    async def close(self) -> None:
        """Stop finding out. What is known stays known; closing twice is safe."""
        self._is_open = False  # the engine still finishes what was asked, which may be slow
        self._waiting.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _work(self) -> None:
        while self._waiting:
            sql, values = self._waiting.popitem()
            advice = await self._ask(sql, values)
            if advice is not None:
                if sql in self._found:  # else it was forgotten meanwhile
                    self._found[sql] = advice
                log_quietly(_log, logging.WARNING, "%s (%s)", advice, " ".join(sql.split()))

    async def _ask(self, sql: str, values: Sequence[Any]) -> str | None:
        statement = Statement(sql, tuple(values))
        try:
            return await self._explain(statement, await asyncio.to_thread(known_tables))
        except DatabaseError as error:
            # It is slow as well for whoever explains; the next time it is slow, it is tried again.
            self._found.pop(statement.sql, None)
            self._failed_at = monotonic()
            log_quietly(_log, logging.INFO, "a slow statement could not be explained: %s", error.message)
        except Exception:  # noqa: BLE001 - logged; what only watches must not cost anybody anything
            log_quietly(_log, logging.ERROR, "a slow statement could not be explained", exc_info=True)
        return None
