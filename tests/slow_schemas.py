"""Singers, tracks and plays with hardly an index, and tens of thousands of rows of them; what was asked of a database."""

from contextlib import contextmanager

import homes
from analysed import analysed
from soulspot_db import Database, EntityRegistry, EntitySchema
from support import outside

__all__ = ["LabelSchema", "asked", "fill", "filled", "make", "register"]

ROWS = 30_000


class SingerSchema(EntitySchema):
    entity_type = "singer"
    table_name = "singers"
    fields = {"id": {"type": "integer", "primary_key": True}, "name": {"type": "text"}, "born": {"type": "integer"}}
    relations = {"tracks": {"entity": "track", "local": "id", "remote": "singer_id", "many": True}}


class TrackSchema(EntitySchema):
    """`mood` has 3 values, `genre` 20, `rating` 100, `singer_id` and `album` 1,000, `shelf` 8, `place` 9; the others nearly one for each row."""

    entity_type = "track"
    table_name = "tracks"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "singer_id": {"type": "integer", "references": "slow.singer"},
        "album": {"type": "integer", "column": "album_number"},
        "title": {"type": "string"},
        "mood": {"type": "string"},
        "genre": {"type": "string"},
        "rating": {"type": "integer"},
        "heard": {"type": "integer"},
        "year": {"type": "integer"},
        "added": {"type": "integer"},
        "shelf": {"type": "integer"},
        "place": {"type": "integer"},
        "gone": {"type": "integer", "nullable": True},
    }
    indexes = ({"fields": ["genre", "year"]}, {"fields": ["year", "heard"]})
    relations = {
        "singer": {"entity": "singer", "local": "singer_id", "remote": "id"},
        "plays": {"entity": "play", "local": "id", "remote": "track_id", "many": True},
    }
    queries = {
        "of_album": {
            "sql": "SELECT t.* FROM tracks AS t WHERE t.album_number = :album",
            "params": {"album": {"type": "integer"}},
        },
        "forget": {"delete": True, "where": {"title": {"param": "title"}}},
    }


class PlaySchema(EntitySchema):
    entity_type = "play"
    table_name = "plays"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "track_id": {"type": "integer", "references": "slow.track", "on_delete": "cascade"},
        "at": {"type": "integer"},
    }


class LabelSchema(EntitySchema):
    """Few rows."""

    entity_type = "label"
    table_name = "labels"
    fields = {"id": {"type": "integer", "primary_key": True}, "name": {"type": "string"}}


SCHEMAS = (SingerSchema, TrackSchema, PlaySchema, LabelSchema)
_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) ",
    "postgresql": "WITH n(i) AS (SELECT * FROM generate_series(1, {})) ",
}
_FILLED = {
    "INSERT INTO singers {}SELECT i, 'singer ' || i, 1900 + i % 100 FROM n": 1_000,
    "INSERT INTO tracks (id, singer_id, album_number, title, mood, genre, rating, heard, year, added, shelf, place) "
    "{}SELECT i, i * 7 % 1000 + 1, i * 11 % 1000, 'Title ' || i, 'mood ' || (i % 3), 'genre ' || (i % 20), i % 100, "
    "i * 13 % 29989, i * 31 % 29989, i * 17 % 29989, i % 8, i / 8 % 9 FROM n": ROWS,
    "INSERT INTO plays {}SELECT i, i * 19 % 29989 + 1, i FROM n": ROWS,
    "INSERT INTO labels {}SELECT i, 'label ' || i FROM n": 900,
}


def register():
    """Make the entities known."""
    analysed(TrackSchema)
    for schema in SCHEMAS:
        EntityRegistry.register(schema.entity_type, schema)


async def make(db: Database):
    """Make the tables."""
    for schema in SCHEMAS:
        await db.create_table(schema.entity_type)


def fill(db: Database):
    """Add the rows."""
    for sql, count in _FILLED.items():
        outside(db, sql.format(_NUMBERS[db.settings.database_type].format(count)))
    if db.settings.database_type == "postgresql":
        outside(db, "ANALYZE")


@contextmanager
def asked(db: Database):
    """The statements that are asked meanwhile, as they are sent."""
    engine, found = db._engine, []
    read, write, read_now = engine.read, engine.write, engine.read_now

    async def reading(statement, trace=None):
        found.append(statement)
        return await read(statement, trace)

    async def writing(statements, *args, **options):
        found.extend(statements)
        return await write(statements, *args, **options)

    def reading_now(statement, trace=None):
        rows = read_now(statement, trace)
        if rows is not None:
            found.append(statement)
        return rows

    engine.read, engine.write, engine.read_now = reading, writing, reading_now
    try:
        yield found
    finally:
        del engine.read, engine.write, engine.read_now


@contextmanager
def filled(kind, folder):
    """A home of this kind with all of it, to be copied."""

    async def prepare(db):
        await make(db)
        fill(db)

    with homes.home(kind, folder) as home:
        with EntityRegistry.isolated():  # no longer: what is yielded outlasts the test that asked first
            register()
            home.prepare(prepare)
        yield home
