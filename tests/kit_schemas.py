"""Entities with one difficulty each: what a factory has to get right."""

from soulspot_db import EntityRegistry, EntitySchema


class ArtistSchema(EntitySchema):
    entity_type = "artist"
    table_name = "artists"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "spotify_id": {"type": "string", "max_length": 64, "unique": True, "nullable": True},
        "name": {"type": "string", "max_length": 20},
        "genre": {"type": "enum", "values": ["rock", "jazz"], "default": "rock"},
        "created_at": {"type": "datetime", "default": "now"},
    }


class AlbumSchema(EntitySchema):
    """A required reference, a nullable one, and one to itself."""

    entity_type = "album"
    table_name = "albums"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "artist_id": {"type": "uuid", "references": "m.artist"},
        "producer_id": {"type": "uuid", "references": "m.artist", "nullable": True},
        "reissue_of": {"type": "integer", "references": "m.album", "nullable": True},
        "title": {"type": "string"},
    }


class PairSchema(EntitySchema):
    """Two references in an order, and a composite key."""

    entity_type = "pair"
    table_name = "pairs"
    primary_key = ("larger", "smaller")
    fields = {
        "larger": {"type": "uuid", "references": "m.artist"},
        "smaller": {"type": "uuid", "references": "m.artist"},
    }
    checks = {"ordered": {"smaller": {"lt": {"field": "larger"}}}}


class TargetSchema(EntitySchema):
    """One of two nullable references must be there."""

    entity_type = "target"
    table_name = "targets"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "artist_id": {"type": "uuid", "references": "m.artist", "nullable": True},
        "album_id": {"type": "integer", "references": "m.album", "nullable": True},
    }
    checks = {"has_target": {"or": [{"artist_id": {"ne": None}}, {"album_id": {"ne": None}}]}}


class NodeSchema(EntitySchema):
    """Every row refers to a row of its own kind."""

    entity_type = "node"
    table_name = "nodes"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "parent_id": {"type": "uuid", "references": "m.node"},
    }


class RangeSchema(EntitySchema):
    """Checks that the defaults break."""

    entity_type = "range"
    table_name = "ranges"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "low": {"type": "integer", "default": 0, "minimum": 0},
        "high": {"type": "integer", "default": 0, "maximum": 1000},
        "kind": {"type": "enum", "values": ["a", "b", "c", "d"], "default": "a"},
    }
    checks = {
        "ordered": {"low": {"lt": {"field": "high"}}},
        "not_small": {"high": {"gte": 990}},
        "late_kind": {"not": {"kind": ["a", "b"]}},
    }


class SettingSchema(EntitySchema):
    """Unique in every way there is, and one default row."""

    entity_type = "setting"
    table_name = "settings"
    fields = {
        "key": {"type": "string", "primary_key": True, "max_length": 2},
        "name": {"type": "string", "default": "Name"},
        "scope": {"type": "enum", "values": ["user", "system"]},
        "position": {"type": "integer", "minimum": 1, "maximum": 20},
        "is_default": {"type": "boolean", "default": False},
    }
    indexes = (
        {"fields": ["lower(name)"], "unique": True},
        {"fields": ["scope", "position"], "unique": True},
        {"fields": ["is_default"], "unique": True, "where": {"is_default": True}},
    )


class TicketSchema(EntitySchema):
    """Found only while it is neither deleted nor past its time, which is never a required value's own doing."""

    entity_type = "ticket"
    table_name = "tickets"
    soft_delete = "deleted_at"
    expires = "ends_at"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "seat": {"type": "integer", "unique": True, "minimum": 1, "maximum": 10},
        "deleted_at": {"type": "datetime", "nullable": True},
        "ends_at": {"type": "datetime"},
    }


class LoginSchema(EntitySchema):
    """Values that are stored encrypted, one of which must be there."""

    entity_type = "login"
    table_name = "logins"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "password": {"type": "string", "max_length": 8, "encrypted": True, "nullable": True},
        "seed": {"type": "bytes", "max_length": 8, "encrypted": True, "nullable": True},
        "profile": {"type": "json", "encrypted": True},
    }
    checks = {"has_a_secret": {"or": [{"password": {"ne": None}}, {"seed": {"ne": None}}]}}


SCHEMAS = (
    ArtistSchema,
    AlbumSchema,
    PairSchema,
    TargetSchema,
    NodeSchema,
    RangeSchema,
    SettingSchema,
    TicketSchema,
    LoginSchema,
)


def register_all() -> None:
    for schema in SCHEMAS:
        EntityRegistry.register(schema.entity_type, schema)
