"""What is at the edge of a type comes back as it was, and can be written again."""

import datetime as dt

import homes
import pytest
from soulspot_db import EntityRegistry, EntitySchema, ValidationFailedError

DATABASES = homes.BOTH

LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC)


class EdgeSchema(EntitySchema):
    entity_type = "edge"
    table_name = "edges"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "data": {"type": "json", "nullable": True},
        "floats": {"type": "list", "items": "float", "nullable": True},
        "at": {"type": "datetime", "nullable": True},
    }


@pytest.fixture
async def edges(db):
    EntityRegistry.register("edge", EdgeSchema)
    await db.create_table("edge")
    return db


def exactly(value):
    """With the types, because 1 == 1.0."""
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    return [exactly(item) for item in value] if isinstance(value, list) else (type(value), value)


@pytest.mark.parametrize("number", [1e16, -1e16, 1.5e17, 1e20, 1e22, 1.7976931348623157e308, 1e15, 5e-324, 1e-7])
async def test_a_float_in_json_comes_back_as_that_float_and_can_be_written_again(edges, number):
    value = {"e+": [number, {"x": number}], "text": 'a "1e+16" e+'}
    one, several = await edges.save("edge", {"data": value}), await edges.save_many("edge", [{"data": value}] * 2)
    for key in (one, *several):
        found = (await edges.get("edge", key, fresh=True))["data"]
        assert exactly(found) == exactly(value)
        assert await edges.update("edge", key, {"data": found})
        assert exactly((await edges.get("edge", key, fresh=True))["data"]) == exactly(value)
    assert await edges.count("edge", {"data": {"eq": value}}, fresh=True) == 3


@pytest.mark.parametrize("number", [1e16, 1e20, 1e308])
async def test_a_float_in_a_list_comes_back_as_that_float(edges, number):
    key = await edges.save("edge", {"floats": [number, 0.5]})
    assert exactly((await edges.get("edge", key, fresh=True))["floats"]) == exactly([number, 0.5])


@pytest.mark.parametrize("moment", [dt.datetime(1, 1, 1, tzinfo=dt.UTC), LAST, LAST - dt.timedelta(microseconds=1)])
async def test_the_first_and_the_last_moment_come_back_as_utc(edges, moment):
    key = await edges.save("edge", {"at": moment})
    found = (await edges.get("edge", key, fresh=True))["at"]
    assert (found, found.tzinfo) == (moment, dt.UTC)
    assert await edges.update("edge", key, {"at": found})
    assert (await edges.query("edge", {"at": moment}, fresh=True))[0]["at"] == moment
    assert await edges.count("edge", {"at": {"lte": "9999-12-31T23:59:59.999999Z", "gte": "0001-01-01T00:00:00Z"}}) == 1


@pytest.mark.parametrize("name", ["data", "floats"])
async def test_rows_cannot_be_ordered_by_what_has_no_order(edges, name):
    with pytest.raises(ValidationFailedError, match=f"{name}: (json|list) values have no order"):
        await edges.query("edge", order_by=["id", f"{name} desc"])
