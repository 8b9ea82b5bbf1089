"""The tables as the newest revision leaves them: one JSON file per entity, the same bytes everywhere."""

import hashlib
import json
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias, cast

from soulspot_db.language.table import AppliedSpec, ColumnSpec, TableSpec

__all__ = [
    "Snapshot",
    "applied",
    "default_text",
    "digest",
    "dump_table",
    "physical",
    "read_snapshot",
    "snapshot_of",
    "with_applied",
]

_STORED_AS = {"string": "text", "enum": "text", "list": "json"}

Snapshot: TypeAlias = Mapping[str, TableSpec]
"""Tables by `module/entity`."""


def with_applied(table: TableSpec, entity: str | None, columns: Mapping[str, str]) -> TableSpec:
    """The table with the renames that have been applied to it: their hints stay in the schema, and count once."""
    done = AppliedSpec()
    if entity:
        done["entity"] = entity
    if columns:
        done["columns"] = dict(sorted(columns.items()))
    return {**table, "applied": done} if done else table


def applied(snapshot: Snapshot, path: str) -> AppliedSpec:
    """The renames that led to an entity's table."""
    return snapshot[path].get("applied", AppliedSpec()) if path in snapshot else AppliedSpec()


def read_snapshot(folder: Path) -> Snapshot:
    """The tables recorded in `folder`; what cannot be read is left out, and the digest then tells."""
    return snapshot_of({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")})


def snapshot_of(files: Mapping[str, bytes]) -> Snapshot:
    """The tables recorded in files, by their paths."""
    found: dict[str, TableSpec] = {}
    for path, text in sorted(files.items()):
        try:
            table = json.loads(text)
        except ValueError:
            continue
        if isinstance(table, dict) and TableSpec.__required_keys__ <= table.keys():
            found[path.removesuffix(".json")] = cast("TableSpec", table)
    return found


def dump_table(table: TableSpec) -> str:
    """The text of one file."""
    return json.dumps(table, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def physical(column: ColumnSpec) -> ColumnSpec:
    """A column as databases see it: some types are stored alike, and differ in the CHECKs that the table has."""
    kind = column["type"].copy()
    kind["name"] = _STORED_AS.get(kind["name"], kind["name"])
    if kind.pop("encrypted", False) and kind["name"] == "json":
        kind["name"] = "text"
    kind.pop("items", None)
    return {**column, "type": kind}


def default_text(column: ColumnSpec) -> str:
    """A column's default as text, to be compared: to Python, 1 and 1.0 and true are equal, also inside a list."""
    return json.dumps(column["default"], sort_keys=True)


def digest(snapshot: Snapshot) -> str:
    """A hash of all tables as a database has them, which the revision that leads to them carries.

    Of the order of columns and the names of entities a database knows nothing that matters.
    """
    tables = {table["table"]: _physical(table) for table in snapshot.values()}
    text = json.dumps(tables, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _physical(table: TableSpec) -> dict[str, Any]:
    parts: list[tuple[str, Any]] = [
        ("columns", map(physical, table["columns"])),
        ("checks", table["checks"]),
        ("foreign_keys", table["foreign_keys"]),
        ("indexes", table["indexes"]),
    ]
    named = {name: sorted(items, key=itemgetter("name")) for name, items in parts}
    return {**named, "primary_key": table["primary_key"]}
