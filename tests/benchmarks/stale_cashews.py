"""cashews in the matrix of old answers: functions that read are decorated, those that write drop the tags of their own table.

That is its documented use, by an author who forgets it nowhere, but also writes by hand no more than that: what a cascade
changes in another table is not thought of.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import sqlalchemy as sa
from cashews import Cache
from place import Place
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from stale_programs import ARTISTS, PLAIN_SQL, SONGS, Artist, Song

__all__ = ["Cashews"]


class Cashews:
    """SQLAlchemy's statements, and a cache in Redis around them."""

    name = "cashews"

    def __init__(self, place: Place, redis: str) -> None:
        self._engine = create_async_engine(place.url)
        self._cache = Cache()
        self._redis = f"redis://{redis}"
        self._block: ContextVar[AsyncConnection | None] = ContextVar("block", default=None)

    async def open(self) -> None:
        self._cache.setup(self._redis)
        await self._cache.init()
        cached = self._cache
        self.artist = cached(ttl="5m", key="artist:{key}", tags=["artists"])(self._artist)
        self.artists = cached(ttl="5m", key="artists", tags=["artists"])(self._artists)
        self.song = cached(ttl="5m", key="song:{key}", tags=["songs"])(self._song)
        self.songs = cached(ttl="5m", key="songs:{artist}", tags=["songs"])(self._songs)

    async def close(self) -> None:
        await self._cache.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        if (connection := self._block.get()) is not None:
            yield connection
            return
        async with self._engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def block(self) -> AsyncIterator[object]:
        if (connection := self._block.get()) is not None:
            async with connection.begin_nested():
                yield connection
            return
        async with self._engine.begin() as connection:
            token = self._block.set(connection)
            try:
                yield connection
            finally:
                self._block.reset(token)

    async def _rows(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        async with self._connection() as connection:
            return [tuple(row) for row in await connection.execute(sa.text(sql), values)]

    async def _artist(self, key: int) -> Artist | None:
        rows = await self._rows(f"SELECT id, name, rating FROM {ARTISTS} WHERE id = :key", key=key)
        return rows[0] if rows else None

    async def _artists(self) -> list[Artist]:
        return await self._rows(f"SELECT id, name, rating FROM {ARTISTS} ORDER BY id")

    async def _song(self, key: int) -> Song | None:
        rows = await self._rows(f"SELECT id, artist_id FROM {SONGS} WHERE id = :key", key=key)
        return rows[0] if rows else None

    async def _songs(self, artist: int) -> list[Song]:
        return await self._rows(
            f"SELECT id, artist_id FROM {SONGS} WHERE artist_id = :artist ORDER BY id", artist=artist
        )

    async def _write(self, sql: str, values: object) -> None:
        async with self._connection() as connection:
            await connection.execute(sa.text(sql), values)
        await self._cache.delete_tags("artists")

    async def insert(self, artists: list[Artist]) -> None:
        rows = [{"key": key, "name": name, "rating": rating} for key, name, rating in artists]
        await self._write(f"INSERT INTO {ARTISTS} VALUES (:key, :name, :rating)", rows)

    async def rate(self, key: int, rating: int) -> None:
        await self._write(PLAIN_SQL, {"key": key, "rating": rating})

    async def rate_all(self, rating: int) -> None:
        await self._write(f"UPDATE {ARTISTS} SET rating = :rating WHERE rating >= 0", {"rating": rating})

    async def rate_by_sql(self, key: int, rating: int) -> None:
        await self._write(PLAIN_SQL, {"key": key, "rating": rating})

    async def delete(self, key: int) -> None:
        await self._write(f"DELETE FROM {ARTISTS} WHERE id = :key", {"key": key})
