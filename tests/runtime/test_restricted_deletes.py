"""A row that others refer to is kept where the reference says so, and the error says why."""

import asyncio

import homes
import pytest
import support
from soulspot_db import ConstraintViolationError, Database, DatabaseSettings, EntityRegistry, EntitySchema

DATABASES = ("postgresql",)


async def test_a_row_that_others_refer_to_with_restrict_is_a_violation_when_it_is_deleted(db):
    support.outside(
        db, "ALTER TABLE jobs ADD CONSTRAINT kept FOREIGN KEY (job_title) REFERENCES counters (name) ON DELETE RESTRICT"
    )
    await db.save("counter", {"name": "x"})
    await db.save("job", {"title": "x"})
    with pytest.raises(ConstraintViolationError):
        await db.delete("counter", "x")
    assert await db.count("counter") == 1


class RoomSchema(EntitySchema):
    entity_type = "room"
    table_name = "rooms"
    fields = {"id": {"type": "integer", "primary_key": True}}


class ChairSchema(EntitySchema):
    entity_type = "chair"
    table_name = "chairs"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "room_id": {"type": "integer", "references": "house.room", "on_delete": "restrict"},
    }


async def test_both_databases_call_it_a_foreign_key(any_database):
    db = any_database
    await db.save("room", {"id": 1})
    await db.save("chair", {"id": 1, "room_id": 1})
    for call in (lambda: db.delete("room", "1"), lambda: db.delete_where("room", {"id": 1})):
        with pytest.raises(ConstraintViolationError) as caught:
            await call()
        assert caught.value.context["kind"] == "foreign key"
        assert "delete the rows that refer to this one" in caught.value.resolution


@pytest.fixture(params=homes.BOTH)
async def any_database(request, tmp_path):
    EntityRegistry.register("room", RoomSchema)
    EntityRegistry.register("chair", ChairSchema)

    async def make(db):
        await db.create_table("room")
        await db.create_table("chair")

    with homes.home(request.param, tmp_path) as home:
        await asyncio.to_thread(home.prepare, make)
        copied = tmp_path / "copy"
        copied.mkdir()
        with home.copy(copied) as where:
            async with Database(DatabaseSettings(**where, _env_file=None)) as db:
                yield db
