"""SQLAlchemy, its ORM and its Core: a session or a connection for each operation, as a request handler has one."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from catalog import SCHEMAS, Whole, put_together
from data import BY_KEY, TABLE
from mapped import CandidateColumns, as_mapped, engine_for, now
from mapped_catalog import catalog_of
from place import Place
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, selectinload
from sqlalchemy.pool import NullPool

__all__ = ["OrmAsSoulspot2", "SqlalchemyCore", "SqlalchemyOrm"]


class Base(DeclarativeBase):
    """The registry of the mapping."""


class MappedCandidate(CandidateColumns, Base):
    """A row."""

    __tablename__ = TABLE
    __table_args__ = (sa.Index(f"ix_{TABLE}_entity_type_entity_id", "entity_type", "entity_id"),)


CANDIDATES = MappedCandidate.__table__
MappedTrack = catalog_of(Base)
TRACKS, ARTISTS, ALBUMS = (Base.metadata.tables[SCHEMAS[name].table_name] for name in ("track", "artist", "album"))


def best_of(kind: str) -> sa.Select[Any]:
    """What `query` asks."""
    filtered = sa.select(MappedCandidate).where(MappedCandidate.entity_type == kind)
    return filtered.order_by(MappedCandidate.confidence_score.desc()).limit(100)


def counting(kind: str) -> sa.Select[Any]:
    """What `count` asks."""
    return sa.select(sa.func.count()).select_from(MappedCandidate).where(MappedCandidate.entity_type == kind)


def page_after(place: int) -> sa.Select[Any]:
    """What `page` asks: by key, because whoever turns a page knows the last row of the one before."""
    return (
        sa.select(MappedCandidate)
        .where(MappedCandidate.id > str(BY_KEY[place - 1]))
        .order_by(MappedCandidate.id)
        .limit(50)
    )


GROUPS = sa.select(
    MappedCandidate.entity_type, sa.func.count(), sa.func.max(MappedCandidate.confidence_score)
).group_by(MappedCandidate.entity_type)


class SqlalchemyOrm:
    """Sessions and mapped objects."""

    name = "SQLAlchemy ORM"
    errors = (SQLAlchemyError,)

    def __init__(self, place: Place, **options: Any) -> None:
        self._engine = engine_for(place, **options)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    async def open(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    async def close(self) -> None:
        await self._engine.dispose()

    async def get(self, key: UUID) -> Any:
        async with self._sessions() as session:
            return await session.get(MappedCandidate, str(key))

    async def get_many(self, keys: list[UUID]) -> Any:
        async with self._sessions() as session:
            asked = sa.select(MappedCandidate).where(MappedCandidate.id.in_([str(key) for key in keys]))
            return (await session.scalars(asked)).all()

    async def query(self, kind: str) -> Any:
        async with self._sessions() as session:
            return (await session.scalars(best_of(kind))).all()

    async def count(self, kind: str) -> Any:
        async with self._sessions() as session:
            return await session.scalar(counting(kind))

    async def page(self, place: int) -> Any:
        async with self._sessions() as session:
            return (await session.scalars(page_after(place))).all()

    async def include(self, _nothing: None) -> Any:
        related = selectinload(MappedTrack.main_artist), selectinload(MappedTrack.album)
        async with self._sessions() as session:
            return (await session.scalars(sa.select(MappedTrack).options(*related))).all()

    async def groups(self, _nothing: None) -> Any:
        async with self._sessions() as session:
            return (await session.execute(GROUPS)).all()

    async def upsert(self, row: dict[str, Any]) -> None:
        async with self._sessions() as session:
            await session.merge(MappedCandidate(**as_mapped(row)))
            await session.commit()

    async def save(self, row: dict[str, Any]) -> None:
        async with self._sessions() as session:
            session.add(MappedCandidate(**as_mapped(row)))
            await session.commit()

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        async with self._sessions() as session:
            found = await session.get_one(MappedCandidate, str(key))
            found.confidence_score = score
            await session.commit()

    async def transaction(self, row: dict[str, Any]) -> None:
        async with self._sessions.begin() as session:
            candidate = MappedCandidate(**as_mapped(row))
            session.add(candidate)
            await session.flush()
            candidate.confidence_score = 0.5
            await session.flush()
            await session.refresh(candidate)
            candidate.is_selected = not candidate.is_selected
            await session.flush()
            await session.delete(candidate)

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        async with self._sessions() as session:
            session.add_all([MappedCandidate(**as_mapped(row)) for row in rows])
            await session.commit()


class OrmAsSoulspot2(SqlalchemyOrm):
    """The ORM as SoulSpot version 2 sets it up: no pool, so every session connects anew."""

    name = "ORM as SoulSpot 2"

    def __init__(self, place: Place) -> None:
        super().__init__(place, poolclass=NullPool)


class SqlalchemyCore:
    """Connections and rows, without mapped objects."""

    name = "SQLAlchemy Core"
    errors = (SQLAlchemyError,)

    def __init__(self, place: Place) -> None:
        self._engine = engine_for(place)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        await self._engine.dispose()

    async def get(self, key: UUID) -> Any:
        async with self._engine.connect() as connection:
            return (await connection.execute(sa.select(CANDIDATES).where(CANDIDATES.c.id == str(key)))).one()

    async def get_many(self, keys: list[UUID]) -> Any:
        asked = sa.select(CANDIDATES).where(CANDIDATES.c.id.in_([str(key) for key in keys]))
        async with self._engine.connect() as connection:
            return (await connection.execute(asked)).all()

    async def query(self, kind: str) -> Any:
        async with self._engine.connect() as connection:
            return (await connection.execute(best_of(kind))).all()

    async def count(self, kind: str) -> Any:
        async with self._engine.connect() as connection:
            return await connection.scalar(counting(kind))

    async def include(self, _nothing: None) -> list[Whole]:
        async with self._engine.connect() as connection:
            tracks = (await connection.execute(sa.select(TRACKS))).all()
            artists = sa.select(ARTISTS).where(ARTISTS.c.id.in_({track.artist_id for track in tracks}))
            albums = sa.select(ALBUMS).where(ALBUMS.c.id.in_({track.album_id for track in tracks}))
            found = [(await connection.execute(asked)).all() for asked in (artists, albums)]
        return put_together(list(tracks), *map(list, found))

    async def save(self, row: dict[str, Any]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(sa.insert(CANDIDATES), as_mapped(row))

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        async with self._engine.begin() as connection:
            await connection.execute(self._changing(str(key), confidence_score=score))

    @staticmethod
    def _changing(key: str, **values: Any) -> sa.Update:
        return sa.update(CANDIDATES).where(CANDIDATES.c.id == key).values(updated_at=now(), **values)

    async def transaction(self, row: dict[str, Any]) -> None:
        key = str(row["id"])
        async with self._engine.begin() as connection:
            await connection.execute(sa.insert(CANDIDATES), as_mapped(row))
            await connection.execute(self._changing(key, confidence_score=0.5))
            (await connection.execute(sa.select(CANDIDATES).where(CANDIDATES.c.id == key))).one()
            await connection.execute(self._changing(key, is_selected=True))
            await connection.execute(sa.delete(CANDIDATES).where(CANDIDATES.c.id == key))

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(sa.insert(CANDIDATES), [as_mapped(row) for row in rows])
