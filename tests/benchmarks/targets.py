"""What soulspot-db is to reach: ratios of figures of one run."""

from collections.abc import Mapping
from dataclasses import dataclass

from workloads import BULK, CACHED, COLD, GETS, GROUPS, INCLUDE, MANY, PAGE, QUERY, SAVE, SAVES, TRANSACTION, UPSERT

__all__ = ["TARGETS", "Target"]

OURS = "soulspot-db"
Seconds = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Target:
    """One ratio: `faster` times as fast as a peer at least, or `within` so many times its time."""

    workload: str
    peer: str
    faster: float | None = None
    within: float | None = None
    peers_workload: str = ""

    def text(self) -> str:
        """What is asked."""
        peers = f" ({self.peers_workload})" if self.peers_workload else ""
        asked = f"{self.faster:g}x faster than" if self.faster else f"within {self.within:g}x of"
        return f"{asked} {self.peer}{peers}"

    def reached(self, seconds: Seconds) -> tuple[str, bool] | None:
        """What was reached and whether that is enough; None where one of both did not take part."""
        ours = seconds.get(self.workload, {}).get(OURS)
        theirs = seconds.get(self.peers_workload or self.workload, {}).get(self.peer)
        if ours is None or theirs is None:
            return None
        if self.faster:
            return f"{theirs / ours:.1f}x", theirs / ours >= self.faster
        return f"{ours / theirs:.2f}x", ours / theirs <= (self.within or 0)


TARGETS: dict[str, tuple[Target, ...]] = {
    "sqlite": (
        Target(CACHED, "cashews", faster=3),
        Target(CACHED, "advanced-alchemy", faster=300, peers_workload=COLD),
        Target(CACHED, "cachetools", within=3),
        Target(COLD, "advanced-alchemy", faster=40),
        Target(COLD, "aiosqlite", faster=8),
        Target(COLD, "sqlite3", within=2.5),
        Target(GETS, "advanced-alchemy", faster=40),
        Target(MANY, "advanced-alchemy", faster=100, peers_workload=GETS),
        Target(MANY, "sqlite3", within=2),
        Target(QUERY, "advanced-alchemy", faster=5),
        Target(QUERY, "sqlite3", within=2),
        Target(PAGE, "advanced-alchemy", faster=3),
        Target(GROUPS, "SQLAlchemy ORM", faster=3),
        Target(INCLUDE, "advanced-alchemy", faster=3),
        Target(UPSERT, "advanced-alchemy", faster=3),
        Target(SAVE, "advanced-alchemy", faster=5),
        Target(SAVES, "advanced-alchemy", faster=60),
        Target(SAVES, "group commit by hand", within=1.5),
        Target(TRANSACTION, "advanced-alchemy", faster=4),
        Target(BULK, "advanced-alchemy", faster=5),
        Target(BULK, "sqlite3", within=2),
    ),
    "postgresql": (
        Target(COLD, "advanced-alchemy", faster=4),
        Target(COLD, "asyncpg", within=1.3),
        Target(GETS, "advanced-alchemy", faster=30),
        Target(MANY, "advanced-alchemy", faster=100, peers_workload=GETS),
        Target(MANY, "asyncpg", within=2),
        Target(QUERY, "advanced-alchemy", faster=5),
        Target(PAGE, "advanced-alchemy", faster=3),
        Target(GROUPS, "SQLAlchemy ORM", faster=3),
        Target(INCLUDE, "advanced-alchemy", faster=3),
        Target(UPSERT, "advanced-alchemy", faster=3),
        Target(SAVE, "advanced-alchemy", faster=5),
        Target(SAVES, "advanced-alchemy", faster=60),
        Target(TRANSACTION, "advanced-alchemy", faster=4),
        Target(BULK, "advanced-alchemy", faster=5),
    ),
}
MIXED_FASTER = 10  # than the ORM as SoulSpot 2 sets it up, and without one error
