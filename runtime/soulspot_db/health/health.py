"""Runs the checks: all at once, each for a second at most, and once for all who ask meanwhile."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Iterable
from typing import Any

from soulspot_db.errors import DatabaseError
from soulspot_db.health.finding import Check, Finding, failed
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["Health"]

_log = logging.getLogger("soulspot_db.monitoring")
_PATIENCE = 1.0  # seconds
_WORDS = {"ok": "ok", "warn": "degraded", "fail": "failing"}


class Health:
    """The health of one database.

    Args:
        checks: what is asked.
    """

    def __init__(self, checks: Iterable[Check]) -> None:
        self._runs = [_Run(check) for check in checks]
        self._report: asyncio.Task[dict[str, Any]] | None = None

    async def report(self) -> dict[str, Any]:
        """The answer of every check, and of all together, within two seconds. It raises nothing of its own."""
        loop = asyncio.get_running_loop()
        if self._report is None or self._report.done() or self._report.get_loop() is not loop:
            # In an empty context, so that it joins nobody's transaction.
            self._report = loop.create_task(self._ask(), name="soulspot-db health", context=contextvars.Context())
        # Whoever is cancelled leaves alone: others may wait for the same answer.
        return await asyncio.shield(self._report)

    async def _ask(self) -> dict[str, Any]:
        answers = await asyncio.gather(*(run.answer() for run in self._runs))
        checks = {run.name: answer for run, answer in zip(self._runs, answers, strict=True)}
        worst = max((answer["status"] for answer in answers), key=list(_WORDS).index, default="ok")
        return {"status": _WORDS[worst], "checks": checks}


class _Run:
    """One check, its last answer, and its asking where that has not ended."""

    def __init__(self, check: Check) -> None:
        self.name = check.name
        self._check = check
        self._asking: asyncio.Task[dict[str, Any]] | None = None
        self._last: dict[str, Any] | None = None
        self._answered = float("-inf")

    async def answer(self) -> dict[str, Any]:
        if self._last is not None and time.monotonic() - self._answered < self._check.lasts:
            return self._last
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        # One that hangs is not asked again beside itself: each would take a thread or a connection, until none is left.
        if self._asking is None or self._asking.done() or self._asking.get_loop() is not loop:
            self._asking = loop.create_task(self._ask(), name=f"soulspot-db health {self.name}")
        done, _ = await asyncio.wait({self._asking}, timeout=_PATIENCE)
        if done and not self._asking.cancelled():
            return self._asking.result()
        if not self._check.lasts:
            self._asking.cancel()  # its place in a queue; a thread cannot be stopped, and its answer is of use later
        return _told(failed(f"no answer within {_PATIENCE:g} s: waited for {self._check.waits_for()}"), began)

    async def _ask(self) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            finding = await self._check.ask()
        except DatabaseError as error:
            finding = failed(f"{error.code}: {error.message}")
        except Exception as error:  # noqa: BLE001 - logged and told: a check that breaks is a failure, not an error page
            log_quietly(_log, logging.ERROR, "the check %r of the health failed", self.name, exc_info=True)
            finding = failed(f"{type(error).__name__}; the log says more")
        answer = _told(finding, began)
        # A failure is looked at anew each time, so that the end of it is seen at once.
        self._last = None if finding.status == "fail" else answer
        self._answered = time.monotonic()
        return answer


def _told(finding: Finding, began: float) -> dict[str, Any]:
    latency = round((time.perf_counter() - began) * 1000, 3)
    return {"status": finding.status, "latency_ms": latency, "message": finding.message}
