"""What exporters read: everything that is counted, as it is at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from soulspot_db.engine.base import Connections
from soulspot_db.monitoring.figures import OperationFigures

__all__ = ["Counters", "TierCounts"]


class TierCounts(NamedTuple):
    """How often one tier of the cache had the answer, and how often it did not."""

    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class Counters:
    """All counts since the database was made, and what there is at this moment. Times are seconds.

    Each count only ever grows, also for a thread that reads while another one counts.
    """

    operations: Sequence[OperationFigures]
    errors: Mapping[str, int]
    """By code; those that are not ours under `other`."""
    cache: Mapping[tuple[str, str], TierCounts]
    """By tier, `memory` or `redis`, and entity."""
    statements: int
    statement_seconds: float
    slow_statements: int
    connections: Connections
    open_transactions: int
    committed: int
    rolled_back: int
    waits: int
    wait_seconds: float
    events: Mapping[str, int]
    """As `EventBus.stats` says."""
    file_bytes: int | None
    wal_bytes: int | None
    last_copy: tuple[Path, datetime] | None
    """The newest backup, and when it was made."""
