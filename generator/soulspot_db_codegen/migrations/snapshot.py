"""The tables as the newest revision leaves them: one JSON file per entity, the same bytes everywhere."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from soulspot_db.language.table import TableSpec

from soulspot_db_codegen.resolver import Resolved

__all__ = ["Snapshot", "digest", "dump_table", "read_snapshot", "take_snapshot"]

Snapshot: TypeAlias = Mapping[str, TableSpec]
"""Tables by `module/entity`."""


def take_snapshot(resolved: Resolved) -> Snapshot:
    """The tables that the schemas ask for."""
    return {f"{entity.module}/{entity.spec.entity_type}": entity.table for entity in resolved.entities}


def read_snapshot(folder: Path) -> Snapshot:
    """The tables recorded in `folder`; what cannot be read is left out, and the digest then tells."""
    found: dict[str, TableSpec] = {}
    for path in sorted(folder.rglob("*.json")):
        try:
            found[path.relative_to(folder).with_suffix("").as_posix()] = json.loads(path.read_text("utf-8"))
        except ValueError:
            continue
    return found


def dump_table(table: TableSpec) -> str:
    """The text of one file."""
    return json.dumps(table, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def digest(snapshot: Snapshot) -> str:
    """A hash of all tables, which the revision that leads to them carries."""
    text = json.dumps(snapshot, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
