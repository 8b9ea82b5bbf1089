"""A thousand tracks with their artists and albums, as SoulSpot stores them: 75 columns in three tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Json, create_model
from soulspot_db import EntitySchema
from soulspot_db_entities.library import TrackSchema
from soulspot_db_entities.metadata import AlbumSchema, ArtistSchema

__all__ = ["ALBUMS", "ARTISTS", "BY_HAND", "SCHEMAS", "TRACKS", "Hand", "Whole", "put_together"]

SCHEMAS: Mapping[str, type[EntitySchema]] = {"track": TrackSchema, "artist": ArtistSchema, "album": AlbumSchema}


def key(kind: int, n: int) -> UUID:
    """The key of the n-th row of a kind."""
    return UUID(int=(kind << 96) + n, version=4)


ARTISTS: list[dict[str, Any]] = [
    {
        "id": key(1, n),
        "name": f"The Artists of the Year {n}",
        "spotify_uri": f"spotify:artist:{n:022}",
        "image_url": f"https://i.scdn.co/image/{n:040}",
        "genres": ["ambient", "downtempo"],
        "popularity": n % 100,
    }
    for n in range(100)
]
ALBUMS: list[dict[str, Any]] = [
    {
        "id": key(2, n),
        "title": f"The Album of the Year {n}",
        "artist_id": key(1, n // 2),
        "spotify_uri": f"spotify:album:{n:022}",
        "release_date": "1998-01-16",
        "release_year": 1998,
        "cover_url": f"https://i.scdn.co/image/{n:040}",
        "total_tracks": 10,
    }
    for n in range(200)
]
TRACKS: list[dict[str, Any]] = [
    {
        "id": key(3, n),
        "title": f"The Song of the Year {n}",
        "artist": f"The Artists of the Year {n // 10}",
        "artist_id": key(1, n // 10),
        "album_id": key(2, n // 5),
        "spotify_id": f"{n:022}",
        "isrc": f"FR{n:010}",
        "duration_ms": 200_000 + n,
        "track_number": n % 5 + 1,
        "file_path": f"/music/artist {n // 10}/album {n // 5}/{n}.flac",
        "audio_format": "flac",
    }
    for n in range(1000)
]

_TYPES: Mapping[str, Any] = {
    "boolean": bool,
    "datetime": datetime,
    "enum": str,
    "integer": int,
    "list": Json[list[str]],
    "string": str,
    "uuid": UUID,
}


@dataclass(frozen=True)
class Hand:
    """One table as it is read by hand: the model of a row, its columns, and the statement for all of them."""

    model: type[BaseModel]
    columns: tuple[str, ...]
    every: str

    def among(self, condition: str) -> str:
        """The rows with some of the keys."""
        return f"{self.every} WHERE id {condition}"

    def row(self, values: Any) -> Any:
        """The model of a row as the driver gives it."""
        return self.model.model_validate(dict(zip(self.columns, values, strict=True)))


def _by_hand(schema: type[EntitySchema]) -> Hand:
    types: dict[str, Any] = {}
    for name, field in schema.fields.items():
        kind = _TYPES[field["type"]]
        types[name] = (kind | None if field.get("nullable") else kind, ...)
    model = create_model(schema.entity_type.title(), __config__=ConfigDict(frozen=True), **types)
    return Hand(model, tuple(types), f"SELECT {', '.join(types)} FROM {schema.table_name}")


BY_HAND: Mapping[str, Hand] = {name: _by_hand(schema) for name, schema in SCHEMAS.items()}


@dataclass(frozen=True)
class Whole:
    """A track with its artist and its album."""

    track: Any
    main_artist: Any
    album: Any


def put_together(tracks: list[Any], artists: list[Any], albums: list[Any]) -> list[Whole]:
    """What three statements have found."""
    by_artist, by_album = ({each.id: each for each in rows} for rows in (artists, albums))
    return [Whole(track, by_artist[track.artist_id], by_album[track.album_id]) for track in tracks]
