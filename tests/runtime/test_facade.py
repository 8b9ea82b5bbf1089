"""The facade: what feature modules call, exactly as it is documented."""

import datetime as dt
from decimal import Decimal
from unittest.mock import AsyncMock
from uuid import UUID

import homes
import pytest
from soulspot_db import (
    ConnectionFailedError,
    ConstraintViolationError,
    Database,
    DatabaseService,
    DatabaseSettings,
    EntityRegistry,
    EntitySchema,
    NotFoundError,
    ValidationFailedError,
)
from support import outside

DATABASES = homes.BOTH


async def saved(db, **values):
    return await db.save("playlist", {"name": "Focus", **values})


async def test_save_returns_the_new_id_as_text_and_get_finds_the_row(db):
    key = await saved(db)
    assert isinstance(key, str)
    assert UUID(key).version == 7
    found = await db.get("playlist", key)
    assert (found["id"], found["name"]) == (key, "Focus")


async def test_an_id_that_is_given_is_kept(db):
    key = "0190b2d4-1f7e-7c3a-9f00-0123456789ab"
    assert await saved(db, id=key) == key


async def test_a_row_is_returned_with_every_field_and_its_default(db):
    found = await db.get("playlist", await saved(db))
    assert list(found) == list(EntityRegistry.get_schema("playlist").fields)
    assert (found["track_count"], found["status"], found["public"], found["tags"]) == (0, "active", False, [])
    assert found["description"] is None


async def test_get_of_a_missing_row_is_none(db):
    assert await db.get("playlist", "0190b2d4-1f7e-7c3a-9f00-0123456789ab") is None
    assert await db.get("playlist", "spotify:nothing") is None


async def test_get_or_raise_of_a_missing_row_raises(db):
    with pytest.raises(NotFoundError) as caught:
        await db.get_or_raise("playlist", "spotify:nothing")
    assert caught.value.code == "DATABASE_NOT_FOUND"
    assert caught.value.context["entity_type"] == "playlist"


async def test_the_natural_key_finds_changes_and_deletes_a_row(db):
    key = await saved(db, spotify_id="spotify:1")
    assert (await db.get("playlist", "spotify:1"))["id"] == key
    assert await db.update("playlist", "spotify:1", {"name": "Sleep"}) is True
    assert (await db.get("playlist", key))["name"] == "Sleep"
    assert await db.delete("playlist", "spotify:1") is True
    assert await db.get("playlist", key) is None


async def test_the_primary_key_goes_before_a_natural_key_of_the_same_text(db):
    first = await saved(db, name="first")
    second = await saved(db, name="second", spotify_id=first)
    assert (await db.get("playlist", first))["name"] == "first"
    await db.update("playlist", first, {"name": "changed"})
    assert (await db.get("playlist", second))["name"] == "second"
    await db.delete("playlist", first)
    assert (await db.get("playlist", first))["name"] == "second"


async def test_an_id_or_a_natural_key_is_looked_up_in_one_statement(db):
    key = await saved(db, spotify_id="spotify:1")
    for text in (key, "spotify:1"):
        before = (await db.stats())["queries"]["total"]
        await db.get("playlist", text, fresh=True)
        assert (await db.stats())["queries"]["total"] == before + 1


async def test_a_composite_key_is_its_parts_percent_encoded_and_joined_by_commas(db):
    playlist = await saved(db)
    key = await db.save("playlist_track", {"playlist_id": playlist, "track_id": "a,b %", "position": 3})
    assert key == f"{playlist},a%2Cb%20%25"
    assert (await db.get("playlist_track", key))["position"] == 3
    assert await db.update("playlist_track", key, {"position": 4}) is True
    assert await db.delete("playlist_track", key) is True


async def test_what_is_no_key_is_refused_with_the_method_that_takes_another_unique_value(db):
    with pytest.raises(ValidationFailedError) as refused:
        await db.get("job", "a title")
    assert refused.value.resolution == (
        "1. Pass the primary key: id (integer).\n"
        "2. For another unique value, call get_by_title of the typed repository."
    )
    with pytest.raises(ValidationFailedError) as refused:
        await db.get("playlist_track", "a")
    assert "get_by" not in refused.value.resolution


