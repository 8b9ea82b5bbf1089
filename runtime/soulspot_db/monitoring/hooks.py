"""Hooks: whoever wants to know is told of every operation, and nobody else pays for it."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from time import monotonic
from typing import TypeAlias

from soulspot_db.errors import ValidationFailedError
from soulspot_db.monitoring.quiet import log_quietly
from soulspot_db.monitoring.record import OperationRecord

__all__ = ["Hook", "Hooks"]

Hook: TypeAlias = Callable[[OperationRecord], None]
_log = logging.getLogger("soulspot_db.monitoring")
_APART = 60.0  # seconds


class Hooks:
    """The hooks of one database: functions that take an `OperationRecord`.

    They are called on the event loop, when the operation is over and before its caller goes on, so they must be quick. One
    that raises is logged, once a minute at most, and the operation is what it was.
    """

    def __init__(self) -> None:
        self.listening: list[Hook] = []
        """Those who are told; empty is what most calls see, and must cost nothing."""
        self._logged: dict[int, float] = {}  # by their ids: a hook need have no hash

    def __len__(self) -> int:
        return len(self.listening)

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
        self.listening.append(hook)
        return hook

    def remove(self, hook: Hook) -> None:
        """Do not tell `hook` any more. Doing it twice is harmless."""
        if hook in self.listening:
            removed = self.listening.pop(self.listening.index(hook))
            self._logged.pop(id(removed), None)

    def tell(self, record: OperationRecord) -> None:
        """Tell every hook."""
        for hook in tuple(self.listening):
            try:
                hook(record)
            except (Exception, asyncio.CancelledError):  # noqa: BLE001 - logged; who only watches must not change anything
                self._log(hook)

    def _log(self, hook: Hook) -> None:
        """Say that it failed, unless that was said a moment ago: what fails once may fail with every operation."""
        now = monotonic()
        if now - self._logged.get(id(hook), -_APART) >= _APART:
            self._logged[id(hook)] = now
            message = "hook %s failed; if it fails again, that is not logged for a minute"
            log_quietly(_log, logging.ERROR, message, getattr(hook, "__qualname__", hook), exc_info=True)


def _is_plain_function(hook: object) -> bool:
    """Whether it can be called and has then done its work; an object with `__call__` may."""
    return callable(hook) and not any(
        is_async(function)
        for function in (hook, type(hook).__call__)
        for is_async in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )
