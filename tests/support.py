"""What the runtime's tests share: hand-written schemas, and helpers that look at the file from outside."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from pathlib import Path
from typing import Any

import homes
from soulspot_db import Database, DatabaseSettings, EntityRegistry, EntitySchema


class PlaylistSchema(EntitySchema):
    entity_type = "playlist"
    table_name = "playlists"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "spotify_id": {"type": "string", "max_length": 64, "unique": True, "nullable": True},
        "name": {"type": "string", "max_length": 20},
        "description": {"type": "text", "nullable": True},
        "track_count": {"type": "integer", "default": 0, "minimum": 0},
        "status": {"type": "enum", "values": ["active", "archived"], "default": "active"},
        "rating": {"type": "float", "nullable": True},
        "price": {"type": "decimal", "precision": 8, "scale": 2, "nullable": True},
        "public": {"type": "boolean", "default": False},
        "tags": {"type": "list", "items": "string", "default": []},
        "created_at": {"type": "datetime", "default": "now"},
        "updated_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    indexes = ({"fields": ["status", "created_at desc"]},)


class PlaylistTrackSchema(EntitySchema):
    entity_type = "playlist_track"
    table_name = "playlist_tracks"
    primary_key = ("playlist_id", "track_id")
    fields = {
        "playlist_id": {"type": "uuid", "references": "spotify.playlist", "on_delete": "cascade"},
        "track_id": {"type": "string"},
        "position": {"type": "integer", "default": 0},
    }


class CounterSchema(EntitySchema):
    entity_type = "counter"
    table_name = "counters"
    fields = {
        "name": {"type": "string", "primary_key": True},
        "value": {"type": "integer", "default": 0},
    }


class JobSchema(EntitySchema):
    """Its key is assigned by the database, and one column has another name than its field."""

    entity_type = "job"
    table_name = "jobs"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "title": {"type": "string", "column": "job_title", "unique": True, "max_length": 10},
        "priority": {"type": "integer", "nullable": True},
    }


class EverythingSchema(EntitySchema):
    """One nullable field of every type."""

    entity_type = "everything"
    table_name = "everythings"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "a_uuid": {"type": "uuid", "nullable": True},
        "a_string": {"type": "string", "nullable": True, "max_length": 50},
        "a_text": {"type": "text", "nullable": True},
        "an_integer": {"type": "integer", "nullable": True},
        "a_float": {"type": "float", "nullable": True},
        "a_decimal": {"type": "decimal", "nullable": True, "precision": 18, "scale": 6},
        "a_boolean": {"type": "boolean", "nullable": True},
        "a_date": {"type": "date", "nullable": True},
        "a_time": {"type": "time", "nullable": True},
        "a_datetime": {"type": "datetime", "nullable": True},
        "an_enum": {"type": "enum", "nullable": True, "values": ["red", "it's: a", "b:lue"]},
        "texts": {"type": "list", "items": "text", "nullable": True},
        "uuids": {"type": "list", "items": "uuid", "nullable": True},
        "datetimes": {"type": "list", "items": "datetime", "nullable": True},
        "booleans": {"type": "list", "items": "boolean", "nullable": True},
    }


SCHEMAS = (PlaylistSchema, PlaylistTrackSchema, CounterSchema, JobSchema, EverythingSchema)


def register_all() -> None:
    for schema in SCHEMAS:
        EntityRegistry.register(schema.entity_type, schema)


async def create_tables(db: Database) -> None:
    for schema in SCHEMAS:
        await db.create_table(schema.entity_type)


def settings(path: Path | None = None, **changes: Any) -> DatabaseSettings:
    """Settings for a test: few connections, no waiting for the disk."""
    where = {} if path is None else {"database_path": path}
    return DatabaseSettings(**where, **{"connection_pool_size": 2, "synchronous": "NORMAL", **changes})


def outside(db: Database, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement as another program would, past the runtime."""
    if db.settings.database_type == "postgresql":
        return homes.on_server(db.settings, sql, values)
    connection = sqlite3.connect(db.settings.database_path, isolation_level=None, timeout=5)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


@asynccontextmanager
async def locked(db: Database) -> AsyncIterator[None]:
    """Another program keeps every write to counters waiting."""
    if db.settings.database_type == "postgresql":
        connection = await homes.connect(db.settings)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE counters IN EXCLUSIVE MODE")
                yield
        finally:
            await connection.close()
        return
    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


def statements_of(db: Database, write: str) -> list[str]:
    """What a single write sends: SQLite's is made durable together with others, so a transaction is around it."""
    return ["BEGIN", write, "COMMIT"] if db.settings.database_type == "sqlite" else [write]


# Runs for hours, and can be interrupted: `LIMIT` keeps SQLite from knowing that.
ENDLESS = "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 1e11) AS n"


async def until(condition: Callable[[], Any], seconds: float = 5) -> None:
    """Wait until `condition` holds; a test that would wait forever fails instead."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def within(seconds: float, what: Awaitable[Any]) -> Any:
    """Await something that must not hang."""
    async with asyncio.timeout(seconds):
        return await what


def being_written(db: Database) -> list[Any]:
    """The tags that a write which is under way may touch."""
    return [tag for tag, stamp in db._cache._stamps._stamps.items() if stamp.dirty]


async def at_rest(db: Database, *names: str) -> None:
    """Assert that earlier calls have left nothing behind.

    No connection is at work, no transaction is open, and no counter, of `names` or stored, is marked as being written:
    what is asked twice is answered from memory, as a fresh read answers.
    """
    await until(lambda: db._engine.connections().active == 0)
    assert (await db.stats())["connections"]["active"] == 0
    assert not db._engine._leases
    assert db.session.current() is None
    stored = {row["name"]: row for row in await db.query("counter", fresh=True)}
    for name in {*names, *stored}:
        assert await _from_memory(db, lambda name=name: db.get("counter", name)) == stored.get(name)
    rows = await _from_memory(db, lambda: db.query("counter", order_by="name"))
    assert {row["name"]: row for row in rows} == stored


async def _from_memory(db: Database, ask: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(20):  # more than two, because a busy machine may have to look whether others have written
        hits = db._cache.hits
        answer = await ask()
        if db._cache.hits > hits:
            return answer
    raise AssertionError("the answer is never kept: something it depends on is marked as being written")


async def connected(db: Database, number: int) -> None:
    """Have so many connections to a server: one that has to be made first may take longer than a short time-out allows."""
    everybody = asyncio.Barrier(number)

    async def one() -> None:
        async with db.transaction(read_only=True):
            await everybody.wait()

    while db.settings.database_type == "postgresql" and db.session.engine.connections().total < number:
        asking = [asyncio.create_task(one(), context=Context()) for _ in range(number)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_EXCEPTION)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await everybody.reset()
