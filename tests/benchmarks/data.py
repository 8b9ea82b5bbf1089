"""The rows that everybody reads and writes: SoulSpot's enrichment candidates, 12 columns of eight types."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Json

__all__ = [
    "BY_KEY",
    "COLUMNS",
    "KEYS",
    "KINDS",
    "SAVED",
    "TABLE",
    "Candidate",
    "all_rows",
    "candidate",
    "changed_rows",
    "new_rows",
    "stored",
    "text_of",
]

TABLE = "metadata_enrichment_candidates"
ROWS = 10_000
KINDS = [f"kind {n}" for n in range(20)]  # of entity: what `query` and `count` filter by
SAVED = "saved"  # the kind of rows that a workload adds, by which they are found and removed
BEGAN = datetime(2026, 11, 24, 12, 0, 0, 1, tzinfo=UTC)
KEYS = [UUID(int=bits, version=4) for bits in map(random.Random(6).getrandbits, [128] * ROWS)]

BY_KEY = sorted(KEYS, key=str)  # as text and as uuids


class Candidate(BaseModel):
    """A row as a model, written by hand for the peers that have none."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    entity_type: str
    entity_id: UUID
    spotify_uri: str
    spotify_name: str
    spotify_image_url: str | None
    confidence_score: float
    is_selected: bool
    is_rejected: bool
    extra_info: Json[Any] | None
    created_at: datetime
    updated_at: datetime


COLUMNS = tuple(Candidate.model_fields)


def row(n: int, key: UUID, kind: str) -> dict[str, Any]:
    """The n-th row, by column."""
    made = BEGAN + timedelta(seconds=n)
    return {
        "id": key,
        "entity_type": kind,
        "entity_id": UUID(int=n, version=4),
        "spotify_uri": f"spotify:artist:{n:022}",
        "spotify_name": f"The Artists of the Year {n}",
        "spotify_image_url": f"https://i.scdn.co/image/{n:040}" if n % 3 else None,
        "confidence_score": (n * 7919 % 1000) / 1000,
        "is_selected": n % 10 == 0,
        "is_rejected": n % 7 == 0,
        "extra_info": {"genres": ["ambient", "downtempo"], "followers": n * 31},
        "created_at": made,
        "updated_at": made,
    }


def all_rows() -> list[dict[str, Any]]:
    """The rows that are there from the beginning."""
    return [row(n, key, KINDS[n % len(KINDS)]) for n, key in enumerate(KEYS)]


def changed_rows(numbers: list[int]) -> list[dict[str, Any]]:
    """Some of these rows, with another name."""
    return [row(n, KEYS[n], KINDS[n % len(KINDS)]) | {"spotify_name": f"Renamed, once {n}"} for n in numbers]


def new_rows(count: int) -> list[dict[str, Any]]:
    """Rows that are not there yet."""
    return [row(n, uuid4(), SAVED) for n in range(count)]


def stored(values: dict[str, Any]) -> tuple[Any, ...]:
    """A row as SQLite stores it."""
    return tuple(map(_stored, values.values()))


def _stored(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return text_of(value)
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value


def text_of(moment: datetime) -> str:
    """A moment as SQLite stores it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def candidate(values: tuple[Any, ...]) -> Candidate:
    """The model of a row as the driver gives it."""
    return Candidate.model_validate(dict(zip(COLUMNS, values, strict=True)))
