"""Loops that load related rows one by one, where one statement would do: the "N+1 queries" of object mappers."""

import asyncio
import logging
import time
from collections.abc import Collection
from weakref import WeakKeyDictionary

from soulspot_db.monitoring.place import calling_place
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["LoopWatch"]

_log = logging.getLogger("soulspot_db.monitoring")
_PAUSE = 1.0  # seconds; what comes later belongs to no loop


class LoopWatch:
    """Counts what each task loads one after another, and warns once for each place in the code.

    Tasks of `gather` are many, and each loads one: those are asked for together and are no loop.

    Args:
        threshold: from how many on it is one; 0 switches it off.
    """

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._counts: WeakKeyDictionary[asyncio.Task[object], dict[tuple[str, str], tuple[int, float]]] = (
            WeakKeyDictionary()
        )
        self._told: set[tuple[str, ...]] = set()

    def loads_one(self, entity: str, relation: str, several: str, within: Collection[str]) -> None:
        """Note that one row's relation is loaded.

        Args:
            entity: the row's entity.
            relation: the relation.
            several: the loader for several rows.
            within: modules whose lines are not the caller's.
        """
        if self._is_loop(entity, relation):
            message = "a loop at %s loads %s of %s one row after another: %s(rows) loads them with one statement"
            self._tell(calling_place(within).line, message, relation, entity, several)

    def reads_one(self, entity: str, within: Collection[str]) -> None:
        """Note that one row is read by its key; arguments as above."""
        if self._is_loop(entity, "get"):
            message = (
                "a loop at %s reads %s one row after another: get_many(keys) reads them with one statement, and "
                "`include` brings the rows of a relation along with those that name them"
            )
            self._tell(calling_place(within).line, message, entity)

    def _is_loop(self, entity: str, what: str) -> bool:
        """Whether this is the one with which it has become a loop."""
        task = asyncio.current_task()
        if not self._threshold or task is None:
            return False
        counts = self._counts.setdefault(task, {})
        count, last = counts.get((entity, what), (0, 0.0))
        now = time.monotonic()
        count = count + 1 if now - last < _PAUSE else 1
        counts[entity, what] = (count, now)
        return count == self._threshold

    def _tell(self, place: str, message: str, *args: str) -> None:
        told = (place, message, *args)  # of several loops nobody may know the place
        if told not in self._told:
            self._told.add(told)
            log_quietly(_log, logging.WARNING, message, place, *args)
