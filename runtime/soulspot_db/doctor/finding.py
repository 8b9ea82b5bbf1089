"""What one look has found: how grave it is, what it means, and what to do."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Finding", "Level", "must", "note", "ok"]

Level: TypeAlias = Literal["ok", "note", "must"]
"""Nothing to do; something to know, or to do one day; something to do now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `resolution` is what to do, as numbered steps in one string, and empty where there is nothing. `check` is the name in the table of
    checks, which whoever runs it adds.
    """

    level: Level
    message: str
    resolution: str = ""
    check: str = ""

    def to_dict(self) -> dict[str, str]:
        """The finding for a program that reads it."""
        return {"check": self.check, "level": self.level, "message": self.message, "resolution": self.resolution}


def ok(message: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", message)


def note(message: str, *steps: str) -> Finding:
    """It is good to know; the steps may wait."""
    return Finding("note", message, _numbered(steps))


def must(message: str, *steps: str) -> Finding:
    """It harms, or soon will; the steps are to be done now."""
    return Finding("must", message, _numbered(steps))


def _numbered(steps: tuple[str, ...]) -> str:
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
