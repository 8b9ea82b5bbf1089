"""asyncpg's own pool: the floor on PostgreSQL. One row as the driver gives it; several as Pydantic models, made by hand."""

import json
from typing import Any
from uuid import UUID

import asyncpg
from catalog import BY_HAND, Whole, put_together
from data import BY_KEY, Candidate, candidate
from mapped import now
from place import Place
from statements import NUMBERS as SQL

__all__ = ["Asyncpg"]


def arguments(row: dict[str, Any]) -> list[Any]:
    """A row as asyncpg takes it: JSON is text to it."""
    return [json.dumps(value) if isinstance(value, dict) else value for value in row.values()]


class Asyncpg:
    """A connection of the pool for each operation."""

    name = "asyncpg"
    errors = (asyncpg.PostgresError, asyncpg.InterfaceError)

    def __init__(self, place: Place) -> None:
        self._url = place.url.replace("postgresql+asyncpg", "postgresql")

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(self._url)

    async def close(self) -> None:
        await self._pool.close()

    async def get(self, key: UUID) -> Any:
        return await self._pool.fetchrow(SQL.get, key)

    async def get_many(self, keys: list[UUID]) -> list[Candidate]:
        return [candidate(tuple(row)) for row in await self._pool.fetch(SQL.get_many("= ANY($1)"), keys)]

    async def query(self, kind: str) -> list[Candidate]:
        return [candidate(tuple(row)) for row in await self._pool.fetch(SQL.query, kind)]

    async def count(self, kind: str) -> Any:
        return await self._pool.fetchval(SQL.count, kind)

    async def page(self, place: int) -> list[Candidate]:
        return [candidate(tuple(row)) for row in await self._pool.fetch(SQL.page, BY_KEY[place - 1])]

    async def groups(self, _nothing: None) -> Any:
        return await self._pool.fetch(SQL.groups)

    async def include(self, _nothing: None) -> list[Whole]:
        track, artist, album = (BY_HAND[name] for name in ("track", "artist", "album"))
        tracks = [track.row(tuple(row)) for row in await self._pool.fetch(track.every)]
        found = [
            [hand.row(tuple(row)) for row in await self._pool.fetch(hand.among("= ANY($1)"), [*keys])]
            for hand, keys in (
                (artist, {each.artist_id for each in tracks}),
                (album, {each.album_id for each in tracks}),
            )
        ]
        return put_together(tracks, *found)

    async def upsert(self, row: dict[str, Any]) -> None:
        await self._pool.execute(SQL.upsert, *arguments(row))

    async def save(self, row: dict[str, Any]) -> None:
        await self._pool.execute(SQL.save, *arguments(row))

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        await self._pool.execute(SQL.update, score, now(), key)

    async def transaction(self, row: dict[str, Any]) -> None:
        key = row["id"]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL.save, *arguments(row))
            await connection.execute(SQL.update, 0.5, now(), key)
            await connection.fetchrow(SQL.get, key)
            await connection.execute(SQL.select, True, now(), key)
            await connection.execute(SQL.delete, key)

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.executemany(SQL.save, [arguments(row) for row in rows])
