"""What the language's tests share: entities with everything in them, and both databases to ask."""

import functools
import subprocess
from pathlib import Path
from typing import Any

from soulspot_db import DatabaseSettings, EntitySchema
from soulspot_db.language.types import TYPES
from soulspot_db.schema import resolved

# What fields of a type need beside it.
NEEDS: dict[str, dict[str, Any]] = {
    "enum": {"values": ["a", "b", "it's: 5%"]},
    "decimal": {"precision": 9, "scale": 2},
    "list": {"items": "text"},
}


class RecordSchema(EntitySchema):
    """Two nullable fields of every type, `a_text` and `b_text`, to compare with values and with each other."""

    entity_type = "record"
    table_name = "records"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        **{
            f"{letter}_{kind}": {"type": kind, "nullable": True, **NEEDS.get(kind, {})}
            for kind in TYPES
            for letter in "ab"
        },
    }


class TaskSchema(EntitySchema):
    entity_type = "task"
    table_name = "tasks"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "name": {"type": "string", "max_length": 40},
        "owner": {"type": "string", "nullable": True},
        "status": {"type": "enum", "values": ["open", "done"], "default": "open"},
        "priority": {"type": "integer", "default": 1},
        "created_at": {"type": "datetime", "default": "now"},
        "started_at": {"type": "datetime", "nullable": True},
    }
    indexes = (
        {"fields": ["owner"], "unique": True, "where": {"status": "open"}, "name": "one_open_an_owner"},
        {"fields": ["lower(name)"]},
        {"fields": ["upper(owner) desc"], "where": {"priority": {"gt": 5}}},
        {"fields": ["priority desc", "created_at"]},
    )
    checks = {
        "priority_counts": {"priority": {"gte": 0, "lte": 10}},
        "started_after_created": {"started_at": {"gte": {"field": "created_at"}}},
        "no_odd_names": {"name": {"not_in": ["it's: 100%", 'say "x"', "a\\:b"]}},
        "done_has_owner": {"or": [{"status": "open"}, {"owner": {"ne": None}}]},
    }


class SecretSchema(EntitySchema):
    entity_type = "secret"
    table_name = "secrets"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "name": {"type": "string"},
        "token": {"type": "string", "sensitive": True, "unique": True, "max_length": 30, "pattern": "tok-.*"},
        "pin": {"type": "integer", "sensitive": True, "nullable": True, "minimum": 1000},
        "kind": {"type": "enum", "values": ["x", "y"], "sensitive": True, "nullable": True},
        "seed": {"type": "bytes", "sensitive": True, "nullable": True, "max_length": 24},
        "data": {"type": "json", "sensitive": True, "nullable": True},
    }
    checks = {"pin_is_short": {"pin": {"lt": 10_000}}}


class FileSchema(EntitySchema):
    entity_type = "file"
    table_name = "files"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "content": {"type": "bytes", "nullable": True, "max_length": 8},
        "digest": {"type": "bytes", "nullable": True, "unique": True},
        "data": {"type": "json", "default": {"made": [], "by": {"default": True}}},
        "settings": {"type": "json", "nullable": True, "unique": True},
    }


SCHEMAS = (RecordSchema, TaskSchema, SecretSchema, FileSchema)


def record_fields():
    """The fields of a record but for its key."""
    return {name: field for name, field in resolved(RecordSchema).spec.fields.items() if name != "id"}


def settings(path: Path) -> DatabaseSettings:
    return DatabaseSettings(database_path=path, connection_pool_size=2, synchronous="NORMAL")


def ask_postgresql(sql: str) -> list[str] | None:
    """What a PostgreSQL on this machine answers, row by row; None where there is none. Nothing is left behind."""
    return _psql(f"BEGIN;\n{sql}\nROLLBACK;\n") if _answers() else None


@functools.cache
def _answers() -> bool:
    try:
        return _psql("SELECT 1;") == ["1"]
    except (OSError, AssertionError, subprocess.TimeoutExpired):
        return False


def _psql(sql: str) -> list[str]:
    command = ["psql", "-h", "127.0.0.1", "-p", "5432", "-U", "postgres", "-w", "-qAtX", "-v", "ON_ERROR_STOP=1"]
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
