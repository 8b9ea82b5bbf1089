"""What opening a database does where its tables are not those that the code was generated for."""

import asyncio
import sqlite3

import pytest
from soulspot_db import Database, DatabaseSettings, MigrationRequiredError, SchemaAheadError
from soulspot_db_entities import MIGRATION_HEAD


async def test_opening_a_database_that_is_behind_says_which_command_to_run(settings):
    with pytest.raises(MigrationRequiredError) as raised:
        await Database(settings).open()
    error = raised.value
    assert error.code == "DATABASE_MIGRATION_REQUIRED"
    assert f"DATABASE={settings.database_path} soulspot-db migrate" in error.resolution
    assert error.context["head"] == MIGRATION_HEAD
    assert not settings.database_path.exists()


async def test_opening_a_database_that_is_at_the_head_works(migrated):
    async with Database(migrated) as db:
        assert await db.count("track") == 0


async def test_auto_migrate_brings_the_database_to_the_head_as_it_opens(tmp_path):
    settings = DatabaseSettings(database_path=tmp_path / "soulspot.db", auto_migrate=True, _env_file=None)
    async with Database(settings) as db:
        await db.save("artist", {"name": "Nina Simone"})
    async with Database(settings) as db:
        assert await db.count("artist") == 1


async def test_auto_migrate_finds_the_migrations_wherever_the_program_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = DatabaseSettings(database_path=tmp_path / "soulspot.db", auto_migrate=True, _env_file=None)
    async with Database(settings) as db:
        assert await db.count("playlist") == 0


async def test_opening_a_database_that_is_ahead_is_refused(migrated):
    with sqlite3.connect(migrated.database_path) as connection:
        connection.execute("UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")
    connection.close()
    with pytest.raises(SchemaAheadError):
        await Database(migrated).open()


async def test_two_databases_may_be_migrated_and_opened_at_once(tmp_path):
    paths = (tmp_path / "one.db", tmp_path / "other.db", tmp_path / "one.db")
    opened = [Database(DatabaseSettings(database_path=path, auto_migrate=True, _env_file=None)) for path in paths]
    async with asyncio.timeout(30):
        await asyncio.gather(*(db.open() for db in opened))
        for db in opened:
            assert await db.count("artist") == 0
            await db.close()


async def test_a_file_that_another_process_has_locked_does_not_stop_the_event_loop(migrated):
    other = sqlite3.connect(migrated.database_path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    impatient = migrated.model_copy(update={"pool_timeout": 0.3})
    opening = asyncio.create_task(Database(impatient).open())
    turns = 0
    while not opening.done():
        await asyncio.sleep(0.01)
        turns += 1
    other.close()
    assert turns > 10
    await asyncio.gather(opening, return_exceptions=True)