async def test_an_integer_key_is_assigned_by_the_database(db):
    assert [await db.save("job", {"title": title}) for title in "ab"] == ["1", "2"]
    assert (await db.get("job", "2"))["title"] == "b"
    assert await db.save("job", {"id": 7, "title": "c"}) == "7"


async def test_dicts_are_the_callers_own(db):
    given = {"name": "Focus", "tags": ["a"]}
    key = await db.save("playlist", given)
    given["tags"].append("b")
    found = await db.get("playlist", key)
    found["tags"].append("c")
    found["name"] = "changed"
    (listed,) = await db.query("playlist")
    listed.clear()
    assert (await db.get("playlist", key))["tags"] == ["a"]
    assert [row["name"] for row in await db.query("playlist")] == ["Focus"]
    assert given == {"name": "Focus", "tags": ["a", "b"]}


async def test_values_come_in_their_documented_types(db):
    naive = dt.datetime(2026, 7, 1, 12)
    key = await saved(db, price="12.5", rating=4, created_at=naive, updated_at="2026-07-01T14:00:00+02:00")
    found = await db.get("playlist", key)
    assert (found["price"], str(found["price"])) == (Decimal("12.50"), "12.50")
    assert (found["rating"], type(found["rating"])) == (4.0, float)
    assert (found["created_at"], found["created_at"].tzinfo) == (naive.astimezone(dt.UTC), dt.UTC)
    assert found["updated_at"] == dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("field", ["id", "spotify_id"])
async def test_saving_a_value_that_exists_is_a_violation_that_names_upsert(db, field):
    value = "0190b2d4-1f7e-7c3a-9f00-0123456789ab"
    await saved(db, **{field: value})
    with pytest.raises(ConstraintViolationError) as caught:
        await saved(db, **{field: value})
    error = caught.value
    assert error.code == "DATABASE_CONSTRAINT_VIOLATION"
    assert "`upsert`" in error.resolution
    assert error.context["field"] == field
    assert error.context["constraint"]
    assert (error.context["entity_type"], error.context["operation"]) == ("playlist", "save")
    assert value not in str(error)
    assert await db.count("playlist") == 1


async def test_update_says_whether_the_row_exists_and_changes_only_what_is_given(db):
    key = await saved(db, description="quiet", track_count=3)
    assert await db.update("playlist", key, {"track_count": 4}) is True
    found = await db.get("playlist", key)
    assert (found["track_count"], found["description"]) == (4, "quiet")
    assert await db.update("playlist", "spotify:nothing", {"track_count": 4}) is False


async def test_update_with_none_clears_a_field(db):
    key = await saved(db, description="quiet")
    await db.update("playlist", key, {"description": None})
    assert (await db.get("playlist", key))["description"] is None


async def test_update_touches_the_fields_that_follow_the_clock_unless_they_are_given(db):
    old = "2020-01-01T00:00:00+00:00"
    key = await saved(db, updated_at=old)
    await db.update("playlist", key, {"track_count": 1})
    assert (await db.get("playlist", key))["updated_at"] > dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    await db.update("playlist", key, {"updated_at": old})
    assert (await db.get("playlist", key))["updated_at"] == dt.datetime.fromisoformat(old)


async def test_update_with_nothing_says_whether_the_row_exists_and_publishes_nothing(db, told):
    key = await saved(db, spotify_id="spotify:1")
    before = await db.get("playlist", key)
    await db.events.settle()
    told.clear()
    assert await db.update("playlist", key, {}) is True
    assert await db.update("playlist", "spotify:1", {}) is True
    assert await db.update("playlist", "spotify:2", {}) is False
    await db.events.settle()
    assert told == []
    assert await db.get("playlist", key, fresh=True) == before


async def test_changing_a_key_is_an_error(db):
    key = await saved(db)
    with pytest.raises(ValidationFailedError, match="'id' of playlist cannot be changed"):
        await db.update("playlist", key, {"id": key})


async def test_delete_says_whether_there_was_a_row(db):
    key = await saved(db)
    assert await db.delete("playlist", key) is True
    assert await db.delete("playlist", key) is False


