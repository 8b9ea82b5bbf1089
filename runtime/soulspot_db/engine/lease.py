"""What the leases of both databases keep: who holds them, when they began, and whether they are over."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from soulspot_db.monitoring.open_blocks import OpenBlock, OpenBlocks
from soulspot_db.monitoring.quiet import log_quietly

__all__ = ["OpenLease", "abandon_all"]

_log = logging.getLogger("soulspot_db.monitoring")


class OpenLease(ABC):
    """A transaction from when somebody waits for it until its end.

    Args:
        holder: which transaction it is, in words.
        blocks: told of when it has begun and when it is over.
        ended: called with the lease when it is over.
    """

    def __init__(self, holder: str, blocks: OpenBlocks, ended: Callable[[Any], None]) -> None:
        self.holder = holder
        self._blocks = blocks
        self._ended = ended
        self._block: OpenBlock | None = None
        self._over = False

    @property
    def has_begun(self) -> bool:
        """Whether BEGIN was run."""
        return self._block is not None

    def begun(self) -> None:
        """BEGIN was run."""
        self._block = self._blocks.begin(self.holder)

    @property
    def is_over(self) -> bool:
        """Whether it has been ended or abandoned."""
        return self._over

    @abstractmethod
    def abandon(self) -> None:
        """Have it rolled back without waiting."""

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._ended(self)
            if self._block is not None:
                self._blocks.end(self._block)


def abandon_all(leases: Iterable[OpenLease]) -> None:
    """Have every transaction rolled back because the database closes."""
    for lease in tuple(leases):
        if lease.has_begun:
            message = "%s is still open while the database closes; it is rolled back"
            log_quietly(_log, logging.WARNING, message, lease.holder)
        lease.abandon()
