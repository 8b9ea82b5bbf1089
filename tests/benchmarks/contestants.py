"""Who takes part: the same table of playlists, synchronous=FULL for everyone, each used as its documentation shows."""

import asyncio
import sqlite3
from pathlib import Path
from uuid import UUID, uuid4

from advanced_alchemy.base import UUIDBase
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from soulspot_db import Database, DatabaseSettings
from soulspot_db_entities import Repositories
from soulspot_db_entities.spotify import PlaylistCreate
from sqlalchemy import event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column

__all__ = ["CONTESTANTS"]

ROWS = 100


class SoulspotDb:
    """This package: typed repositories."""

    name = "soulspot-db"

    def __init__(self, path: Path) -> None:
        self._db = Database(DatabaseSettings(database_path=path, auto_migrate=True, enable_query_logging=False))

    async def open(self) -> None:
        await self._db.open()
        self._playlists = Repositories(self._db).spotify.playlist
        saved = await self._playlists.save_many([PlaylistCreate(name=f"playlist {n}") for n in range(ROWS)])
        self._ids = [playlist.id for playlist in saved]

    async def close(self) -> None:
        await self._db.close()

    async def get_cached(self, count: int) -> None:
        for n in range(count):
            await self._playlists.get(self._ids[n % ROWS])

    async def get_cold(self, count: int) -> None:
        for n in range(count):
            await self._playlists.get(self._ids[n % ROWS], fresh=True)

    async def save_one_by_one(self, count: int) -> None:
        for n in range(count):
            await self._playlists.save(PlaylistCreate(name=f"playlist {n}"))

    async def save_50_at_once(self, count: int) -> None:
        await asyncio.gather(*(self._playlists.save(PlaylistCreate(name=f"playlist {n}")) for n in range(count)))


class PlaylistRow(UUIDBase):
    """The same columns, as advanced-alchemy declares them."""

    __tablename__ = "playlists"
    name: Mapped[str]
    spotify_id: Mapped[str | None] = mapped_column(default=None, unique=True)
    track_count: Mapped[int] = mapped_column(default=0)


class PlaylistRows(SQLAlchemyAsyncRepository[PlaylistRow]):
    """Its repository."""

    model_type = PlaylistRow


class AdvancedAlchemy:
    """A session per operation, as a request handler has one."""

    name = "advanced-alchemy"

    def __init__(self, path: Path) -> None:
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": 30})
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

        @event.listens_for(self._engine.sync_engine, "connect")
        def _pragmas(connection, _record) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

    async def open(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(PlaylistRow.metadata.create_all)
        rows = [PlaylistRow(name=f"playlist {n}") for n in range(ROWS)]
        async with self._sessions() as session:
            await PlaylistRows(session=session).add_many(rows, auto_commit=True)
            self._ids = [row.id for row in rows]

    async def close(self) -> None:
        await self._engine.dispose()

    async def get_cold(self, count: int) -> None:
        for n in range(count):
            async with self._sessions() as session:
                await PlaylistRows(session=session).get(self._ids[n % ROWS])

    async def _save(self, name: str) -> None:
        async with self._sessions() as session:
            await PlaylistRows(session=session).add(PlaylistRow(name=name), auto_commit=True)

    async def save_one_by_one(self, count: int) -> None:
        for n in range(count):
            await self._save(f"playlist {n}")

    async def save_50_at_once(self, count: int) -> None:
        await asyncio.gather(*(self._save(f"playlist {n}") for n in range(count)))


class Sqlite3:
    """The bare driver, called on the event loop: the floor, with no models, no events and no other tasks served."""

    name = "sqlite3"

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    async def open(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE playlists (id TEXT PRIMARY KEY, name TEXT, n INTEGER) STRICT")
        self._ids = [uuid4() for _ in range(ROWS)]
        for identity in self._ids:
            self._insert(identity)

    async def close(self) -> None:
        self._connection.close()

    def _insert(self, identity: UUID) -> None:
        self._connection.execute("INSERT INTO playlists VALUES (?, ?, ?)", (str(identity), "playlist", 0))

    async def get_cold(self, count: int) -> None:
        for n in range(count):
            self._connection.execute("SELECT * FROM playlists WHERE id = ?", (str(self._ids[n % ROWS]),)).fetchone()

    async def save_one_by_one(self, count: int) -> None:
        for _ in range(count):
            self._insert(uuid4())


CONTESTANTS = (SoulspotDb, AdvancedAlchemy, Sqlite3)
