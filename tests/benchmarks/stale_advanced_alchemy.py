"""advanced-alchemy in the matrix of old answers: its cache over dogpile.cache in Redis, set up as its documentation shows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import sqlalchemy as sa
from advanced_alchemy.base import DefaultBase
from advanced_alchemy.cache import CacheConfig
from advanced_alchemy.config import SQLAlchemyAsyncConfig
from advanced_alchemy.exceptions import NotFoundError
from advanced_alchemy.filters import OrderBy
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from place import Place
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from stale_programs import ARTISTS, PLAIN_SQL, SONGS, Artist, Song

__all__ = ["AdvancedAlchemy"]


class ArtistRow(DefaultBase):
    """An artist."""

    __tablename__ = ARTISTS
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    name: Mapped[str]
    rating: Mapped[int] = mapped_column(sa.BigInteger)


class SongRow(DefaultBase):
    """A song."""

    __tablename__ = SONGS
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    artist_id: Mapped[int] = mapped_column(sa.ForeignKey(f"{ARTISTS}.id", ondelete="CASCADE"))


class Artists(SQLAlchemyAsyncRepository[ArtistRow]):
    """Those of artists."""

    model_type = ArtistRow


class Songs(SQLAlchemyAsyncRepository[SongRow]):
    """Those of songs."""

    model_type = SongRow


class AdvancedAlchemy:
    """A session for each operation, as a request handler has one; one for all of a block.

    Only what leaves its session is kept, which is what `auto_expunge` says.
    """

    name = "advanced-alchemy"

    def __init__(self, place: Place, redis: str) -> None:
        where, _, number = redis.rpartition("/")
        host, _, port = where.rpartition(":")
        self._config = SQLAlchemyAsyncConfig(
            connection_string=place.url,
            cache_config=CacheConfig(
                backend="dogpile.cache.redis",
                expiration_time=300,
                arguments={"host": host, "port": int(port), "db": int(number)},
            ),
        )
        self._block: ContextVar[AsyncSession | None] = ContextVar("block", default=None)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        await self._config.get_engine().dispose()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncSession]:
        if (session := self._block.get()) is not None:
            yield session
            await session.flush()
            return
        async with self._config.get_session() as session:
            yield session
            await session.commit()

    @asynccontextmanager
    async def block(self) -> AsyncIterator[object]:
        if (session := self._block.get()) is not None:
            async with session.begin_nested():
                yield session
            return
        async with self._config.get_session() as session:
            token = self._block.set(session)
            try:
                yield session
            finally:
                self._block.reset(token)
            await session.commit()

    async def artist(self, key: int) -> Artist | None:
        async with self._session() as session:
            try:
                row = await Artists(session=session, auto_expunge=True).get(key)
            except NotFoundError:
                return None
            return row.id, row.name, row.rating

    async def artists(self) -> list[Artist]:
        async with self._session() as session:
            rows = await Artists(session=session, auto_expunge=True).list(OrderBy("id"))
            return [(row.id, row.name, row.rating) for row in rows]

    async def song(self, key: int) -> Song | None:
        async with self._session() as session:
            try:
                row = await Songs(session=session, auto_expunge=True).get(key)
            except NotFoundError:
                return None
            return row.id, row.artist_id

    async def songs(self, artist: int) -> list[Song]:
        async with self._session() as session:
            rows = await Songs(session=session, auto_expunge=True).list(OrderBy("id"), artist_id=artist)
            return [(row.id, row.artist_id) for row in rows]

    async def insert(self, artists: list[Artist]) -> None:
        rows = [ArtistRow(id=key, name=name, rating=rating) for key, name, rating in artists]
        async with self._session() as session:
            await Artists(session=session, auto_expunge=True).add_many(rows)

    async def rate(self, key: int, rating: int) -> None:
        async with self._session() as session:
            await Artists(session=session, auto_expunge=True).update(ArtistRow(id=key, name="a", rating=rating))

    async def rate_all(self, rating: int) -> None:
        async with self._session() as session:
            await session.execute(sa.update(ArtistRow).where(ArtistRow.rating >= 0).values(rating=rating))

    async def rate_by_sql(self, key: int, rating: int) -> None:
        async with self._session() as session:
            await session.execute(sa.text(PLAIN_SQL), {"key": key, "rating": rating})

    async def delete(self, key: int) -> None:
        async with self._session() as session:
            await Artists(session=session, auto_expunge=True).delete(key)