async def test_a_query_filters_orders_and_limits(db):
    for number, status in enumerate(["active", "archived", "active", "active"]):
        await saved(db, name=f"p{number}", status=status, created_at=f"2026-01-0{number + 1}T00:00:00+00:00")
    found = await db.query("playlist", {"status": "active"}, "created_at DESC", limit=2)
    assert [row["name"] for row in found] == ["p3", "p2"]
    assert [row["name"] for row in await db.query("playlist", order_by="name", offset=3)] == ["p3"]
    assert [row["name"] for row in await db.query("playlist", limit=1)] == ["p0"]
    assert len(await db.query("playlist", {"status": ["active", "archived"]})) == 4


async def test_count_and_exists_take_the_same_filters(db):
    await saved(db, track_count=5)
    assert await db.count("playlist") == 1
    assert await db.count("playlist", {"track_count": {"gt": 5}}) == 0
    assert await db.exists("playlist", {"track_count": {"gte": 5}}) is True
    assert await db.exists("playlist", {"description": {"ne": None}}) is False


async def test_save_many_stores_all_or_none(db):
    keys = await db.save_many("job", [{"title": title} for title in "abc"])
    assert keys == ["1", "2", "3"]
    with pytest.raises(ConstraintViolationError) as caught:
        await db.save_many("job", [{"title": "d"}, {"title": "a"}])
    assert (caught.value.context["operation"], caught.value.context["field"]) == ("save_many", "title")
    assert await db.count("job") == 3
    assert await db.save_many("job", []) == []


async def test_update_where_and_delete_where_say_how_many_rows_matched(db):
    await db.save_many("job", [{"title": title} for title in "abc"])
    assert await db.update_where("job", {"title": ["a", "b"]}, {"priority": 1}) == 2
    assert await db.update_where("job", {"priority": 1}, {}) == 2
    assert await db.delete_where("job", {"priority": 1}) == 2
    assert await db.delete_where("job", {}, all_rows=True) == 1


async def test_a_feature_can_be_tested_with_a_mock_of_the_service():
    service = AsyncMock(spec=DatabaseService)
    service.get.return_value = {"id": "1"}
    assert await service.get("playlist", "1") == {"id": "1"}
    async with service.transaction() as tx:
        await tx.save("playlist", {})
    with pytest.raises(AttributeError):
        await service.fetch("playlist")


async def test_a_hand_written_schema_works_without_generated_code(db):
    class NoteSchema(EntitySchema):
        entity_type = "note"
        table_name = "notes"
        fields = {"id": {"type": "uuid", "primary_key": True}, "body": {"type": "text"}}

    EntityRegistry.register("note", NoteSchema())
    await db.create_table("note")
    key = await db.save("note", {"body": "hello"})
    assert await db.get("note", key) == {"id": key, "body": "hello"}


async def test_a_database_that_is_not_open_says_so(tmp_path):
    db = Database(DatabaseSettings(database_path=tmp_path / "x.db"))
    with pytest.raises(ConnectionFailedError) as caught:
        await db.get("playlist", "spotify:1")
    assert caught.value.context["database_path"] == str(tmp_path / "x.db")
    with pytest.raises(ConnectionFailedError):
        async with db.transaction():
            pass


async def test_a_sqlalchemy_engine_on_the_same_file_is_the_way_out(db):
    from sqlalchemy import text

    await saved(db)
    engine = db.sqlalchemy_engine()
    try:
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM playlists"))).scalar() == 1
    finally:
        await engine.dispose()


async def test_what_was_acknowledged_is_in_the_file(db):
    await saved(db)
    assert outside(db, "SELECT name FROM playlists") == [("Focus",)]


async def test_get_many_answers_in_the_order_of_its_keys_with_none_for_what_is_missing(db):
    first, second = [await db.save("playlist", {"name": name}) for name in ("a", "b")]
    missing = "0190b2d4-1f7e-7c3a-9f00-0123456789ab"
    rows = await db.get_many("playlist", [second, missing, first, second])
    assert [row and row["name"] for row in rows] == ["b", None, "a", "b"]
    assert rows[0] is not rows[3]
