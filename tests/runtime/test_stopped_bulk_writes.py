"""A write in batches that stops says how many rows it has written, and never that nothing was."""

import homes
import pytest
import support
from soulspot_db import (
    ConstraintViolationError,
    DatabaseError,
    EntityRegistry,
    EntitySchema,
    QueryTimeoutError,
    Repository,
    ValidationFailedError,
)
from soulspot_db.schema import resolved

DATABASES = homes.BOTH
NUMBERS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT ?) SELECT id FROM n"


class Counters(Repository):
    schema = support.CounterSchema


class OwnerSchema(EntitySchema):
    entity_type = "owner"
    table_name = "owners"
    fields = {"id": {"type": "integer", "primary_key": True}}


class OwnedSchema(EntitySchema):
    entity_type = "owned"
    table_name = "owneds"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "owner_id": {"type": "integer", "references": "demo.owner"},
    }


def rows(*values):
    return [{"name": f"c{number}", "value": value} for number, value in enumerate(values)]


@pytest.fixture
async def counted(db):
    await db.save_many("counter", rows(1, 2, 3, 4, 5))
    return db


async def test_a_stream_that_meets_a_row_that_does_not_fit_tells_its_number_and_how_many_are_written(db):
    with pytest.raises(ValidationFailedError) as caught:
        await db.save_stream("counter", rows(1, 2, 3, "x", 5), batch_size=2)
    assert (caught.value.context["written"], caught.value.context["row"]) == (2, 4)
    assert caught.value.message.endswith("; the batches before have written 2 rows")
    assert "nothing was written" not in str(caught.value)
    assert "2. Go on with what is left: 2 rows stay written" in caught.value.resolution
    assert await db.count("counter") == 2


async def test_a_stream_that_meets_a_row_that_is_there_already_tells_how_many_are_written(db):
    with pytest.raises(ConstraintViolationError, match="have written 4 rows") as caught:
        await db.save_stream("counter", [*rows(1, 2, 3, 4, 5), *rows(1)], batch_size=2)
    assert caught.value.context["written"] == 4
    assert await db.count("counter") == 4


async def test_a_stream_of_models_tells_how_many_are_written_before_what_is_none(db):
    new = resolved(support.CounterSchema).create_model
    with pytest.raises(
        ValidationFailedError, match=r"takes one CounterCreate, got int; .* have written 1 row"
    ) as caught:
        await Counters(db)._save_stream([new(name="a"), 5], batch_size=1)
    assert caught.value.context["written"] == 1


async def test_a_row_that_is_no_dict_has_a_number_too(db):
    with pytest.raises(
        ValidationFailedError, match=r"takes a dict of fields, got int; .* have written 1 row"
    ) as caught:
        await db.save_stream("counter", [*rows(1), 5], batch_size=1)
    assert (caught.value.context["written"], caught.value.context["row"]) == (1, 2)


async def test_in_the_first_batch_nothing_is_written(db):
    with pytest.raises(ValidationFailedError) as caught:
        await db.save_stream("counter", rows(1, "x"))
    assert caught.value.context["written"] == 0
    assert "batches before" not in str(caught.value)


async def test_a_change_in_batches_tells_how_many_rows_are_written(db):
    await db.save_many("playlist", [{"name": f"p{number}"} for number in range(4)])
    with pytest.raises(ConstraintViolationError, match="have written 1 row") as caught:
        await db.update_where("playlist", {}, {"spotify_id": "same"}, all_rows=True, batch_size=1)
    assert caught.value.context["written"] == 1
    assert await db.count("playlist", {"spotify_id": "same"}) == 1


@pytest.fixture
async def owners(db):
    for schema in (OwnerSchema, OwnedSchema):
        EntityRegistry.register(schema.entity_type, schema)
        await db.create_table(schema.entity_type)


async def test_a_deletion_in_batches_tells_how_many_rows_are_written(db, owners):
    await db.save_many("owner", [{"id": number} for number in range(1, 5)])
    await db.save("owned", {"id": 1, "owner_id": 4})
    with pytest.raises(DatabaseError, match="have written 3 rows") as caught:
        await db.delete_where("owner", {}, all_rows=True, batch_size=1)
    assert caught.value.context["written"] == 3
    assert await db.count("owner") == 1


async def test_a_write_at_once_says_nothing_of_batches(counted):
    with pytest.raises(ConstraintViolationError) as caught:
        await counted.save_many("counter", rows(1, 2))
    assert "written" not in caught.value.context


@pytest.mark.sqlite_only
async def test_a_deletion_that_takes_too_long_is_told_of_the_fields_that_refer_to_its_rows(open_database):
    db = await open_database(query_timeout=0.2)
    for schema in (OwnerSchema, OwnedSchema):
        EntityRegistry.register(schema.entity_type, schema)
        await db.create_table(schema.entity_type)
    support.outside(db, f"INSERT INTO owners (id) {NUMBERS}", 3000)
    support.outside(db, f"INSERT INTO owneds (id, owner_id) SELECT id, 0 + 1 FROM ({NUMBERS})", 30_000)
    with pytest.raises(QueryTimeoutError) as caught:
        await db.delete_where("owner", {"id": {"gt": 1}})
    assert "3. Or index the fields that refer to owner" in caught.value.resolution


async def later(_written):
    pass


class Later:
    async def __call__(self, _written):
        pass


@pytest.mark.parametrize("progress", [later, Later(), 5, "print"])
async def test_what_cannot_be_told_of_batches_is_refused_before_anything_is_written(counted, progress):
    calls = (
        lambda: counted.save_stream("counter", [{"name": "new", "value": 1}], progress=progress),
        lambda: counted.update_where("counter", {"value": 1}, {"value": 9}, progress=progress),
        lambda: counted.update_where("counter", {"value": 1}, {"value": 9}, batch_size=1, progress=progress),
        lambda: counted.delete_where("counter", {"value": 1}, batch_size=1, progress=progress),
    )
    for call in calls:
        with pytest.raises(ValidationFailedError, match="progress must be a plain function"):
            await call()
    assert await counted.count("counter", {"value": 1}) == 1
