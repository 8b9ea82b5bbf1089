"""`soulspot-db cache`: what several instances share, from the command line."""

import asyncio
import importlib
import secrets
import shutil

import pytest
import redis_servers
import soulspot_db_entities
from soulspot_db import Database, DatabaseSettings, EntityRegistry


@pytest.fixture(scope="module")
def server():
    with redis_servers.redis_server() as server:
        yield server


@pytest.fixture
def migrated(migrated_file, environment, tmp_path):
    """The tables are there."""
    shutil.copy(migrated_file, tmp_path / "soulspot.db")


@pytest.fixture
def environment(tmp_path, server, monkeypatch):
    """Variables, in a folder that is no project; SoulSpot's own entities are installed."""
    monkeypatch.chdir(tmp_path)
    values = {
        "DATABASE": str(tmp_path / "soulspot.db"),
        "CACHE": server.address,
        "CACHE_PREFIX": f"test.{secrets.token_hex(4)}",
        "DATABASE_AUTO_MIGRATE": "true",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_it_says_how_much_there_is(program, environment, server):
    found = program("cache", "stats")
    assert (found.code, found.err) == (0, "")
    assert server.address in found.out
    assert "keys" in found.out


@pytest.mark.parametrize("command", [["clear"], ["invalidate", "artist"], ["invalidate", "artist:*:name:x"]])
def test_what_it_forgets_other_programs_read_anew(program, migrated, command):
    async def look():
        async with Database(DatabaseSettings(cache_recheck=0)) as db:
            await db.count("artist")
            before = (await db.stats())["queries"]["total"]
            await db.count("artist")
            assert (await db.stats())["queries"]["total"] == before
            found = await asyncio.to_thread(program, "cache", *command)
            assert (found.code, found.err) == (0, "")
            await db.count("artist")
            assert (await db.stats())["queries"]["total"] == before + 1

    with EntityRegistry.isolated():
        importlib.reload(soulspot_db_entities)  # registers them
        asyncio.run(look())


@pytest.mark.parametrize("command", [["stats"], ["clear"]])
def test_it_needs_no_tables(program, environment, tmp_path, command):
    environment.delenv("DATABASE_AUTO_MIGRATE")
    assert program("cache", *command).code == 0
    assert command == ["clear"] or not (tmp_path / "soulspot.db").exists()


def test_to_look_at_it_makes_nobody_forget(program, migrated):
    async def look():
        async with Database(DatabaseSettings(cache_recheck=0)) as db:
            await db.count("artist", fresh=True)
            await db.count("artist")
            before = (await db.stats())["queries"]["total"]
            assert (await asyncio.to_thread(program, "cache", "stats")).code == 0
            await db.count("artist")
            assert (await db.stats())["queries"]["total"] == before

    with EntityRegistry.isolated():
        importlib.reload(soulspot_db_entities)
        asyncio.run(look())


def test_to_have_something_forgotten_changes_no_tables(program, environment):
    found = program("cache", "invalidate", "artist")
    assert found.code == 1
    assert "soulspot-db migrate" in found.err


def test_a_package_that_is_not_there_is_an_error(program, environment):
    found = program("cache", "invalidate", "artist", "--package", "nowhere")
    assert found.code == 1
    assert "nowhere cannot be imported" in found.err


def test_without_a_redis_it_says_who_can_forget(program, environment):
    environment.delenv("CACHE")
    found = program("cache", "clear")
    assert found.code == 1
    assert "CACHE is not set" in found.err


def test_a_redis_that_cannot_be_reached_is_an_error(program, environment):
    environment.setenv("CACHE", "127.0.0.1:1/0")
    for command in ("clear", "stats"):
        found = program("cache", command)
        assert found.code == 1
        assert found.err.count("cannot be reached") == 1
        assert "nothing was forgotten" in found.err
        assert "CACHE_TLS" in found.err
        assert "last writes" not in found.err


def test_an_entity_that_there_is_not_is_an_error(program, migrated):
    found = program("cache", "invalidate", "nothing:1")
    assert found.code == 1
    assert "nothing" in found.err
