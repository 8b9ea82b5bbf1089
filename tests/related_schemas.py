"""Artists, songs, setlists and what links them: entities with relations, and rows of them."""

from soulspot_db import Database, EntityRegistry, EntitySchema, Repository

__all__ = ["ARTISTS", "DATA", "ENTRIES", "SETLISTS", "SONGS", "Artists", "Songs", "fill", "make", "register"]


class ArtistSchema(EntitySchema):
    entity_type = "artist"
    table_name = "artists"
    fields = {"id": {"type": "integer", "primary_key": True}, "name": {"type": "text", "nullable": True}}
    relations = {"songs": {"entity": "song", "local": "id", "remote": "artist_id", "many": True}}


class SongSchema(EntitySchema):
    entity_type = "song"
    table_name = "songs"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "artist_id": {"type": "integer", "nullable": True},
        "cover_of": {"type": "integer", "nullable": True},
        "rating": {"type": "integer", "nullable": True},
    }
    relations = {
        "artist": {"entity": "artist", "local": "artist_id", "remote": "id", "several": "artists"},
        "original": {"entity": "song", "local": "cover_of", "remote": "id"},
        "covers": {"entity": "song", "local": "id", "remote": "cover_of", "many": True},
        "lists": {
            "entity": "setlist",
            "local": "id",
            "remote": "id",
            "many": True,
            "through": {"entity": "entry", "local": "song_id", "remote": "list_id"},
        },
    }
    queries = {
        "by_artist": {"where": {"artist": {"some": {"name": {"param": "name"}}}}, "order_by": "id"},
        "covered": {
            "where": {"covers": {"some": {"rating": {"gte": {"param": "least", "optional": True}}}}},
            "returns": "count",
        },
        "drop_unlisted": {"delete": True, "where": {"lists": {"none": {}}}},
    }


class SetlistSchema(EntitySchema):
    entity_type = "setlist"
    table_name = "setlists"
    fields = {"id": {"type": "integer", "primary_key": True}, "name": {"type": "text", "default": ""}}


class EntrySchema(EntitySchema):
    entity_type = "entry"
    table_name = "entries"
    fields = {"list_id": {"type": "integer"}, "song_id": {"type": "integer"}}
    primary_key = ("list_id", "song_id")


SCHEMAS = (ArtistSchema, SongSchema, SetlistSchema, EntrySchema)
ARTISTS = [{"id": n, "name": name} for n, name in enumerate(["a", "b", None, "d"], 1)]
SONGS = [
    {"id": n, "artist_id": artist, "cover_of": cover, "rating": rating}
    for n, (artist, cover, rating) in enumerate(
        [(1, None, 1), (1, 1, None), (2, 1, 3), (None, 2, 2), (3, None, None), (3, 5, 5), (2, None, 0)], 1
    )
]
SETLISTS = [{"id": 1, "name": "x"}, {"id": 2, "name": "y"}, {"id": 3, "name": "z"}]
ENTRIES = [{"list_id": li, "song_id": song} for li, song in [(1, 1), (1, 2), (2, 2), (2, 3), (2, 6)]]
DATA = {"artist": ARTISTS, "song": SONGS, "setlist": SETLISTS, "entry": ENTRIES}


class Songs(Repository):
    schema = SongSchema


class Artists(Repository):
    schema = ArtistSchema


def register() -> None:
    for schema in SCHEMAS:
        EntityRegistry.register(schema.entity_type, schema)


async def make(db: Database) -> None:
    for schema in SCHEMAS:
        await db.create_table(schema.entity_type)


async def fill(db: Database) -> None:
    for name, rows in DATA.items():
        await db.save_many(name, rows)
