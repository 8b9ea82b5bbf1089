"""Spans and metrics: by the conventions, children of whoever called, and none of what never reached the database."""

import asyncio
import importlib
import random
import re
import sys
from collections import Counter

import homes
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.semconv._incubating.attributes import db_attributes as incubating
from opentelemetry.semconv._incubating.metrics import db_metrics as incubating_metrics
from opentelemetry.semconv.attributes import code_attributes, db_attributes, error_attributes, server_attributes
from opentelemetry.semconv.metrics.db_metrics import DB_CLIENT_OPERATION_DURATION
from opentelemetry.trace import NonRecordingSpan, SpanKind, StatusCode
from soulspot_db import ConfigurationError, DatabaseError, EventBus
from soulspot_db.monitoring.opentelemetry import instrument
from support import within

DATABASES = homes.BOTH


class Telemetry:
    """What an application sets up, with exporters that keep everything in memory."""

    def __init__(self, sampler=None):
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(sampler)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.tracer = self.tracers.get_tracer("the application")

    def instrument(self, db):
        return instrument(db, tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self):
        """Those of the database."""
        return [span for span in self.exporter.get_finished_spans() if span.instrumentation_scope.name == "soulspot_db"]

    def metrics(self):
        data = self.reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name):
        return list(self.metrics()[name].data.data_points)


@pytest.fixture
def telemetry():
    made = Telemetry()
    yield made
    made.tracers.shutdown()
    made.meters.shutdown()


async def test_a_span_says_what_the_conventions_ask_for(db, telemetry):
    telemetry.instrument(db)
    await db.save("counter", {"name": "whisper"})
    (span,) = telemetry.spans()
    kind = db.settings.database_type
    assert (span.name, span.kind, span.status.status_code) == ("save counters", SpanKind.CLIENT, StatusCode.UNSET)
    attributes = dict(span.attributes)
    assert attributes[db_attributes.DB_SYSTEM_NAME] == kind
    assert attributes[db_attributes.DB_COLLECTION_NAME] == "counters"
    assert attributes[db_attributes.DB_OPERATION_NAME] == "save"
    assert attributes[db_attributes.DB_QUERY_TEXT].startswith("INSERT INTO counters")
    assert attributes["soulspot_db.entity"] == "counter"
    assert attributes["soulspot_db.cache"] == "bypass"
    if kind == "sqlite":
        assert attributes[db_attributes.DB_NAMESPACE] == str(db.settings.database_path)
        assert server_attributes.SERVER_ADDRESS not in attributes
    else:
        host, port, name = re.fullmatch(r"(.+):(\d+)/(.+)", db.settings.database).groups()
        assert attributes[db_attributes.DB_NAMESPACE] == name
        assert attributes[server_attributes.SERVER_ADDRESS] == host
        assert attributes[server_attributes.SERVER_PORT] == int(port)
    assert "whisper" not in span.to_json()
    assert error_attributes.ERROR_TYPE not in attributes


async def test_every_attribute_is_one_of_the_conventions_or_begins_with_our_name(open_database, telemetry):
    db = await open_database(slow_query_threshold=1e-9)
    telemetry.instrument(db)
    async with db.transaction():
        await db.save("counter", {"name": "a"})
    with pytest.raises(DatabaseError):
        await db.save("counter", {"name": "a"})
    modules = (code_attributes, db_attributes, error_attributes, incubating, server_attributes)
    known = {text for module in modules for text in vars(module).values() if isinstance(text, str)}
    deprecated = {
        getattr(incubating, name)
        for name in ("DB_NAME", "DB_OPERATION", "DB_SYSTEM", "DB_STATEMENT", "DB_SQL_TABLE", "DB_USER")
    }
    used = {name for span in telemetry.spans() for name in span.attributes}
    used |= {name for metric in telemetry.metrics() for point in telemetry.points(metric) for name in point.attributes}
    assert {name for name in used if not name.startswith("soulspot_db.")} <= known - deprecated
    assert {"code.file.path", "code.line.number", "db.client.connection.state"} <= used


