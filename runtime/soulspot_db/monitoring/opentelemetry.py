"""Spans and metrics of a database for OpenTelemetry; needs `pip install 'soulspot-db[otel]'`."""

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from time import time_ns
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from soulspot_db.errors import ConfigurationError
from soulspot_db.monitoring.codes import OTHER, counted_code
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import resolved

try:
    from opentelemetry import metrics, trace
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.trace import SpanKind, Status, StatusCode
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise ConfigurationError(
        "the library for OpenTelemetry is not installed", "Install it: pip install 'soulspot-db[otel]'"
    ) from error

if TYPE_CHECKING:
    from soulspot_db.database import Database
    from soulspot_db.monitoring.counters import Counters
    from soulspot_db.monitoring.record import OperationRecord
    from soulspot_db.settings import DatabaseSettings

__all__ = ["instrument"]

Attributes: TypeAlias = dict[str, str | int]
Look: TypeAlias = Callable[["Counters"], Iterable[tuple[int, Attributes]]]
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)  # seconds, as the conventions say


def instrument(
    db: "Database[Any]",
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Callable[[], None]:
    """Tell OpenTelemetry of every operation of `db` from now on, by its semantic conventions for databases.

    Each operation that did not end in this process's memory becomes a span, a child of the one that was current where it was called.
    Transactions and their COMMIT are spans beside those of the operations in them.

    Args:
        db: the database; it need not be open yet.
        tracer_provider: where spans go; by default to the global provider.
        meter_provider: where metrics go; by default to the global provider.

    Returns:
        What undoes it. Doing it twice is harmless.
    """
    release = version("soulspot-db")
    provider = meter_provider or metrics.get_meter_provider()
    meter = provider.get_meter("soulspot_db", release)
    told = _Telling(db.settings, trace.get_tracer("soulspot_db", release, tracer_provider), meter)
    db.hooks.add(told)
    observed = _observed.get(provider)
    if observed is None:
        observed = _observed[provider] = _Observed(meter)
    observed.add(db)

    def undo() -> None:
        db.hooks.remove(told)
        observed.remove(db)

    return undo


class _Telling:
    """A hook: makes a span and a measurement of each record.

    It is called in the task of the caller, when the operation is over: what is current there is the parent, although the
    statement may have run in another task, with those of other callers.
    """

    def __init__(self, settings: "DatabaseSettings", tracer: trace.Tracer, meter: metrics.Meter) -> None:
        self._tracer = tracer
        self._database = _database(settings)
        self._known: dict[tuple[str, str], tuple[str, Attributes]] = {}
        self._durations = meter.create_histogram(
            "db.client.operation.duration",
            "s",
            "Duration of database client operations.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )

    def __call__(self, record: "OperationRecord") -> None:
        if record.entity_type and not record.statement:
            return  # memory answered at once, or a handler of an event has ended: neither is a call of the database
        name, attributes = self._of(record.entity_type, record.operation)
        self._span(record, name, attributes)
        if record.error is not None:
            code = counted_code(record.error)
            attributes = {**attributes, "error.type": "_OTHER" if code == OTHER else code}
        self._durations.record(record.duration, attributes)

    def _span(self, record: "OperationRecord", name: str, attributes: Attributes) -> None:
        end = time_ns()
        # What a sampler may decide by is there from the beginning; all else is for those that are kept.
        span = self._tracer.start_span(
            name,
            kind=SpanKind.CLIENT,
            attributes={**attributes, "db.query.text": record.statement} if record.statement else attributes,
            start_time=end - round(record.duration * 1e9),
        )
        if span.is_recording():
            span.set_attributes(
                {
                    "soulspot_db.rows": record.rows,
                    "soulspot_db.cache": record.cache,
                    "soulspot_db.waiting": record.waiting,
                }
            )
            if record.place is not None:
                file, _, line = record.place.rpartition(":")
                span.set_attributes({"code.file.path": file, "code.line.number": int(line)} if file else {})
            if record.error is not None:
                span.set_attribute("error.type", record.error)
                span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def _of(self, entity: str, operation: str) -> tuple[str, Attributes]:
        """The name of a span, and what is the same for all calls of one operation."""
        known = self._known.get((entity, operation))
        if known is None:
            attributes = {**self._database, "db.operation.name": operation}
            target = str(self._database["db.namespace"])
            if entity:
                target = resolved(EntityRegistry.get_schema(entity)).spec.table_name
                attributes |= {"db.collection.name": target, "soulspot_db.entity": entity}
            known = self._known[entity, operation] = (f"{operation} {target}", attributes)
        return known


def _database(settings: "DatabaseSettings") -> Attributes:
    """Which database it is. Of several servers nobody knows which one has answered."""
    if settings.database_type == "sqlite":
        return {"db.system.name": "sqlite", "db.namespace": settings.address}
    hosts, ports, name = settings.servers
    server: Attributes = {"server.address": hosts[0], "server.port": ports[0]} if len(hosts) == 1 else {}
    return {"db.system.name": "postgresql", "db.namespace": name, **server}


class _Observed:
    """What is looked at when somebody collects, and costs nothing between: connections, and answers of the cache.

    All databases of one provider share it, because the callbacks of an instrument that is made a second time are never called.
    """

    def __init__(self, meter: metrics.Meter) -> None:
        self._databases: list[Database[Any]] = []
        meter.create_observable_up_down_counter(
            "db.client.connection.count",
            [self._observing(_connections)],
            "{connection}",
            "Connections that are in the state that the attribute names.",
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.max",
            [self._observing(_maximum)],
            "{connection}",
            "How many connections there may be.",
        )
        meter.create_observable_counter(
            "soulspot_db.cache.hits",
            [self._observing(_hits)],
            "{answer}",
            "Answers that a tier of the cache had.",
        )
        meter.create_observable_counter(
            "soulspot_db.cache.misses",
            [self._observing(_misses)],
            "{answer}",
            "Answers that it did not have.",
        )

    def add(self, db: "Database[Any]") -> None:
        """Look at it from now on."""
        self._databases.append(db)

    def remove(self, db: "Database[Any]") -> None:
        """Do not look at it any more. Doing it twice is harmless."""
        if db in self._databases:
            self._databases.remove(db)

    def _observing(self, look: "Look") -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observe(_options: CallbackOptions) -> Iterator[Observation]:
            for db in tuple(self._databases):
                pool = {"db.client.connection.pool.name": db.settings.address}
                for number, attributes in look(db.counters()):
                    yield Observation(number, {**pool, **attributes})

        return observe


def _connections(counters: "Counters") -> Iterator[tuple[int, Attributes]]:
    connections = counters.connections
    yield connections.active, {"db.client.connection.state": "used"}
    yield connections.total - connections.active, {"db.client.connection.state": "idle"}


def _maximum(counters: "Counters") -> Iterator[tuple[int, Attributes]]:
    yield counters.connections.maximum, {}


def _hits(counters: "Counters") -> Iterator[tuple[int, Attributes]]:
    for (tier, entity), counts in counters.cache.items():
        yield counts.hits, {"soulspot_db.cache.tier": tier, "soulspot_db.entity": entity}


def _misses(counters: "Counters") -> Iterator[tuple[int, Attributes]]:
    for (tier, entity), counts in counters.cache.items():
        yield counts.misses, {"soulspot_db.cache.tier": tier, "soulspot_db.entity": entity}


_observed: WeakKeyDictionary[metrics.MeterProvider, _Observed] = WeakKeyDictionary()
