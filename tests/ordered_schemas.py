"""Lists of songs that have an order, with and without a unique index over it, and what links them."""

from soulspot_db import Database, EntityRegistry, EntitySchema

__all__ = ["KINDS", "make", "register"]

KINDS = ("plain", "strict")
_RELATION = {"entity": "song", "local": "id", "remote": "id", "many": True}


class SongSchema(EntitySchema):
    entity_type = "song"
    table_name = "songs"
    fields = {"id": {"type": "uuid", "primary_key": True}, "name": {"type": "string"}}


class SetlistSchema(EntitySchema):
    entity_type = "setlist"
    table_name = "setlists"
    natural_key = "name"
    fields = {"id": {"type": "uuid", "primary_key": True}, "name": {"type": "string", "unique": True}}
    relations = {
        kind: {
            **_RELATION,
            "through": {"entity": f"{kind}_entry", "local": "list_id", "remote": "song_id", "position": "position"},
        }
        for kind in KINDS
    }


class PlainEntrySchema(EntitySchema):
    """Its key is the pair, and nothing says that a position is taken once."""

    entity_type = "plain_entry"
    table_name = "plain_entries"
    primary_key = ("list_id", "song_id")
    fields = {
        "list_id": {"type": "uuid", "references": "app.setlist", "on_delete": "cascade"},
        "song_id": {"type": "uuid", "references": "app.song", "on_delete": "cascade"},
        "position": {"type": "integer", "default": 0},
        "added_at": {"type": "datetime", "default": "now"},
    }


class StrictEntrySchema(EntitySchema):
    """It has a key of its own, a position is taken once in each list, is never negative, and changes are counted."""

    entity_type = "strict_entry"
    table_name = "strict_entries"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "list_id": {"type": "uuid", "references": "app.setlist", "on_delete": "cascade"},
        "song_id": {"type": "uuid", "references": "app.song", "on_delete": "cascade"},
        "position": {"type": "integer", "column": "place"},
        "changes": {"type": "integer", "version": True},
        "moved_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    indexes = ({"fields": ["list_id", "song_id"], "unique": True}, {"fields": ["list_id", "position"], "unique": True})
    checks = {"not_negative": {"position": {"gte": 0}}}


SCHEMAS = (SongSchema, SetlistSchema, PlainEntrySchema, StrictEntrySchema)


def register() -> None:
    """Make them known."""
    for schema in SCHEMAS:
        EntityRegistry.register(schema.entity_type, schema)


async def make(db: Database) -> None:
    """Make their tables."""
    for schema in SCHEMAS:
        await db.create_table(schema.entity_type)
