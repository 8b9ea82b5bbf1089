"""The counts of a database as Prometheus reads them; needs `pip install 'soulspot-db[prometheus]'`."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from soulspot_db.errors import ConfigurationError

try:
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "prometheus_client":
        raise
    raise ConfigurationError(
        "the library for Prometheus is not installed", "Install it: pip install 'soulspot-db[prometheus]'"
    ) from error

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from soulspot_db.database import Database
    from soulspot_db.monitoring.counters import Counters
    from soulspot_db.monitoring.figures import OperationFigures

__all__ = ["DatabaseCollector", "metrics_text"]

Values: TypeAlias = Mapping[Any, float]
"""What there is, by the values of labels, which are a tuple."""
Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)
_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OPERATION = ("entity", "operation")


class DatabaseCollector(Collector):
    """Tells a registry of Prometheus what one database has counted: `registry.register(DatabaseCollector(db))`.

    It reads counts that exist anyway, when it is asked, without a word to the database; any thread may ask. Labels take as many
    values as schemas have entities and operations.

    Args:
        db: the database; it need not be open yet, or any more.
    """

    def __init__(self, db: "Database[Any]") -> None:
        self._db = db

    def collect(self) -> "Iterator[Metric]":
        """All metrics, as they are now."""
        counters = self._db.counters()
        yield _gauge(
            "build_info",
            "The version of soulspot-db and the kind of database; always 1.",
            {(_version(), self._db.settings.database_type): 1},
            ("version", "database_type"),
        )
        yield from _operations(counters)
        yield from _cache(counters)
        yield from _statements(counters)
        yield from _connections(counters)
        yield from _events(counters)
        yield from _files(counters)


def metrics_text(db: "Database[Any]") -> tuple[bytes, str]:
    """The answer to Prometheus: the metrics of a database as text, and the content type of that.

    It looks at files, as `Database.counters` says, and asks the database nothing. Any thread may call it.
    """
    return generate_latest(DatabaseCollector(db)), CONTENT_TYPE_LATEST


def _operations(counters: "Counters") -> "Iterator[Metric]":
    called = counters.operations
    yield _counter(
        "operations",
        "Calls: answered from memory at once (hit), otherwise done (ok), or ended by an error or a cancellation (error).",
        dict(chain.from_iterable(map(_outcomes, called))),
        (*_OPERATION, "outcome"),
    )
    yield _durations(called)
    yield _counter(
        "operation_waiting_seconds",
        "Time in which calls waited: for a connection, the writer, a lock of the cache.",
        {(each.entity_type, each.operation): each.waiting for each in called},
        _OPERATION,
    )
    yield _counter(
        "rows",
        "Rows that the database returned or wrote.",
        {(each.entity_type, each.operation): each.rows for each in called},
        _OPERATION,
    )
    yield _counter(
        "errors",
        "Calls ended by an error, by its code; what has no code of ours is other.",
        {(code,): count for code, count in counters.errors.items()},
        ("code",),
    )


def _outcomes(figures: "OperationFigures") -> Iterator[tuple[tuple[str, ...], int]]:
    for outcome, count in (("hit", figures.hits), ("ok", figures.succeeded), ("error", figures.errors)):
        yield (figures.entity_type, figures.operation, outcome), count


def _durations(called: "Iterable[OperationFigures]") -> HistogramMetricFamily:
    family = HistogramMetricFamily(
        "soulspot_db_operation_duration_seconds",
        "How long calls took that were not answered from memory at once, from the call until its answer.",
        labels=_OPERATION,
    )
    for each in called:
        bins = each.latencies.bins
        family.add_metric((each.entity_type, each.operation), _folded(bins), each.waiting + each.running)
    return family


def _folded(bins: Mapping[float, int]) -> list[tuple[str, float]]:
    """How many durations there are up to each bucket's bound. A bin, 2 % wide, goes where its middle does."""
    found = [0] * (len(_BUCKETS) + 1)
    for seconds, count in bins.items():
        found[bisect_left(_BUCKETS, seconds)] += count
    return list(zip([*map(str, _BUCKETS), "+Inf"], accumulate(found), strict=True))


def _cache(counters: "Counters") -> "Iterator[Metric]":
    by = ("tier", "entity")
    hits = {key: counts.hits for key, counts in counters.cache.items()}
    misses = {key: counts.misses for key, counts in counters.cache.items()}
    yield _counter("cache_hits", "Answers that a tier of the cache had.", hits, by)
    yield _counter("cache_misses", "Answers that it did not have.", misses, by)


def _statements(counters: "Counters") -> "Iterator[Metric]":
    yield _counter("statements", "Statements that the database ran.", {(): counters.statements})
    yield _counter("statement_seconds", "Time in which they ran.", {(): counters.statement_seconds})
    yield _counter(
        "slow_statements", "Those slower than the slow_query_threshold setting.", {(): counters.slow_statements}
    )


def _connections(counters: "Counters") -> "Iterator[Metric]":
    connections = counters.connections
    states = {("active",): connections.active, ("idle",): connections.total - connections.active}
    yield _gauge("connections", "Connections that are at work, or are not.", states, ("state",))
    yield _gauge("connections_max", "How many connections there may be.", {(): connections.maximum})
    yield _gauge("open_transactions", "Transactions that are open.", {(): counters.open_transactions})
    ended = {("committed",): counters.committed, ("rolled_back",): counters.rolled_back}
    yield _counter("transactions", "Transactions that have ended.", ended, ("outcome",))
    yield _counter("lock_waits", "Calls that waited for the writer, a connection or a lock.", {(): counters.waits})
    yield _counter("lock_wait_seconds", "How long they waited.", {(): counters.wait_seconds})


def _events(counters: "Counters") -> "Iterator[Metric]":
    ended = {(name,): counters.events[name] for name in ("handled", "failed", "timed_out", "dropped")}
    yield _gauge("events_pending", "Events that wait or are being handled.", {(): counters.events["pending"]})
    yield _counter("events", "What became of events, once for each handler.", ended, ("outcome",))


def _files(counters: "Counters") -> "Iterator[Metric]":
    copied = None if counters.last_copy is None else counters.last_copy[1].timestamp()
    for name, help_, value in (
        ("file_bytes", "Size of the database's file.", counters.file_bytes),
        ("wal_bytes", "Size of its write-ahead log.", counters.wal_bytes),
        ("last_backup_timestamp_seconds", "When the newest backup was made, in Unix time.", copied),
    ):
        if value is not None:
            yield _gauge(name, help_, {(): value})


def _counter(name: str, help_: str, values: Values, labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    return _filled(CounterMetricFamily(f"soulspot_db_{name}", help_, labels=labels), values)


def _gauge(name: str, help_: str, values: Values, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return _filled(GaugeMetricFamily(f"soulspot_db_{name}", help_, labels=labels), values)


def _filled(family: Family, values: Values) -> Family:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


@cache
def _version() -> str:
    return version("soulspot-db")
