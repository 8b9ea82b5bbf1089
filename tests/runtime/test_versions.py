"""A version field: of two who have read the same row, the second to write is told."""

import asyncio

import homes
import pytest
from soulspot_db import (
    EntityRegistry,
    EntitySchema,
    Repository,
    SchemaInvalidError,
    ValidationFailedError,
    VersionConflictError,
)

DATABASES = homes.BOTH


class NoteSchema(EntitySchema):
    entity_type = "note"
    table_name = "notes"
    natural_key = "name"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "name": {"type": "string", "unique": True},
        "text": {"type": "string", "default": ""},
        "revision": {"type": "integer", "version": True},
    }
    queries = {"clear": {"update": {"text": ""}, "where": {"name": {"param": "name"}}}}


class Notes(Repository):
    schema = NoteSchema


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("versions")) as home:
        EntityRegistry.register("note", NoteSchema)
        home.prepare(lambda db: db.create_table("note"))
        yield home


@pytest.fixture
async def notes(db):
    EntityRegistry.register("note", NoteSchema)
    return Notes(db)


async def saved(notes):
    return await notes._save(notes._plan.schema.create_model(name="n"))


def changes(notes, **values):
    return notes._plan.schema.update_model(**values)


async def test_it_begins_at_one_and_every_update_counts_it_up(notes, db):
    row = await saved(notes)
    assert row.revision == 1
    assert (await notes._update(row.id, changes(notes, text="a"))).revision == 2
    await db.update("note", "n", {"text": "b"})
    await db.update_where("note", {"name": "n"}, {"text": "c"})
    await notes._named_write("clear", {"name": "n"})
    await db.upsert("note", {"name": "n", "text": "d"})
    assert (await notes._get(row.id)).revision == 6


async def test_an_update_with_the_version_that_was_read_is_stored_once(notes, db, told):
    row = await saved(notes)
    assert (await notes._update(row.id, changes(notes, text="mine", revision=row.revision))).revision == 2
    with pytest.raises(VersionConflictError, match="revision is not 1 any more") as caught:
        await notes._update(row.id, changes(notes, text="theirs", revision=row.revision))
    assert caught.value.context["field"] == "revision"
    with pytest.raises(VersionConflictError):
        await db.update("note", "n", {"text": "theirs", "revision": 1})
    assert (await notes._get(row.id)).text == "mine"
    await db.events.settle()
    assert [data.get("fields") for _, data in told] == [None, ["text"]]


async def test_of_twenty_who_have_read_the_same_one_writes(notes):
    row = await saved(notes)
    outcomes = await asyncio.gather(
        *(notes._update(row.id, changes(notes, text=f"{n}", revision=1)) for n in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(outcome, VersionConflictError) for outcome in outcomes) == 1
    assert (await notes._get(row.id)).revision == 2


async def test_a_row_that_is_not_there_is_no_conflict(notes, db):
    row = await saved(notes)
    await notes._delete(row.id)
    assert await notes._update(row.id, changes(notes, text="x", revision=1)) is None
    assert await db.update("note", "n", {"text": "x", "revision": 1}) is False


async def test_many_rows_have_no_version_in_common(notes, db):
    await saved(notes)
    with pytest.raises(ValidationFailedError, match="which each row has for itself"):
        await db.update_where("note", {"name": "n"}, {"text": "x", "revision": 1})


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ({"type": "text", "version": True}, "for an integer"),
        ({"type": "integer", "version": True, "nullable": True}, "for an integer"),
        ({"type": "integer", "version": True, "primary_key": True}, "a key is never changed"),
    ],
)
def test_what_cannot_count_is_refused_with_the_schema(field, problem):
    class Broken(EntitySchema):
        entity_type = "broken"
        table_name = "brokens"
        fields = {"v": field} if "primary_key" in field else {"id": {"type": "uuid", "primary_key": True}, "v": field}

    with pytest.raises(SchemaInvalidError, match=problem):
        EntityRegistry.register("broken", Broken)


def test_one_field_counts():
    class Twice(EntitySchema):
        entity_type = "twice"
        table_name = "twices"
        fields = {
            "id": {"type": "uuid", "primary_key": True},
            "a": {"type": "integer", "version": True},
            "b": {"type": "integer", "version": True},
        }

    with pytest.raises(SchemaInvalidError, match="'a' counts the changes already"):
        EntityRegistry.register("twice", Twice)
