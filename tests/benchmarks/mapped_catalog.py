"""The three tables as users of SQLAlchemy declare them, with relationships that load when they are asked to."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from catalog import SCHEMAS
from mapped import JSON, MOMENT, UUID_TEXT
from soulspot_db import EntitySchema
from sqlalchemy.orm import mapped_column, relationship

__all__ = ["catalog_of"]

_TYPES: Mapping[str, Any] = {
    "boolean": sa.Boolean(),
    "datetime": MOMENT,
    "enum": sa.String(20),
    "integer": sa.BigInteger(),
    "list": JSON,
    "string": sa.String(255),
    "uuid": UUID_TEXT,
}


def _columns(schema: type[EntitySchema]) -> dict[str, Any]:
    made: dict[str, Any] = {"__tablename__": schema.table_name}
    for name, field in schema.fields.items():
        target = [
            sa.ForeignKey(f"{other.table_name}.id")
            for other in SCHEMAS.values()
            if str(field.get("references")).endswith(f".{other.entity_type}")
        ]
        options = {"primary_key": True} if field.get("primary_key") else {"nullable": field.get("nullable", False)}
        made[name] = mapped_column(_TYPES[field["type"]], *target, **options)
    return made


def catalog_of(base: type) -> Any:
    """The class of a track, with those of its artist and its album, on a declarative base."""
    artist = type("CatalogArtist", (base,), _columns(SCHEMAS["artist"]))
    album = type("CatalogAlbum", (base,), _columns(SCHEMAS["album"]))
    relations = {"main_artist": relationship(artist, lazy="raise"), "album": relationship(album, lazy="raise")}
    return type("CatalogTrack", (base,), _columns(SCHEMAS["track"]) | relations)
