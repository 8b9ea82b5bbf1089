"""The figures of one database: those of `stats()`, and all of them."""

import asyncio
import os
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from soulspot_db.cache.cache import Cache
from soulspot_db.copies.names import last_backup
from soulspot_db.engine.base import Engine
from soulspot_db.events.publisher import Publisher
from soulspot_db.monitoring.counters import Counters
from soulspot_db.monitoring.details import operations, overall, slow_queries
from soulspot_db.monitoring.history import History, Totals
from soulspot_db.monitoring.monitor import Monitor
from soulspot_db.monitoring.recorder import StatementRecorder
from soulspot_db.registry import EntityRegistry
from soulspot_db.settings import DatabaseSettings

__all__ = ["Statistics"]


class Statistics:
    """Reads the counters of a database's parts. It asks the database nothing, so that it answers whatever became of that.

    Args:
        settings: which database.
        engine: its connections and transactions.
        cache: its entries, in both tiers.
        recorder: its statements.
        monitor: its operations.
        publisher: its events.
        advice: what would make a slow statement faster, where that is known.
        compiled: how many statements are held as text, one for each shape.
    """

    def __init__(
        self,
        *,
        settings: DatabaseSettings,
        engine: Engine,
        cache: Cache,
        recorder: StatementRecorder,
        monitor: Monitor,
        publisher: Publisher,
        advice: Callable[[str], str | None],
        compiled: Callable[[], int],
    ) -> None:
        self._compiled = compiled
        self._settings = settings
        self._engine = engine
        self._cache = cache
        self._recorder = recorder
        self._monitor = monitor
        self._publisher = publisher
        self._advice = advice
        self._history = History(self._totals)
        self._opened = monotonic()
        self._revision: str | None = None

    def start(self, heads: Mapping[str, str]) -> None:
        """The database is open, at these revisions."""
        self._opened = monotonic()
        self._revision = _listed(heads)
        self._history.start()

    def stop(self) -> None:
        """It is closed."""
        self._history.stop()

    async def plain(self) -> dict[str, Any]:
        """Connections, cache and statements."""
        connections = self._engine.connections()
        return {
            "connections": {
                "active": connections.active,
                "idle": connections.total - connections.active,
                "total": connections.total,
                "max_pool_size": connections.maximum,
            },
            "cache": {"memory": self._cache.stats(), "redis": await self._cache.shared_stats()},
            "queries": self._recorder.queries(),
            "top_slow_queries": self._recorder.top_slow_queries(),
        }

    async def full(self) -> dict[str, Any]:
        """These, and everything else that is counted."""
        plain, (counters, timed) = await self.plain(), await asyncio.to_thread(self._timed)
        events, copy = counters.events, counters.last_copy
        return {
            **plain,
            "cache": {**plain["cache"], "entities": self._cache.by_entity()},
            "uptime_s": round(monotonic() - self._opened, 1),
            "database": {
                "type": self._settings.database_type,
                "address": self._settings.address,
                "size_bytes": counters.file_bytes,
                "wal_bytes": counters.wal_bytes,
            },
            **timed,
            "history": self._history.steps,
            "slow_queries": slow_queries(self._recorder.slowest(), self._advice),
            "locks": {
                "waited": counters.waits,
                "waited_ms": round(counters.wait_seconds * 1000, 3),
                "holder": self._engine.activity().holder,
            },
            "transactions": {
                "open": counters.open_transactions,
                "committed": counters.committed,
                "rolled_back": counters.rolled_back,
            },
            "events": {
                "pending": events["pending"],
                "handled": events["handled"],
                "failed": events["failed"] + events["timed_out"] + events["dropped"],
            },
            "compiled": self._compiled(),
            "backup": None if copy is None else {"file": str(copy[0]), "at": copy[1].isoformat(timespec="seconds")},
            "migration": {"revision": self._revision, "head": _listed(EntityRegistry.migration_heads())},
            "last_error": self._monitor.last_error,
        }

    def _timed(self) -> tuple[Counters, dict[str, Any]]:
        """All that takes a while: files are looked at, and percentiles computed."""
        counters = self.counters()
        return counters, {"operations": operations(counters.operations), "latency": overall(counters.operations)}

    def counters(self) -> Counters:
        """All that is counted, at once. Any thread may ask; it looks at files and folders, and so may wait for a disk."""
        monitor, recorder = self._monitor, self._recorder
        file, log = self._sizes()
        operations = tuple(monitor.figures)
        blocks = {each.operation: each for each in operations if not each.entity_type}
        commits, transactions = blocks.get("commit"), blocks.get("transaction")
        return Counters(
            operations=operations,
            errors=monitor.errors.copy(),
            cache=self._cache.counts(),
            statements=recorder.total,
            statement_seconds=recorder.seconds,
            slow_statements=recorder.slow_total,
            connections=self._engine.connections(),
            open_transactions=self._engine.activity().transactions,
            committed=commits.succeeded if commits else 0,
            rolled_back=transactions.errors if transactions else 0,
            waits=monitor.waited,
            wait_seconds=monitor.waited_seconds,
            events=self._publisher.stats(),
            file_bytes=file,
            wal_bytes=log,
            last_copy=last_backup(self._settings),
        )

    def _totals(self) -> Totals:
        figures = tuple(self._monitor.figures)
        return Totals(
            queries=self._recorder.total,
            hits=self._cache.hits,
            misses=self._cache.misses,
            errors=sum(each.errors for each in figures),
            waiting=sum(each.waiting for each in figures),
        )

    def _sizes(self) -> tuple[int | None, int | None]:
        """Bytes of the file and of its write-ahead log; a server's are its own."""
        if self._settings.database_type != "sqlite":
            return None, None
        path = str(self._settings.database_path)
        return _size(path), _size(f"{path}-wal")


def _listed(heads: Mapping[str, str]) -> str | None:
    return ", ".join(sorted(heads.values())) or None


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - what is not there has no size
    except OSError:
        return None
