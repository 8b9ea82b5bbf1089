"""A batch: everything that is asked of the second tier in one turn of the loop, for one round trip."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["Batch", "Found", "UnreachableError"]

Found = Mapping[bytes, bytes | None]
"""The values of names; None where there is none."""


class UnreachableError(Exception):
    """Nobody answered, or not as is needed; never seen by callers, whose answers come from the database then."""


@dataclass(slots=True, eq=False)
class Batch:
    """What is dropped first, then made where it is missing, then kept, and then looked up.

    Nobody minds that others' wishes come before: a look-up that finds less than it could is a miss.
    """

    waiting: "list[asyncio.Future[Found | None]]" = field(default_factory=list)
    drops: set[bytes] = field(default_factory=set)
    stamps: set[bytes] = field(default_factory=set)
    answers: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    names: dict[bytes, None] = field(default_factory=dict)
    size: int | None = None
    wants_size: bool = False

    def answer(self, found: Found | None) -> None:
        """Tell everybody who waits what was found; None where nobody can tell."""
        for future in self.waiting:
            if not future.done():  # whoever waited has been cancelled
                future.set_result(found)

    def look_up(self, names: Iterable[bytes]) -> None:
        """Look these up as well."""
        self.names.update(dict.fromkeys(names))
