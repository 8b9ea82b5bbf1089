"""What a check says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "Finding", "failed", "fine", "warned"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer, in words for the person who runs SoulSpot."""

    status: Literal["ok", "warn", "fail"]
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """A question about one database.

    Args:
        name: its key in the answer.
        ask: answers it; what it raises is a failure.
        waits_for: what it waits for, in words; asked where no answer comes in time.
        lasts: seconds for which its answer is given again, because it costs more than a statement.
    """

    name: str
    ask: Callable[[], Awaitable[Finding]]
    waits_for: Callable[[], str]
    lasts: float = 0.0


def fine(message: str) -> Finding:
    """Nothing is to be done."""
    return Finding("ok", message)


def warned(message: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding("warn", message)


def failed(message: str) -> Finding:
    """It does not work."""
    return Finding("fail", message)