async def test_a_span_begins_and_ends_when_its_operation_does(db, telemetry):
    telemetry.instrument(db)
    records = []
    db.hooks.add(records.append)
    with telemetry.tracer.start_as_current_span("request"):
        for number in range(20):
            await db.save("counter", {"name": f"{number}"})
    parent = next(span for span in telemetry.exporter.get_finished_spans() if span.name == "request")
    for span, record in zip(telemetry.spans(), records, strict=True):
        assert (span.end_time - span.start_time) / 1e9 == pytest.approx(record.duration, abs=1e-6)
        assert parent.start_time - 1_000_000 <= span.start_time <= span.end_time <= parent.end_time


async def test_the_parent_is_the_callers_span_under_fifty_tasks_at_once(open_database, telemetry):
    """Reads of one turn are asked together and writes are committed together; each still belongs to its caller."""
    db = await open_database(cache_max_size=0)
    for number in range(50):
        await db.save("counter", {"name": f"{number}"})
    telemetry.instrument(db)
    parents, told = {}, []
    db.hooks.add(told.append)

    async def request(number):
        with telemetry.tracer.start_as_current_span(f"request {number}") as span:
            parents[span.get_span_context().span_id] = number
            await db.get("counter", f"{number}")
            await db.update("counter", f"{number}", {"value": number})
            await db.get_many("counter", [f"{number}", "1"])
            async with db.transaction():
                await db.update("counter", f"{number}", {"value": number + 1})

    statements = (await db.stats())["queries"]["total"]
    await within(20, asyncio.gather(*map(request, range(50))))
    asked = (await db.stats())["queries"]["total"] - statements
    spans = telemetry.spans()
    assert len(spans) == len(told) == 50 * 6
    found = Counter((parents[span.parent.span_id], span.attributes["db.operation.name"]) for span in spans)
    expected = Counter()
    for number in range(50):
        expected.update(
            {
                (number, "get"): 1,
                (number, "update"): 2,
                (number, "get_many"): 1,
                (number, "commit"): 1,
                (number, "transaction"): 1,
            }
        )
    assert found == expected
    traces = {span.parent.span_id: span.context.trace_id for span in spans}
    assert len(set(traces.values())) == 50
    if db.settings.database_type == "postgresql":
        assert asked < 50 * 7, "reads were not asked together, so nothing was shown"


async def test_gets_that_are_asked_in_one_statement_each_have_their_own_parent(open_database, telemetry):
    db = await open_database(cache_max_size=0)
    if db.settings.database_type == "sqlite":
        db._engine.read_now = lambda *_: None  # as for a read that is not finished on the loop
    for number in range(20):
        await db.save("counter", {"name": f"{number}"})
    telemetry.instrument(db)
    before = (await db.stats())["queries"]["total"]

    async def request(number):
        with telemetry.tracer.start_as_current_span("request") as span:
            await db.get("counter", f"{number}")
            return span.get_span_context().span_id

    callers = await asyncio.gather(*map(request, range(20)))
    assert (await db.stats())["queries"]["total"] - before < 5
    assert sorted(span.parent.span_id for span in telemetry.spans()) == sorted(callers)


async def test_writes_of_one_commit_each_have_their_own_parent(db, telemetry):
    telemetry.instrument(db)

    async def request(number):
        with telemetry.tracer.start_as_current_span("request") as span:
            await db.save("counter", {"name": f"{number}"})
            return span.get_span_context().span_id

    callers = await asyncio.gather(*map(request, range(30)))
    assert sorted(span.parent.span_id for span in telemetry.spans()) == sorted(callers)


async def test_operations_in_a_transaction_its_commit_and_itself_are_beside_each_other(db, telemetry):
    telemetry.instrument(db)
    with telemetry.tracer.start_as_current_span("request") as request:
        async with db.transaction():
            await db.save("counter", {"name": "a"})
            await db.count("counter")
    spans = telemetry.spans()
    name = spans[0].attributes["db.namespace"]
    assert [span.name for span in spans] == ["save counters", "count counters", f"commit {name}", f"transaction {name}"]
    assert {span.parent.span_id for span in spans} == {request.get_span_context().span_id}
    assert all(spans[-1].start_time <= span.start_time for span in spans)
    assert spans[2].attributes["db.query.text"] == "COMMIT"
    assert "db.collection.name" not in spans[2].attributes


