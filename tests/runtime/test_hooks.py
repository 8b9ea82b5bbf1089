"""Hooks: one record for every operation, whatever became of it."""

import asyncio
import functools

import homes
import pytest
import support
from soulspot_db import (
    ConstraintViolationError,
    DatabaseError,
    EntityRegistry,
    EntitySchema,
    Repository,
    ValidationFailedError,
)
from support import locked, outside, until, within

DATABASES = homes.BOTH


@pytest.fixture
def records(db):
    found = []
    db.hooks.add(found.append)
    return found


def told(records):
    return [(record.entity_type, record.operation, record.rows, record.cache, record.error) for record in records]


async def test_every_operation_yields_one_record(db, records):
    await db.save("counter", {"name": "a"})
    await db.save_many("counter", [{"name": "b"}, {"name": "c"}])
    await db.get("counter", "a")
    await db.get_many("counter", ["a", "b", "none"])
    await db.query("counter", {"value": 0}, limit=2)
    await db.count("counter")
    await db.exists("counter", {"value": 0})
    await db.update("counter", "a", {"value": 1})
    await db.update_where("counter", {"value": 0}, {"value": 2})
    await db.delete("counter", "a")
    await db.delete("counter", "a")
    await db.delete_where("counter", {"value": 2})
    assert told(records) == [
        ("counter", "save", 1, "bypass", None),
        ("counter", "save_many", 2, "bypass", None),
        ("counter", "get", 1, "miss", None),
        ("counter", "get_many", 1, "miss", None),
        ("counter", "query", 2, "miss", None),
        ("counter", "count", 1, "miss", None),
        ("counter", "exists", 1, "miss", None),
        ("counter", "update", 1, "bypass", None),
        ("counter", "update_where", 2, "bypass", None),
        ("counter", "delete", 1, "bypass", None),
        ("counter", "delete", 0, "bypass", None),
        ("counter", "delete_where", 2, "bypass", None),
    ]


async def test_what_is_answered_from_memory_is_a_hit_without_rows(db, records):
    await db.save("counter", {"name": "a"})
    for _ in range(2):
        await db.get("counter", "a")
        await db.query("counter")
    assert told(records)[1:] == [
        ("counter", "get", 1, "miss", None),
        ("counter", "query", 1, "miss", None),
        ("counter", "get", 0, "hit", None),
        ("counter", "query", 0, "hit", None),
    ]


async def test_typed_repositories_yield_records_as_well(db, records):
    class Counters(Repository):
        schema = support.CounterSchema

    await db.save("counter", {"name": "a"})
    for _ in range(2):
        await Counters(db)._get("a")
        await Counters(db)._get_many(["a"])
    assert told(records)[1:] == [
        ("counter", "get", 1, "miss", None),
        ("counter", "get_many", 0, "hit", None),
        ("counter", "get", 0, "hit", None),
        ("counter", "get_many", 0, "hit", None),
    ]


async def test_inside_a_transaction_the_cache_is_bypassed(db, records):
    async with db.transaction() as tx:
        await db.save("counter", {"name": "a"})
        await tx.get("counter", "a")
    assert told(records) == [
        ("counter", "save", 1, "bypass", None),
        ("counter", "get", 1, "bypass", None),
        ("", "commit", 0, "bypass", None),
        ("", "transaction", 0, "bypass", None),
    ]


async def test_a_record_has_the_statement_without_values_and_how_long_it_took(db, records):
    await db.save("counter", {"name": "secret-name"})
    (record,) = records
    assert record.statement.startswith("INSERT INTO counters")
    assert "secret" not in record.statement
    assert 0 < record.duration < 5
    with pytest.raises(AttributeError):
        record.rows = 2


async def test_what_fails_or_is_cancelled_is_told_with_its_error(open_database):
    db, records = await open_database(connection_pool_size=1, max_overflow=0), []
    db.hooks.add(records.append)
    await db.save("counter", {"name": "a"})
    with pytest.raises(ConstraintViolationError):
        await db.save("counter", {"name": "a"})
    async with locked(db):
        holding = asyncio.create_task(db.save("counter", {"name": "b"}))
        await until(lambda: db._engine.connections().active)
        waiting = asyncio.create_task(db.save("counter", {"name": "c"}))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(5, waiting)
    await within(5, holding)
    assert told(records)[1:] == [
        ("counter", "save", 0, "bypass", "DATABASE_CONSTRAINT_VIOLATION"),
        ("counter", "save", 0, "bypass", "CancelledError"),
        ("counter", "save", 1, "bypass", None),
    ]


