"""The standard library's sqlite3, called on the event loop: the floor. No events, no cache, and no other task is served."""

import sqlite3
from typing import Any
from uuid import UUID

from catalog import BY_HAND, Hand, Whole, put_together
from data import BY_KEY, Candidate, candidate, stored, text_of
from mapped import now
from place import SqlitePlace
from statements import QUESTIONS as SQL

__all__ = ["Sqlite3", "connected"]


def connected(place: SqlitePlace, **options: Any) -> sqlite3.Connection:
    """A connection set up as everybody's is."""
    connection = sqlite3.connect(place.path, isolation_level=None, timeout=30, **options)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class Sqlite3:
    """Rows as tuples; several rows as Pydantic models, made by hand."""

    name = "sqlite3"
    errors = (sqlite3.Error,)

    def __init__(self, place: SqlitePlace) -> None:
        self._place = place

    async def open(self) -> None:
        self._connection = connected(self._place)

    async def close(self) -> None:
        self._connection.close()

    async def get(self, key: UUID) -> Any:
        return self._connection.execute(SQL.get, (str(key),)).fetchone()

    async def get_many(self, keys: list[UUID]) -> list[Candidate]:
        asked = SQL.get_many(f"IN ({', '.join('?' * len(keys))})")
        return [candidate(row) for row in self._connection.execute(asked, [str(key) for key in keys])]

    async def query(self, kind: str) -> list[Candidate]:
        return [candidate(row) for row in self._connection.execute(SQL.query, (kind,))]

    async def count(self, kind: str) -> int:
        (found,) = self._connection.execute(SQL.count, (kind,)).fetchone()
        return int(found)

    async def page(self, place: int) -> list[Candidate]:
        return [candidate(row) for row in self._connection.execute(SQL.page, (str(BY_KEY[place - 1]),))]

    async def groups(self, _nothing: None) -> Any:
        return self._connection.execute(SQL.groups).fetchall()

    async def include(self, _nothing: None) -> list[Whole]:
        tracks = self._rows(BY_HAND["track"], BY_HAND["track"].every, [])
        artists = self._among(BY_HAND["artist"], {str(track.artist_id) for track in tracks})
        albums = self._among(BY_HAND["album"], {str(track.album_id) for track in tracks})
        return put_together(tracks, artists, albums)

    def _among(self, hand: Hand, keys: set[str]) -> list[Any]:
        return self._rows(hand, hand.among(f"IN ({', '.join('?' * len(keys))})"), [*keys])

    def _rows(self, hand: Hand, sql: str, values: list[str]) -> list[Any]:
        return [hand.row(row) for row in self._connection.execute(sql, values)]

    async def upsert(self, row: dict[str, Any]) -> None:
        self._connection.execute(SQL.upsert, stored(row))

    async def save(self, row: dict[str, Any]) -> None:
        self._connection.execute(SQL.save, stored(row))

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        self._connection.execute(SQL.update, (score, text_of(now()), str(key)))

    async def transaction(self, row: dict[str, Any]) -> None:
        key, execute = str(row["id"]), self._connection.execute
        execute("BEGIN IMMEDIATE")
        execute(SQL.save, stored(row))
        execute(SQL.update, (0.5, text_of(now()), key))
        execute(SQL.get, (key,)).fetchone()
        execute(SQL.select, (1, text_of(now()), key))
        execute(SQL.delete, (key,))
        execute("COMMIT")

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(SQL.save, map(stored, rows))
        self._connection.execute("COMMIT")
