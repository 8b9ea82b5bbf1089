"""A group commit written by hand, as far as it must go to be measured: one thread, one transaction for all that wait."""

import asyncio
import sqlite3
import threading
from queue import Empty, SimpleQueue
from typing import Any

from data import stored
from peer_sqlite3 import connected
from place import SqlitePlace
from statements import QUESTIONS as SQL

__all__ = ["GroupCommit"]

Job = tuple[tuple[Any, ...], asyncio.Future[None]]


class GroupCommit:
    """Saves only: no models, no rules, no events, and one that fails takes the others along."""

    name = "group commit by hand"
    errors = (sqlite3.Error,)

    def __init__(self, place: SqlitePlace) -> None:
        self._place = place
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, daemon=True)

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def save(self, row: dict[str, Any]) -> None:
        done = self._loop.create_future()
        self._jobs.put((stored(row), done))
        await done

    def _write(self) -> None:
        connection = connected(self._place)
        while (first := self._jobs.get()) is not None:
            group = [first, *self._waiting()]
            connection.execute("BEGIN IMMEDIATE")
            for values, _ in group:
                connection.execute(SQL.save, values)
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(acknowledge, group)
        connection.close()

    def _waiting(self) -> list[Job]:
        waiting: list[Job] = []
        try:
            while (job := self._jobs.get_nowait()) is not None:
                waiting.append(job)
        except Empty:
            pass
        return waiting


def acknowledge(group: list[Job]) -> None:
    """Tell all callers at once."""
    for _, done in group:
        done.set_result(None)