async def test_a_hook_that_raises_is_logged_and_changes_nothing(db, records, caplog):
    @db.hooks.add
    def broken(record):
        raise RuntimeError("broken hook")

    db.hooks.add(records.append)
    assert await db.save("counter", {"name": "a"}) == "a"
    assert len(records) == 2
    assert "broken failed" in caplog.text


class Counting:
    """A hook that has no hash, and always fails."""

    __hash__ = None

    def __init__(self):
        self.calls = 0

    def __call__(self, record):
        self.calls += 1
        raise RuntimeError("broken hook")


async def test_a_hook_that_always_raises_is_called_each_time_and_logged_once_a_minute(db, caplog, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("soulspot_db.monitoring.hooks.monotonic", lambda: now)
    broken, other = Counting(), Counting()
    db.hooks.add(broken)
    db.hooks.add(other)
    for _ in range(20):
        await db.get("counter", "a")
    assert broken.calls == other.calls == 20
    assert caplog.text.count("is not logged for a minute") == 2
    now += 61
    await db.get("counter", "a")
    assert caplog.text.count("is not logged for a minute") == 4
    db.hooks.remove(broken)
    db.hooks.add(broken)
    await db.get("counter", "a")
    assert caplog.text.count("is not logged for a minute") == 5


async def test_a_hook_that_was_removed_is_told_nothing_more(db, records):
    heard = []

    @db.hooks.add
    def hook(record):
        heard.append(record)

    db.hooks.remove(hook)
    db.hooks.remove(hook)
    await db.save("counter", {"name": "a"})
    assert (len(records), heard) == (1, [])


async def test_without_a_hook_no_record_is_made(db, monkeypatch):
    monkeypatch.setattr("soulspot_db.monitoring.monitor.OperationRecord", None)
    await db.save("counter", {"name": "a"})
    for _ in range(2):
        assert await db.get("counter", "a") is not None


async def test_a_hook_that_raises_a_cancellation_is_logged_and_the_write_is_what_it_was(db, caplog):
    @db.hooks.add
    def broken(record):
        raise asyncio.CancelledError

    assert await db.save("counter", {"name": "a"}) == "a"
    assert await db.get("counter", "a") == {"name": "a", "value": 0}
    assert "broken failed" in caplog.text


async def never(record):
    raise AssertionError


class Never:
    async def __call__(self, record):
        raise AssertionError


@pytest.mark.parametrize("hook", [5, None, "print", never, functools.partial(never), Never(), Never().__call__])
async def test_a_hook_that_cannot_be_called_or_would_never_be_awaited_is_refused(db, hook):
    with pytest.raises(ValidationFailedError, match="hook"):
        db.hooks.add(hook)
    assert len(db.hooks) == 0


async def test_a_read_that_fails_was_no_hit(open_database):
    db, records = await open_database(), []
    db.hooks.add(records.append)
    async with db.transaction():
        pass
    records.clear()
    outside(db, "DROP TABLE counters")
    with pytest.raises(DatabaseError):
        await db.count("counter")
    assert [(record.cache, record.error) for record in records] == [("miss", "DATABASE_QUERY_FAILED")]


async def test_of_rows_that_are_asked_for_together_the_statement_that_ran_is_told(open_database):
    db, records = await open_database(inline_reads=False), []
    await db.save_many("counter", [{"name": name} for name in "abc"])
    db.hooks.add(records.append)
    await asyncio.gather(*(db.get("counter", name, fresh=True) for name in "abc"))
    assert {record.statement for record in records} == {records[0].statement}
    assert any(word in records[0].statement for word in (" IN ", " any("))


async def test_the_line_of_a_schema_that_was_written_beside_its_use_is_the_callers(open_database):
    class HereSchema(EntitySchema):
        entity_type = "here"
        table_name = "here"
        fields = {"id": {"type": "integer", "primary_key": True}}

    EntityRegistry.register("here", HereSchema)
    db, records = await open_database(slow_query_threshold=1e-6), []
    await db.create_table("here")
    db.hooks.add(records.append)
    await db.count("here")
    assert records[0].place.startswith(f"{__file__}:")
