"""Folders, notes, tags and the links between them, of which some keep what is deleted and some last for a while."""

import datetime as dt

from soulspot_db import Database, EntityRegistry, EntitySchema, Repository

__all__ = ["PAST", "SOON", "Folders", "Labels", "Notes", "Shares", "make", "register"]

PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
SOON = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)


class FolderSchema(EntitySchema):
    entity_type = "folder"
    table_name = "folders"
    fields = {"id": {"type": "integer", "primary_key": True}, "name": {"type": "text", "default": ""}}
    relations = {"notes": {"entity": "note", "local": "id", "remote": "folder_id", "many": True}}


class NoteSchema(EntitySchema):
    entity_type = "note"
    table_name = "notes"
    soft_delete = "deleted_at"
    natural_key = "code"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "code": {"type": "string", "unique": True, "nullable": True},
        "folder_id": {"type": "integer", "default": 1},
        "place": {"type": "integer", "nullable": True},
        "deleted_at": {"type": "datetime", "nullable": True},
        "version": {"type": "integer", "version": True},
        "changed_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    indexes = ({"fields": ["folder_id", "place"], "unique": True},)
    relations = {
        "folder": {"entity": "folder", "local": "folder_id", "remote": "id", "several": "folders"},
        "labels": {
            "entity": "label",
            "local": "id",
            "remote": "id",
            "many": True,
            "through": {"entity": "tagging", "local": "note_id", "remote": "label_id"},
        },
    }
    queries = {
        "in_folder": {"where": {"folder_id": {"param": "folder"}}, "order_by": "id"},
        "places": {"select": "place", "distinct": True, "order_by": "place"},
        "by_folder": {"select": {"folder_id": "folder_id", "n": {"count": "*"}}, "group_by": ["folder_id"]},
        "has_place": {"where": {"place": {"param": "place"}}, "returns": "exists"},
        "drop": {"delete": True, "where": {"place": {"param": "place"}}},
        "shift": {"increment": {"place": 100}, "where": {"place": {"ne": None}}},
        "take": {"claim": {"place": None}, "where": {"place": {"ne": None}}, "order_by": "place", "limit": 1},
        "put": {"upsert": {"match": ["code", ["folder_id", "place"]]}},
    }


class LabelSchema(EntitySchema):
    entity_type = "label"
    table_name = "labels"
    fields = {"id": {"type": "integer", "primary_key": True}}
    relations = {
        "notes": {
            "entity": "note",
            "local": "id",
            "remote": "id",
            "many": True,
            "through": {"entity": "tagging", "local": "label_id", "remote": "note_id"},
        }
    }


class TaggingSchema(EntitySchema):
    entity_type = "tagging"
    table_name = "taggings"
    expires = "until"
    fields = {
        "note_id": {"type": "uuid"},
        "label_id": {"type": "integer"},
        "until": {"type": "datetime", "nullable": True},
    }
    primary_key = ("note_id", "label_id")


class ShareSchema(EntitySchema):
    entity_type = "share"
    table_name = "shares"
    expires = "expires_at"
    natural_key = "code"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "code": {"type": "string", "unique": True, "nullable": True},
        "owner": {"type": "string", "default": "me"},
        "name": {"type": "string", "nullable": True},
        "uses": {"type": "integer", "default": 0},
        "expires_at": {"type": "datetime", "nullable": True},
    }
    indexes = ({"fields": ["owner", "name"], "unique": True},)
    queries = {
        "of_owner": {"where": {"owner": {"param": "owner"}}, "order_by": "id"},
        "used": {"increment": {"uses": 1}, "where": {"code": {"param": "code"}}},
    }


SCHEMAS = (FolderSchema, NoteSchema, LabelSchema, TaggingSchema, ShareSchema)


class Folders(Repository):
    schema = FolderSchema


class Notes(Repository):
    schema = NoteSchema


class Labels(Repository):
    schema = LabelSchema


class Shares(Repository):
    schema = ShareSchema


def register():
    """Make the entities known."""
    for schema in SCHEMAS:
        EntityRegistry.register(schema.entity_type, schema)


async def make(db: Database):
    """Make their tables."""
    for schema in SCHEMAS:
        await db.create_table(schema.entity_type)
