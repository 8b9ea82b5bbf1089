"""`{started_at: {gt: {field: created_at}}}`: one field of a row compared with another, in queries."""

import datetime as dt

import pytest
from language_support import TaskSchema
from soulspot_db import Repository, UnknownFieldError, ValidationFailedError
from soulspot_db.schema import resolved

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
TASK = resolved(TaskSchema)


class TaskRepository(Repository):
    schema = TaskSchema


@pytest.fixture
async def tasks(db):
    """One that started at once, one that waited, one that never did."""
    for name, started in (("at once", NOW), ("waited", NOW + dt.timedelta(hours=1)), ("never", None)):
        await db.save("task", {"name": name, "created_at": NOW, "started_at": started, "owner": name})
    return TaskRepository(db)


def other(operator, field="created_at"):
    return {"started_at": {operator: {"field": field}}}


async def names(db, where):
    return [row["name"] for row in await db.query("task", where, "name")]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (other("eq"), ["at once"]),
        (other("ne"), ["waited"]),
        (other("gt"), ["waited"]),
        (other("gte"), ["at once", "waited"]),
        (other("lt"), []),
        (other("lte"), ["at once"]),
        (other("eq", "started_at"), ["at once", "waited"]),
        ({"not": other("gt")}, ["at once"]),
        ({"or": [other("gt"), {"started_at": None}]}, ["never", "waited"]),
        ({"name": {"eq": {"field": "owner"}, "ne": "never"}}, ["at once", "waited"]),
        ({"started_at": {"gte": {"field": "created_at"}, "lt": NOW + dt.timedelta(minutes=1)}}, ["at once"]),
        ({"status": {"lt": {"field": "owner"}}}, ["waited"]),
    ],
)
async def test_rows_are_found_by_comparing_their_fields(db, tasks, where, expected):
    assert await names(db, where) == expected
    assert await db.count("task", where) == len(expected)
    assert await tasks._exists(where) == bool(expected)
    found = await tasks._query(where, order_by="name", limit=None, offset=0)
    assert [row.name for row in found] == expected


async def test_writes_take_such_filters_too(db, tasks):
    assert await db.update_where("task", other("gt"), {"priority": 9}) == 1
    assert await names(db, {"priority": 9}) == ["waited"]
    assert await db.delete_where("task", other("eq")) == 1
    assert await names(db, None) == ["never", "waited"]


async def test_a_statement_with_a_value_is_not_taken_for_one_with_a_field(db, tasks):
    for _ in range(2):
        assert await names(db, other("gt")) == ["waited"]
        assert await names(db, {"started_at": {"gt": NOW + dt.timedelta(hours=2)}}) == []
        assert await names(db, other("gt", "started_at")) == []


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        (other("gt", "craeted_at"), UnknownFieldError, "did you mean 'created_at'?"),
        (other("gt", None), UnknownFieldError, "no field None"),
        (other("gt", ["created_at"]), UnknownFieldError, "no field"),
        (other("gt", "name"), ValidationFailedError, "of different types and cannot be compared"),
        ({"priority": {"gt": {"field": "created_at"}}}, ValidationFailedError, "of different types"),
        (other("in"), ValidationFailedError, "in takes a list"),
        ({"started_at": {"in": [{"field": "created_at"}]}}, ValidationFailedError, "expected a datetime, got dict"),
        ({"started_at": {"gt": {"field": "created_at", "more": 1}}}, ValidationFailedError, "expected a datetime"),
        ({"started_at": {"field": "created_at"}}, ValidationFailedError, "operator 'field' of started_at is unknown"),
    ],
)
async def test_what_cannot_be_compared_is_refused(db, where, error, message):
    with pytest.raises(error) as caught:
        await db.query("task", where)
    assert message in str(caught.value)


async def test_to_json_such_a_mapping_is_a_value(db):
    key = await db.save("file", {"data": {"field": "settings"}, "settings": {"a": 1}})
    assert [row["id"] for row in await db.query("file", {"data": {"eq": {"field": "settings"}}})] == [key]