async def test_without_a_current_span_there_is_no_parent(db, telemetry):
    telemetry.instrument(db)
    await db.count("counter")
    assert telemetry.spans()[0].parent is None


async def test_an_error_has_its_code_and_neither_message_nor_values(db, telemetry):
    await db.save("counter", {"name": "whisper"})
    telemetry.instrument(db)
    with pytest.raises(DatabaseError):
        await db.save("counter", {"name": "whisper"})
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            raise ZeroDivisionError("whisper")
    failed, block = telemetry.spans()
    assert failed.status.status_code == block.status.status_code == StatusCode.ERROR
    assert failed.status.description is None
    assert failed.attributes["error.type"] == "DATABASE_CONSTRAINT_VIOLATION"
    assert block.attributes["error.type"] == "ZeroDivisionError"
    assert "whisper" not in failed.to_json() + block.to_json()
    errors = {point.attributes.get("error.type") for point in telemetry.points("db.client.operation.duration")}
    assert errors == {"DATABASE_CONSTRAINT_VIOLATION", "_OTHER"}


async def test_answers_of_memory_are_no_spans_and_are_counted(db, telemetry):
    telemetry.instrument(db)
    records = []
    db.hooks.add(records.append)
    await db.save("counter", {"name": "a"})
    for _ in range(9):
        await db.get("counter", "a")
    reached = Counter(span.attributes["db.operation.name"] for span in telemetry.spans())
    assert Counter(record.operation for record in records if record.statement) == reached
    assert reached["get"] < 5, "most were answered at once"
    (point,) = [
        point
        for point in telemetry.points("soulspot_db.cache.hits")
        if point.attributes["soulspot_db.entity"] == "counter"
    ]
    assert point.value == db._cache.hits == 8
    assert point.attributes["soulspot_db.cache.tier"] == "memory"
    durations = {
        point.attributes["db.operation.name"]: point.count for point in telemetry.points("db.client.operation.duration")
    }
    assert durations == reached


async def test_handlers_of_events_are_no_spans_and_what_they_do_has_their_own_parent(open_database, telemetry):
    bus = EventBus()
    db = await open_database(events=bus)
    telemetry.instrument(db)

    @bus.subscribe("database.counter.created")
    async def handler(event):
        with telemetry.tracer.start_as_current_span("handler"):
            await db.count("counter")

    with telemetry.tracer.start_as_current_span("request"):
        await db.save("counter", {"name": "a"})
    await bus.settle()
    save, count = telemetry.spans()
    everything = {span.name: span for span in telemetry.exporter.get_finished_spans()}
    assert save.parent.span_id == everything["request"].context.span_id
    assert count.parent.span_id == everything["handler"].context.span_id
    assert everything["handler"].parent is None, "a handler works for nobody: its event may be of many callers"


async def mixed_work(db, choice, amount):
    for _ in range(amount):
        name = f"name {choice.randrange(30)}"
        try:
            match choice.randrange(6):
                case 0:
                    await db.save("counter", {"name": name})
                case 1:
                    await db.update("counter", name, {"value": choice.randrange(9)})
                case 2:
                    await db.query("counter", {"value": choice.randrange(3)})
                case 3:
                    async with db.transaction():
                        await db.delete("counter", name)
                case _:
                    await db.get("counter", name)
        except DatabaseError:
            continue


async def test_spans_and_measurements_of_two_thousand_operations_agree_with_a_hook(open_database, telemetry):
    db, counted, seconds = await open_database(), Counter(), Counter()
    telemetry.instrument(db)

    @db.hooks.add
    def count(record):
        if record.statement or not record.entity_type:
            counted[record.entity_type, record.operation, record.error] += 1
            seconds[record.entity_type, record.operation, record.error] += record.duration

    await asyncio.gather(*(mixed_work(db, random.Random(seed), 100) for seed in range(20)))
    assert counted.total() > 1_000
    found = Counter(
        (
            span.attributes.get("soulspot_db.entity", ""),
            span.attributes["db.operation.name"],
            span.attributes.get("error.type"),
        )
        for span in telemetry.spans()
    )
    assert found == counted
    points = {
        (
            point.attributes.get("soulspot_db.entity", ""),
            point.attributes["db.operation.name"],
            point.attributes.get("error.type"),
        ): point
        for point in telemetry.points("db.client.operation.duration")
    }
    assert {key: point.count for key, point in points.items()} == counted
    for key, point in points.items():
        assert point.sum == pytest.approx(seconds[key])


