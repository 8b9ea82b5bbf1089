"""What a database should answer: albums and their tracks in plain dicts, changed by the same operations."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from soulspot_db import EntitySchema

__all__ = [
    "CODES",
    "COLUMNS",
    "IDS",
    "NAMES",
    "QUESTIONS",
    "REFUSED",
    "SCHEMAS",
    "AlbumSchema",
    "Op",
    "State",
    "TrackSchema",
    "answer",
    "applied",
    "empty",
]

IDS = tuple(f"00000000-0000-4000-8000-00000000000{number}" for number in range(2))
# A code can be the text of an id: whoever asks for that text means the row with the id, if there is one.
CODES = ("x", IDS[1])
NAMES = ("a", "b")
REFUSED = "refused"

Row: TypeAlias = dict[str, Any]
State: TypeAlias = Mapping[str, Mapping[str, Row]]
Told: TypeAlias = tuple[str, str, tuple[str, ...] | None]
"""An event: its topic, the key of the row, and for updates the names of the fields."""


class AlbumSchema(EntitySchema):
    entity_type = "album"
    table_name = "albums"
    natural_key = "code"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "code": {"type": "string", "unique": True, "nullable": True},
        "rating": {"type": "integer", "default": 0},
    }


class TrackSchema(EntitySchema):
    entity_type = "track"
    table_name = "tracks"
    fields = {
        "name": {"type": "string", "primary_key": True},
        "album_id": {"type": "uuid", "nullable": True, "references": "m.album", "on_delete": "cascade"},
        "position": {"type": "integer", "default": 0},
    }


SCHEMAS = (AlbumSchema, TrackSchema)
KEY = {"album": "id", "track": "name"}
COLUMNS = {"album": ("id", "code", "rating"), "track": ("name", "album_id", "position")}


class Op(NamedTuple):
    """One call: its name, the entity, the key, row or filter, and for updates what changes."""

    kind: str
    entity: str
    what: Any = None
    changes: Any = None
    fresh: bool = False


QUESTIONS = (
    *(Op("get", "album", text) for text in (*IDS, "x")),
    *(Op("get_row", "album", text) for text in IDS),
    *(Op("get_by", "album", code) for code in CODES),
    *(Op("get", "track", name) for name in NAMES),
    Op("get_many", "album", IDS),
    Op("get_many", "track", NAMES),
    *(Op(kind, "album", {"rating": 1}) for kind in ("query", "count", "exists")),
    *(Op(kind, "track", {"album_id": IDS[0]}) for kind in ("query", "count", "exists")),
    Op("query", "album", {}),
    Op("query", "track", {}),
)


def empty() -> State:
    return {"album": {}, "track": {}}


def answer(state: State, op: Op) -> Any:
    """What a read returns."""
    rows = state[op.entity]
    if op.kind == "get" and op.entity == "album":
        return _located(state, op.what)
    if op.kind in {"get", "get_row"}:
        return rows.get(op.what)
    if op.kind == "get_many":
        return [rows.get(key) for key in op.what]
    if op.kind == "get_by":
        return next((row for row in rows.values() if row["code"] == op.what), None)
    found = [rows[key] for key in sorted(rows) if _matches(rows[key], op.what)]
    return {"query": found, "count": len(found), "exists": bool(found)}[op.kind]


def applied(state: State, op: Op) -> tuple[State, Any, list[Told]]:
    """The state after a write, what it returns, and the events it publishes."""
    after, returned, touched = _written(state, op)
    if returned == REFUSED or not _is_allowed(after):
        return state, REFUSED, []
    what = {"save": "created", "save_many": "created", "update": "updated", "update_where": "updated"}
    fields = tuple(op.changes) if op.kind.startswith("update") else None
    topic = f"database.{op.entity}.{what.get(op.kind, 'deleted')}"
    return after, returned, [(topic, key, fields) for key in touched]


def _written(state: State, op: Op) -> tuple[State, Any, list[str]]:
    rows = dict(state[op.entity])
    if op.kind in {"save", "save_many"}:
        given = [op.what] if op.kind == "save" else op.what
        keys = [row[KEY[op.entity]] for row in given]
        if len({*keys, *rows}) < len(keys) + len(rows):
            return state, REFUSED, []
        rows.update(zip(keys, given, strict=True))
        return {**state, op.entity: rows}, keys[0] if op.kind == "save" else keys, keys
    if op.kind in {"update", "delete"}:
        row = _located(state, op.what) if op.entity == "album" else rows.get(op.what)
        touched = [] if row is None else [row[KEY[op.entity]]]
    else:
        touched = [key for key, row in rows.items() if _matches(row, op.what)]
    for key in touched:
        if op.kind.startswith("update"):
            rows[key] = {**rows[key], **op.changes}
        else:
            del rows[key]
    after = {**state, op.entity: rows}
    if op.entity == "album":
        left = {name: row for name, row in state["track"].items() if row["album_id"] in (None, *rows)}
        after["track"] = left
    return after, bool(touched) if op.kind in {"update", "delete"} else len(touched), touched


def _located(state: State, text: str) -> Row | None:
    albums = state["album"]
    return albums.get(text) or next((row for row in albums.values() if row["code"] == text), None)


def _matches(row: Row, where: Mapping[str, Any]) -> bool:
    return all(row[name] == value for name, value in where.items())


def _is_allowed(state: State) -> bool:
    codes = [row["code"] for row in state["album"].values() if row["code"] is not None]
    parents = {row["album_id"] for row in state["track"].values()} - {None}
    return len(codes) == len(set(codes)) and parents <= state["album"].keys()
