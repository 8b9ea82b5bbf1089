"""advanced-alchemy: its asynchronous repository with a session for each operation, as a request handler has one."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from advanced_alchemy.base import DefaultBase
from advanced_alchemy.exceptions import AdvancedAlchemyError
from advanced_alchemy.filters import CollectionFilter, LimitOffset, OrderBy
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from data import TABLE
from mapped import CandidateColumns, as_mapped, engine_for
from mapped_catalog import catalog_of
from place import Place
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import selectinload

__all__ = ["AdvancedAlchemy"]


class AlchemyCandidate(CandidateColumns, DefaultBase):
    """A row."""

    __tablename__ = TABLE


class CandidateRepository(SQLAlchemyAsyncRepository[AlchemyCandidate]):
    """Its repository."""

    model_type = AlchemyCandidate


AlchemyTrack = catalog_of(DefaultBase)


class TrackRepository(SQLAlchemyAsyncRepository[Any]):
    """That of tracks."""

    model_type = AlchemyTrack


GROUPS = sa.select(
    AlchemyCandidate.entity_type, sa.func.count(), sa.func.max(AlchemyCandidate.confidence_score)
).group_by(AlchemyCandidate.entity_type)


class AdvancedAlchemy:
    """Repositories over SQLAlchemy's ORM."""

    name = "advanced-alchemy"
    errors = (AdvancedAlchemyError, SQLAlchemyError)

    def __init__(self, place: Place) -> None:
        self._engine = engine_for(place)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        await self._engine.dispose()

    async def get(self, key: UUID) -> Any:
        async with self._sessions() as session:
            return await CandidateRepository(session=session).get(str(key))

    async def get_many(self, keys: list[UUID]) -> Any:
        async with self._sessions() as session:
            return await CandidateRepository(session=session).list(CollectionFilter("id", [str(key) for key in keys]))

    async def query(self, kind: str) -> Any:
        async with self._sessions() as session:
            best = OrderBy("confidence_score", "desc"), LimitOffset(100, 0)
            return await CandidateRepository(session=session).list(*best, entity_type=kind)

    async def count(self, kind: str) -> int:
        async with self._sessions() as session:
            return await CandidateRepository(session=session).count(entity_type=kind)

    async def page(self, place: int) -> Any:
        async with self._sessions() as session:
            repository = CandidateRepository(session=session)
            return await repository.list(OrderBy("id", "asc"), LimitOffset(50, place))

    async def upsert(self, row: dict[str, Any]) -> None:
        async with self._sessions() as session:
            await CandidateRepository(session=session).upsert(AlchemyCandidate(**as_mapped(row)), auto_commit=True)

    async def include(self, _nothing: None) -> Any:
        related = [selectinload(AlchemyTrack.main_artist), selectinload(AlchemyTrack.album)]
        async with self._sessions() as session:
            return await TrackRepository(session=session).list(load=related)

    async def groups(self, _nothing: None) -> Any:
        async with self._sessions() as session:  # its repositories have no groups
            return (await session.execute(GROUPS)).all()

    async def save(self, row: dict[str, Any]) -> None:
        async with self._sessions() as session:
            await CandidateRepository(session=session).add(AlchemyCandidate(**as_mapped(row)), auto_commit=True)

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        async with self._sessions() as session:
            changed = AlchemyCandidate(id=str(key), confidence_score=score)
            await CandidateRepository(session=session).update(changed, auto_commit=True)

    async def transaction(self, row: dict[str, Any]) -> None:
        key = str(row["id"])
        async with self._sessions.begin() as session:
            repository = CandidateRepository(session=session)
            await repository.add(AlchemyCandidate(**as_mapped(row)))
            await repository.update(AlchemyCandidate(id=key, confidence_score=0.5))
            await repository.get(key)
            await repository.update(AlchemyCandidate(id=key, is_selected=True))
            await repository.delete(key)

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        async with self._sessions() as session:
            candidates = [AlchemyCandidate(**as_mapped(row)) for row in rows]
            await CandidateRepository(session=session).add_many(candidates, auto_commit=True)
