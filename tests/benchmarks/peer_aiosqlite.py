"""aiosqlite as its documentation shows: a connection kept open, a cursor for each question, a commit for each change."""

import sqlite3
from typing import Any
from uuid import UUID

import aiosqlite
from catalog import BY_HAND, Hand, Whole, put_together
from data import BY_KEY, Candidate, candidate, stored, text_of
from mapped import now
from place import SqlitePlace
from statements import QUESTIONS as SQL

__all__ = ["Aiosqlite"]


class Aiosqlite:
    """One row as a tuple; several rows as Pydantic models, made by hand."""

    name = "aiosqlite"
    errors = (sqlite3.Error,)

    def __init__(self, place: SqlitePlace) -> None:
        self._path = place.path

    async def open(self) -> None:
        self._connection = await aiosqlite.connect(self._path, timeout=30)
        await self._connection.execute("PRAGMA journal_mode = WAL")
        await self._connection.execute("PRAGMA synchronous = FULL")

    async def close(self) -> None:
        await self._connection.close()

    async def get(self, key: UUID) -> Any:
        async with self._connection.execute(SQL.get, (str(key),)) as cursor:
            return await cursor.fetchone()

    async def get_many(self, keys: list[UUID]) -> list[Candidate]:
        asked = SQL.get_many(f"IN ({', '.join('?' * len(keys))})")
        async with self._connection.execute(asked, [str(key) for key in keys]) as cursor:
            return [candidate(row) async for row in cursor]

    async def query(self, kind: str) -> list[Candidate]:
        async with self._connection.execute(SQL.query, (kind,)) as cursor:
            return [candidate(row) async for row in cursor]

    async def count(self, kind: str) -> int:
        async with self._connection.execute(SQL.count, (kind,)) as cursor:
            (found,) = await cursor.fetchone()
            return int(found)

    async def page(self, place: int) -> list[Candidate]:
        async with self._connection.execute(SQL.page, (str(BY_KEY[place - 1]),)) as cursor:
            return [candidate(row) async for row in cursor]

    async def groups(self, _nothing: None) -> Any:
        async with self._connection.execute(SQL.groups) as cursor:
            return await cursor.fetchall()

    async def include(self, _nothing: None) -> list[Whole]:
        tracks = await self._rows(BY_HAND["track"], BY_HAND["track"].every, [])
        artists = await self._among(BY_HAND["artist"], {str(track.artist_id) for track in tracks})
        albums = await self._among(BY_HAND["album"], {str(track.album_id) for track in tracks})
        return put_together(tracks, artists, albums)

    async def _among(self, hand: Hand, keys: set[str]) -> list[Any]:
        return await self._rows(hand, hand.among(f"IN ({', '.join('?' * len(keys))})"), [*keys])

    async def _rows(self, hand: Hand, sql: str, values: list[str]) -> list[Any]:
        async with self._connection.execute(sql, values) as cursor:
            return [hand.row(row) async for row in cursor]

    async def upsert(self, row: dict[str, Any]) -> None:
        await self._connection.execute(SQL.upsert, stored(row))
        await self._connection.commit()

    async def save(self, row: dict[str, Any]) -> None:
        await self._connection.execute(SQL.save, stored(row))
        await self._connection.commit()

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        await self._connection.execute(SQL.update, (score, text_of(now()), str(key)))
        await self._connection.commit()

    async def transaction(self, row: dict[str, Any]) -> None:
        key = str(row["id"])
        await self._connection.execute(SQL.save, stored(row))
        await self._connection.execute(SQL.update, (0.5, text_of(now()), key))
        async with self._connection.execute(SQL.get, (key,)) as cursor:
            await cursor.fetchone()
        await self._connection.execute(SQL.select, (1, text_of(now()), key))
        await self._connection.execute(SQL.delete, (key,))
        await self._connection.commit()

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        await self._connection.executemany(SQL.save, map(stored, rows))
        await self._connection.commit()
