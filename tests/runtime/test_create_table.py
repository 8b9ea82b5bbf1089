"""`create_table`: makes what is missing, and what it makes says everything the schema says."""

import homes
import pytest
import support
from soulspot_db import Database, EntityRegistry, EntitySchema, TransactionError, UnknownEntityError
from support import outside

DATABASES = homes.ALL


class DefaultsSchema(EntitySchema):
    entity_type = "defaults"
    table_name = "defaults"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "a_uuid": {"type": "uuid", "default": "0190B2D4-1F7E-7C3A-9F00-0123456789AB"},
        "a_text": {"type": "text", "default": 'it\'s a :colon %s \\: "quoted"'},
        "an_integer": {"type": "integer", "default": -5},
        "a_float": {"type": "float", "default": 1},
        "a_decimal": {"type": "decimal", "precision": 6, "scale": 2, "default": "-1.50"},
        "a_boolean": {"type": "boolean", "default": True},
        "a_date": {"type": "date", "default": "2026-11-24"},
        "a_time": {"type": "time", "default": "12:30"},
        "an_enum": {"type": "enum", "values": ["a :b", "c"], "default": "a :b"},
        "a_list": {"type": "list", "items": "text", "default": ["ä", "b"]},
    }


async def test_making_a_table_twice_is_harmless_and_keeps_its_rows(db):
    key = await db.save("playlist", {"name": "Focus"})
    await db.create_table("playlist")
    assert await db.get("playlist", key) is not None


@pytest.mark.sqlite_only
async def test_the_table_is_strict_and_has_the_indexes_of_the_schema(db):
    assert outside(db, "SELECT strict FROM pragma_table_list WHERE name = 'playlists'") == [(1,)]
    names = {name for (name,) in outside(db, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")}
    assert {"uq_playlists_spotify_id", "ix_playlists_status_created_at", "uq_jobs_job_title"} <= names


@pytest.mark.sqlite_only
async def test_a_descending_index_field_is_descending_in_the_database(db):
    rows = outside(db, "SELECT name, desc FROM pragma_index_xinfo('ix_playlists_status_created_at') WHERE key")
    assert rows == [("status", 0), ("created_at", 1)]


@pytest.mark.sqlite_only
async def test_a_key_of_text_is_not_null_and_without_a_rowid_gap(db):
    rows = outside(db, "SELECT name, \"notnull\", pk FROM pragma_table_info('playlist_tracks') WHERE pk ORDER BY pk")
    assert rows == [("playlist_id", 1, 1), ("track_id", 1, 2)]


async def test_a_foreign_key_holds_and_does_what_the_schema_says(db):
    playlist = await db.save("playlist", {"name": "Focus"})
    await db.save("playlist_track", {"playlist_id": playlist, "track_id": "t1"})
    outside(db, "DELETE FROM playlists")
    assert outside(db, "SELECT * FROM playlist_tracks") == []


async def test_a_default_of_the_database_is_the_default_of_the_schema(db):
    EntityRegistry.register("defaults", DefaultsSchema)
    await db.create_table("defaults")
    by_us = await db.get("defaults", await db.save("defaults", {}))
    outside(db, "INSERT INTO defaults DEFAULT VALUES")
    by_the_database = await db.get("defaults", "2")
    assert {**by_the_database, "id": 1} == by_us
    assert by_us["a_text"] == DefaultsSchema.fields["a_text"]["default"]


async def test_a_filter_finds_what_the_database_filled_in(db):
    EntityRegistry.register("defaults", DefaultsSchema)
    await db.create_table("defaults")
    outside(db, "INSERT INTO defaults DEFAULT VALUES")
    row = await db.get("defaults", "1")
    for name in DefaultsSchema.fields:
        assert (name, await db.count("defaults", {name: {"eq": row[name]}})) == (name, 1)


async def test_words_of_sql_are_ordinary_names_of_fields_and_tables(db):
    words = (
        "order",
        "group",
        "select",
        "table",
        "index",
        "values",
        "default",
        "count",
        "type",
        "text",
        "where",
        "rowid",
    )
    fields = {"id": {"type": "integer", "primary_key": True}}
    fields |= {word: {"type": "string", "max_length": 9, "index": True, "default": "x"} for word in words}
    schema = {"entity_type": "transaction", "table_name": "transaction", "fields": fields}
    EntityRegistry.register("transaction", type("TransactionSchema", (EntitySchema,), schema))
    await db.create_table("transaction")
    key = await db.save("transaction", {})
    for word in words:
        assert await db.update("transaction", key, {word: "new"})
        assert len(await db.query("transaction", {word: ["new"]}, f"{word} desc", limit=1)) == 1
    assert await db.delete_where("transaction", dict.fromkeys(words, "new")) == 1


async def test_an_unknown_entity_has_no_table_to_make(db):
    with pytest.raises(UnknownEntityError):
        await db.create_table("song")


async def test_a_reference_to_an_unknown_entity_is_an_error(tmp_path):
    with EntityRegistry.isolated():
        EntityRegistry.register("playlist_track", support.PlaylistTrackSchema)
        async with Database(support.settings(tmp_path / "x.db")) as db:
            with pytest.raises(UnknownEntityError, match="playlist"):
                await db.create_table("playlist_track")


async def test_a_table_made_in_a_transaction_joins_it_and_goes_with_it(tmp_path):
    async with Database(support.settings(tmp_path / "x.db", pool_timeout=1)) as db:
        with pytest.raises(KeyError):
            async with db.transaction():
                await db.create_table("counter")
                await db.save("counter", {"name": "a"})
                raise KeyError
        assert outside(db, "SELECT name FROM sqlite_master") == []


async def test_a_read_only_transaction_makes_no_table(db):
    with pytest.raises(TransactionError):
        async with db.transaction(read_only=True):
            await db.create_table("counter")
