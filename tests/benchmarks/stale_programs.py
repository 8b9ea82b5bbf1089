"""What a program in the matrix of old answers can do, whichever library it is written with."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from place import Place

__all__ = ["ARTISTS", "PLAIN_SQL", "SONGS", "Artist", "Program", "Song", "UndoneError"]

ARTISTS, SONGS = "stale_artists", "stale_songs"
PLAIN_SQL = f"UPDATE {ARTISTS} SET rating = :rating WHERE id = :key"
Artist: TypeAlias = tuple[int, str, int]
Song: TypeAlias = tuple[int, int]


class UndoneError(Exception):
    """Ends a block that is to be undone."""


class Program(Protocol):
    """One of two programs that share a database and a Redis. Every read goes through the library's cache, if it has one for it."""

    name: str

    def __init__(self, place: Place, redis: str) -> None: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def artist(self, key: int) -> Artist | None:
        """A row."""

    async def artists(self) -> list[Artist]:
        """All rows."""

    async def song(self, key: int) -> Song | None:
        """A row that refers to an artist."""

    async def songs(self, artist: int) -> list[Song]:
        """Those of an artist."""

    async def insert(self, artists: list[Artist]) -> None:
        """Insert rows."""

    async def rate(self, key: int, rating: int) -> None:
        """Update a row."""

    async def rate_all(self, rating: int) -> None:
        """Update all rows by a condition."""

    async def rate_by_sql(self, key: int, rating: int) -> None:
        """Update a row by `PLAIN_SQL`."""

    async def delete(self, key: int) -> None:
        """Delete a row."""

    def block(self) -> AbstractAsyncContextManager[object]:
        """A transaction for what this program writes in it; inside another one a savepoint."""
