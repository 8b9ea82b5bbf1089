"""The table as SQLAlchemy's users declare it, and engines set up as its documentation shows."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from place import Place
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column

__all__ = ["CandidateColumns", "as_mapped", "engine_for", "now"]

# As SoulSpot stores them: 36 characters on SQLite.
UUID_TEXT = sa.String(36).with_variant(sa.Uuid(as_uuid=False), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def now() -> datetime:
    """When a row is changed."""
    return datetime.now(UTC)


class CandidateColumns:
    """The 12 columns."""

    id: Mapped[str] = mapped_column(UUID_TEXT, primary_key=True)
    entity_type: Mapped[str] = mapped_column(sa.String(20))
    entity_id: Mapped[str] = mapped_column(UUID_TEXT)
    spotify_uri: Mapped[str] = mapped_column(sa.String(255), index=True)
    spotify_name: Mapped[str] = mapped_column(sa.String(255))
    spotify_image_url: Mapped[str | None] = mapped_column(sa.String(512))
    confidence_score: Mapped[float] = mapped_column(sa.Double, index=True)
    is_selected: Mapped[bool] = mapped_column(default=False)
    is_rejected: Mapped[bool] = mapped_column(default=False)
    extra_info: Mapped[Any] = mapped_column(JSON, nullable=True)
    created_at: Mapped[datetime] = mapped_column(MOMENT, default=now)
    updated_at: Mapped[datetime] = mapped_column(MOMENT, default=now, onupdate=now)


def as_mapped(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its uuids as text."""
    return {**row, "id": str(row["id"]), "entity_id": str(row["entity_id"])}


def engine_for(place: Place, **options: Any) -> AsyncEngine:
    """An engine on the place."""
    if place.kind != "sqlite":
        return create_async_engine(place.url, **options)
    engine = create_async_engine(place.url, connect_args={"timeout": 30}, **options)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    return engine
