"""Transactions that stay open: where each was opened, and a warning when it takes long."""

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from soulspot_db.monitoring.place import calling_place
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["OpenBlock", "OpenBlocks", "block_of", "opened_here"]

_log = logging.getLogger("soulspot_db.monitoring")


def opened_here() -> str:
    """The current task, and the line outside this package that called into it, as the name of a transaction."""
    return _name(calling_place().line)


def block_of(function: Callable[..., Any]) -> str:
    """The same for a block that is a function: as a task of its own it has no caller, but it has a place."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return opened_here() if code is None else _name(f"{code.co_filename}:{code.co_firstlineno}")


def _name(place: str) -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # made where no loop runs, to be entered in one later
        task = None
    return f"a transaction opened at {place}" + ("" if task is None else f" by task {task.get_name()!r}")


@dataclass(eq=False, slots=True)
class OpenBlock:
    """A transaction that is open. It knows the name alone, so that a lost transaction can be garbage-collected."""

    holder: str
    began: float


class OpenBlocks:
    """The open transactions of one engine; warns of those that stay open.

    They share one timer, which most of them never see: one for each would cost a tenth of a short block.

    Args:
        patience: seconds that a transaction may be open.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._young: dict[OpenBlock, None] = {}  # those not warned of yet, the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, holder: str) -> OpenBlock:
        """A transaction has been opened."""
        block = OpenBlock(holder, time.monotonic())
        self._young[block] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._look)
        return block

    def _look(self) -> None:
        self._timer = None
        for block in tuple(self._young):
            left = block.began + self._patience - time.monotonic()
            if left > 0:
                self._timer = asyncio.get_running_loop().call_later(left, self._look)
                return
            del self._young[block]
            log_quietly(_log, logging.WARNING, "%s has been open for %g s", block.holder, self._patience)

    def end(self, block: OpenBlock) -> None:
        """It has ended; says how long a long one was, also where the loop never turned in time to warn of it."""
        self._young.pop(block, None)
        seconds = time.monotonic() - block.began
        if seconds >= self._patience:
            log_quietly(_log, logging.WARNING, "%s has ended after %.1f s", block.holder, seconds)

    def stop(self) -> None:
        """No transaction is open any more, and no loop need wait for the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
