"""This package: typed repositories, as generated."""

from typing import Any
from uuid import UUID

from catalog import ALBUMS, ARTISTS, TRACKS
from data import TABLE
from place import Place
from soulspot_db import Database, DatabaseError, DatabaseSettings
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackCreate
from soulspot_db_entities.metadata import (
    AlbumCreate,
    ArtistCreate,
    EnrichmentCandidateCreate,
    EnrichmentCandidateSchema,
    EnrichmentCandidateUpdate,
)

__all__ = ["SoulspotDb"]


class SoulspotDb:
    """Everything as it is by default: models, rules, cache, events."""

    name = "soulspot-db"
    errors = (DatabaseError,)

    def __init__(self, place: Place) -> None:
        self._db = Database(DatabaseSettings(**place.settings, auto_migrate=True, enable_query_logging=False))

        self._cursors: list[str] = []

    async def open(self) -> None:
        assert EnrichmentCandidateSchema.table_name == TABLE
        await self._db.open()
        self._repos = Repositories(self._db)
        self._candidates = self._repos.metadata.enrichment_candidate

    async def close(self) -> None:
        await self._db.close()

    async def get(self, key: UUID) -> Any:
        return await self._candidates.get(key, fresh=True)

    async def get_cached(self, key: UUID) -> Any:
        return await self._candidates.get(key)

    async def get_many(self, keys: list[UUID]) -> Any:
        return await self._candidates.get_many(keys, fresh=True)

    async def query(self, kind: str) -> Any:
        where = {"entity_type": kind}
        return await self._candidates.query(where, order_by="confidence_score desc", limit=100, fresh=True)

    async def count(self, kind: str) -> int:
        return await self._candidates.count({"entity_type": kind}, fresh=True)

    async def page(self, place: int) -> Any:
        # Who looks at a page has its cursor from the page before.
        if not self._cursors:
            page = await self._candidates.page(fresh=True)
            while page.next is not None:
                self._cursors.append(page.next)
                page = await self._candidates.page(after=page.next, fresh=True)
        return (await self._candidates.page(after=self._cursors[place // 50 - 1], fresh=True)).items

    async def groups(self, _nothing: None) -> Any:
        return await self._candidates.count_by_entity_type(fresh=True)

    async def include(self, _nothing: None) -> Any:
        tracks = await self._repos.library.track.query(fresh=True)
        return await self._repos.library.track.include(tracks, "main_artist", "album", fresh=True)

    async def save_catalog(self) -> None:
        await self._repos.metadata.artist.save_many([ArtistCreate(**row) for row in ARTISTS])
        await self._repos.metadata.album.save_many([AlbumCreate(**row) for row in ALBUMS])
        await self._repos.library.track.save_many([TrackCreate(**row) for row in TRACKS])

    async def upsert(self, row: dict[str, Any]) -> None:
        await self._candidates.upsert(EnrichmentCandidateCreate(**row), on=["id"])

    async def save(self, row: dict[str, Any]) -> None:
        await self._candidates.save(EnrichmentCandidateCreate(**row))

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        await self._candidates.update(key, EnrichmentCandidateUpdate(confidence_score=score))

    async def transaction(self, row: dict[str, Any]) -> None:
        key = row["id"]
        async with self._db.transaction():
            await self._candidates.save(EnrichmentCandidateCreate(**row))
            await self._candidates.update(key, EnrichmentCandidateUpdate(confidence_score=0.5))
            await self._candidates.get(key)
            await self._candidates.update(key, EnrichmentCandidateUpdate(is_selected=True))
            await self._candidates.delete(key)

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        await self._candidates.save_many([EnrichmentCandidateCreate(**row) for row in rows])