async def test_metrics_have_the_names_units_and_buckets_of_the_conventions(db, telemetry):
    telemetry.instrument(db)
    await db.count("counter")
    durations = telemetry.metrics()[DB_CLIENT_OPERATION_DURATION]
    assert durations.unit == "s"
    (point,) = durations.data.data_points
    assert list(point.explicit_bounds) == [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
    assert "db.query.text" not in point.attributes
    figures = (await db.stats())["connections"]
    (most,) = telemetry.points(incubating_metrics.DB_CLIENT_CONNECTION_MAX)
    assert most.value == figures["max_pool_size"]
    states = {
        point.attributes[incubating.DB_CLIENT_CONNECTION_STATE]: point.value
        for point in telemetry.points(incubating_metrics.DB_CLIENT_CONNECTION_COUNT)
    }
    assert states == {"used": figures["active"], "idle": figures["idle"]}
    assert most.attributes[incubating.DB_CLIENT_CONNECTION_POOL_NAME] == db.settings.address


async def test_what_is_sampled_out_gets_no_more_attributes_and_is_still_measured(db, monkeypatch):
    telemetry, added = Telemetry(ALWAYS_OFF), []
    for method in ("set_attribute", "set_attributes", "set_status"):
        monkeypatch.setattr(NonRecordingSpan, method, lambda *_, method=method: added.append(method))
    telemetry.instrument(db)
    await db.count("counter")
    assert telemetry.spans() == added == []
    (point,) = telemetry.points("db.client.operation.duration")
    assert point.count == 1


async def test_a_sampler_sees_what_it_may_decide_by(db):
    seen = []

    class Watching(Sampler):
        def should_sample(
            self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None
        ):
            seen.append((name, kind, dict(attributes)))
            return SamplingResult(Decision.DROP)

        def get_description(self):
            return "watching"

    Telemetry(Watching()).instrument(db)
    await db.count("counter")
    ((name, kind, attributes),) = seen
    assert (name, kind) == ("count counters", SpanKind.CLIENT)
    assert {"db.system.name", "db.namespace", "db.query.text", "db.operation.name", "db.collection.name"} <= set(
        attributes
    )
    assert "soulspot_db.waiting" not in attributes


async def test_undoing_it_ends_spans_and_metrics_and_it_can_be_done_again(db, telemetry):
    undo = telemetry.instrument(db)
    await db.count("counter")
    undo()
    undo()
    await db.count("counter", fresh=True)
    assert len(telemetry.spans()) == 1
    assert "db.client.connection.max" not in telemetry.metrics()
    telemetry.instrument(db)
    await db.count("counter", fresh=True)
    assert len(telemetry.spans()) == 2
    assert len(telemetry.points("db.client.connection.max")) == 1


@pytest.mark.sqlite_only
async def test_two_databases_of_one_program_are_told_apart(open_database, tmp_path, telemetry):
    db = await open_database()
    other = await open_database(database_path=tmp_path / "other.db")
    await other.create_table("counter")
    telemetry.instrument(db)
    telemetry.instrument(other)
    await db.count("counter")
    await other.count("counter")
    expected = {str(db.settings.database_path), str(other.settings.database_path)}
    assert {span.attributes["db.namespace"] for span in telemetry.spans()} == expected
    pools = {
        point.attributes["db.client.connection.pool.name"] for point in telemetry.points("db.client.connection.max")
    }
    assert pools == expected


async def test_without_an_sdk_nothing_happens_and_nothing_fails(db, caplog):
    undo = instrument(db)
    await db.save("counter", {"name": "a"})
    undo()
    assert caplog.records == []


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "soulspot_db.monitoring.opentelemetry")
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'soulspot-db[otel]'")):
        importlib.import_module("soulspot_db.monitoring.opentelemetry")
