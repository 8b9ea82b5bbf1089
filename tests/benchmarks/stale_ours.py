"""soulspot-db in the matrix of old answers: two instances, PostgreSQL and Redis."""

from contextlib import AbstractAsyncContextManager

from analysed import analysed
from place import Place
from soulspot_db import Database, DatabaseSettings, EntityRegistry, EntitySchema
from stale_programs import ARTISTS, PLAIN_SQL, SONGS, Artist, Song

__all__ = ["Ours"]


class ArtistSchema(EntitySchema):
    entity_type = "stale_artist"
    table_name = ARTISTS
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "name": {"type": "string"},
        "rating": {"type": "integer"},
    }
    queries = {"rate_by_sql": {"sql": PLAIN_SQL, "params": {"rating": {"type": "integer"}, "key": {"type": "integer"}}}}


class SongSchema(EntitySchema):
    entity_type = "stale_song"
    table_name = SONGS
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "artist_id": {"type": "integer", "references": "bench.stale_artist", "on_delete": "cascade"},
    }


analysed(ArtistSchema)
for schema in (ArtistSchema, SongSchema):
    EntityRegistry.register(schema.entity_type, schema)


class Ours:
    """Repositories; every read looks whether its stamps are unchanged, as every read of the others asks Redis."""

    name = "soulspot-db"

    def __init__(self, place: Place, redis: str) -> None:
        settings = {
            **place.settings,
            "single_instance": False,
            "redis": redis,
            "cache_recheck": 0,
            "auto_migrate": True,
        }
        self._db = Database(DatabaseSettings(**settings, enable_query_logging=False))

    async def open(self) -> None:
        await self._db.open()

    async def close(self) -> None:
        await self._db.close()

    async def artist(self, key: int) -> Artist | None:
        row = await self._db.get("stale_artist", str(key))
        return row and (row["id"], row["name"], row["rating"])

    async def artists(self) -> list[Artist]:
        return [(row["id"], row["name"], row["rating"]) for row in await self._db.query("stale_artist", order_by="id")]

    async def song(self, key: int) -> Song | None:
        row = await self._db.get("stale_song", str(key))
        return row and (row["id"], row["artist_id"])

    async def songs(self, artist: int) -> list[Song]:
        rows = await self._db.query("stale_song", {"artist_id": artist}, order_by="id")
        return [(row["id"], row["artist_id"]) for row in rows]

    async def insert(self, artists: list[Artist]) -> None:
        rows = [{"id": key, "name": name, "rating": rating} for key, name, rating in artists]
        await self._db.save_many("stale_artist", rows)

    async def rate(self, key: int, rating: int) -> None:
        await self._db.update("stale_artist", str(key), {"rating": rating})

    async def rate_all(self, rating: int) -> None:
        await self._db.update_where("stale_artist", {"rating": {"gte": 0}}, {"rating": rating})

    async def rate_by_sql(self, key: int, rating: int) -> None:
        await self._db.run_query("stale_artist", "rate_by_sql", {"key": key, "rating": rating})

    async def delete(self, key: int) -> None:
        await self._db.delete("stale_artist", str(key))

    def block(self) -> AbstractAsyncContextManager[object]:
        return self._db.transaction()
