"""What the tests of encrypted fields share: an entity with every kind of them, keys, and a look at what is stored."""

import asyncio
import os
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import support
from analysed import analysed
from soulspot_db import Database, EntityRegistry, EntitySchema
from soulspot_db.maintenance.rotation import rotate_keys

__all__ = ["SECRET", "VaultSchema", "is_token", "new_key", "rotate_until_killed", "stored"]

SECRET = "planted-BQC4x7"


def new_key() -> str:
    return urlsafe_b64encode(os.urandom(32)).decode()


class VaultSchema(EntitySchema):
    entity_type = "vault"
    table_name = "vaults"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "name": {"type": "string", "unique": True},
        "word": {"type": "string", "encrypted": True, "max_length": 40, "pattern": r"\S*", "column": "password"},
        "note": {"type": "text", "encrypted": True, "nullable": True},
        "data": {"type": "json", "encrypted": True, "default": {"plain": ["default"]}},
        "seed": {"type": "bytes", "encrypted": True, "nullable": True, "max_length": 64},
        "changes": {"type": "integer", "version": True},
        "changed_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    checks = {"has_note_or_seed": {"or": [{"note": {"ne": None}}, {"seed": {"ne": None}}, {"name": {"ne": "x"}}]}}
    queries = {
        "noted": {"where": {"note": {"ne": None}}, "order_by": "name"},
        "words": {"select": {"name": "name", "word": "word", "seed": "seed", "data": "data"}, "order_by": "name"},
        "word_of": {"select": "word", "where": {"name": {"param": "name"}}, "returns": "one"},
        "count_notes": {"select": {"n": {"count": "note"}}},
        "set_word": {"update": {"word": {"param": "word"}}, "where": {"name": {"param": "name"}}},
        "copy_word": {"update": {"note": {"field": "word"}}, "where": {"name": {"param": "name"}}},
        "take": {"claim": {"note": {"param": "note"}}, "where": {"note": None}, "order_by": "name", "limit": 1},
        "told": {
            "sql": "SELECT v.name, v.password AS word, v.seed FROM vaults AS v WHERE v.name || '!' = :shouted",
            "params": {"shouted": {"type": "text"}},
            "returns": "rows",
        },
        "shown": {"sql": "SELECT * FROM vaults ORDER BY name"},
        "keep": {
            "upsert": {"match": ["name"], "rules": {"word": "fill_null", "note": "fill_null", "seed": "keep_if_null"}}
        },
    }


analysed(VaultSchema)


def stored(db: Database) -> list[tuple[Any, ...]]:
    """What the encrypted columns hold, by name of the row."""
    return support.outside(db, "SELECT name, password, note, data, seed FROM vaults ORDER BY name")


def is_token(value: Any) -> bool:
    return (value if isinstance(value, bytes) else str(value).encode()).startswith(b"gAAAA")


def rotate_until_killed(where: dict[str, Any], keys: list[str], begun: Path) -> None:
    """Rotate in a process of its own, which says when a batch is stored."""
    EntityRegistry.register("vault", VaultSchema)

    def progress(what: str, done: int, _total: int) -> None:
        if what.startswith("encrypting"):
            begun.write_text(str(done))

    async def run() -> None:
        async with Database(support.settings(**where, encryption_keys=keys)) as db:
            await rotate_keys(db, progress)

    asyncio.run(run())
