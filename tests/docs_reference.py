"""The tables of docs/schema-reference.md, made from the JSON Schema of the language and from its types."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from soulspot_db import ddl
from soulspot_db.language.types import TYPES
from soulspot_db_codegen.json_schema import entity_schema, mixin_schema, module_schema
from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite

# One example of every key, as a line of YAML.
EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "entity": {
        "entity_type": "entity_type: playlist",
        "table_name": "table_name: playlists",
        "description": "description: A playlist the user follows.",
        "use": "use: [timestamps]",
        "renamed_from": "renamed_from: mixtape",
        "removed": "removed: {mood: {data: discard, reason: Nobody set it.}}",
        "natural_key": "natural_key: spotify_id",
        "fields": "fields: {id: {type: uuid, primary_key: true}}",
        "primary_key": "primary_key: [playlist_id, track_id]",
        "indexes": "indexes: [{fields: [status, created_at desc]}]",
        "checks": "checks: {counts: {track_count: {gte: 0}}}",
        "guards": "guards: {in_use: {downloads: {some: {}}}}",
        "relations": "relations: {tracks: {through: spotify.playlist_track}}",
        "queries": "queries: {count_by_status: {select: {status: status, n: {count: '*'}}, group_by: [status]}}",
        "expires": "expires: expires_at",
        "soft_delete": "soft_delete: deleted_at",
        "cache": "cache: {ttl: 300}",
        "events": "events: false",
        "expect_rows": "expect_rows: 100000",
    },
    "field": {
        "type": "type: string",
        "column": "column: order",
        "description": "description: As the user typed it.",
        "primary_key": "primary_key: true",
        "unique": "unique: true",
        "index": "index: true",
        "nullable": "nullable: true",
        "default": "default: 0",
        "on_update": "on_update: now",
        "max_length": "max_length: 255",
        "pattern": 'pattern: "[a-z]{2}"',
        "minimum": "minimum: 0",
        "maximum": "maximum: 100",
        "precision": "precision: 8",
        "scale": "scale: 2",
        "values": "values: [active, archived]",
        "items": "items: string",
        "references": "references: metadata.image",
        "on_delete": "on_delete: cascade",
        "version": "version: true",
        "exclusive": "exclusive: [user_id]",
        "virtual": "virtual: {field: spotify_uri, prefix: 'spotify:artist:'}",
        "sensitive": "sensitive: true",
        "encrypted": "encrypted: true",
        "deprecated": "deprecated: use title",
        "renamed_from": "renamed_from: title",
        "backfill": "backfill: unknown",
    },
    "index": {
        "fields": "fields: [lower(name), created_at desc]",
        "unique": "unique: true",
        "where": "where: {status: active}",
        "name": "name: one_active_a_user",
    },
    "items": {"type": "type: uuid"},
    "virtual": {"field": "field: spotify_uri", "prefix": "prefix: 'spotify:artist:'"},
    "relation": {
        "field": "field: artist_id",
        "entity": "entity: library.track",
        "through": "through: spotify.playlist_track",
        "position": "position: position",
    },
    "query": {
        "description": "description: Downloads whose next retry is due.",
        "where": "where: {status: failed, next_retry_at: {lte: {now: 0s}}, username: {param: user}}",
        "order_by": "order_by: [priority desc, created_at]",
        "limit": "limit: {param: limit, default: 10}",
        "returns": "returns: one",
        "select": "select: {status: status, n: {count: '*'}, tried: {sum: retry_count}}",
        "distinct": "distinct: true",
        "group_by": "group_by: [status]",
        "update": "update: {is_valid: false, last_error: {param: error}, last_error_at: {now: 0s}}",
        "increment": "increment: {retry_count: 1}",
        "delete": "delete: true",
        "claim": "claim: {status: running, locked_by: {param: worker}}",
        "upsert": "upsert: {match: [isrc, [lower(title), album_id]], rules: {isrc: fill_null}}",
        "sql": "sql: SELECT count(*) FROM soulseek_downloads WHERE length(file_path) > :most",
        "columns": "columns: {hours: {type: float, nullable: true}}",
        "params": "params: {at: {type: datetime, default: now}}",
        "all_rows": "all_rows: true",
        "full_scan": "full_scan: Once a day; an index would be read as a whole, too.",
    },
    "sql": {
        "sqlite": "sqlite: SELECT avg(julianday(due_at)) AS mean FROM takes",
        "postgresql": "postgresql: SELECT avg(extract(julian FROM due_at)) AS mean FROM takes",
    },
    "upsert": {
        "match": "match: [isrc, spotify_uri, [lower(title), album_id]]",
        "rules": "rules: {isrc: fill_null, is_saved: sticky_true, source: {differs: hybrid}}",
    },
    "removal": {"data": "data: archive", "reason": "reason: The sync fills it no more."},
    "cache": {"ttl": "ttl: 300", "max_size": "max_size: 5000", "l2": "l2: false"},
    "mixin": {
        "description": "description: When the row was made.",
        "fields": "fields: {created_at: {type: datetime, default: now}}",
        "indexes": "indexes: [{fields: [created_at]}]",
        "checks": "checks: {ordered: {updated_at: {gte: {field: created_at}}}}",
    },
    "module": {
        "description": "description: What Spotify knows.",
        "table_prefix": "table_prefix: sp",
        "removed": "removed: {mixtape: {data: archive, reason: Spotify has no mixtapes any more.}}",
    },
}
HOLDS: Mapping[str, str] = {
    "uuid": "a uuid",
    "string": "short text; give it a `max_length`",
    "text": "text of any length",
    "integer": "a whole number of 64 bits",
    "float": "a double; no NaN, no infinity",
    "decimal": "an exact number of up to 18 digits",
    "boolean": "true or false",
    "date": "a day",
    "time": "a time of day, to the microsecond, without a zone",
    "datetime": "a moment, always UTC",
    "enum": "one of a few texts",
    "bytes": "bytes",
    "json": "any JSON value but null by itself",
    "list": "values of one scalar type, in order",
}
_PAGES = {
    "FieldDocument": "field",
    "IndexDocument": "index",
    "ItemsDocument": "item",
    "QueryDocument": "query",
    "RelationDocument": "relation",
    "RemovalDocument": "removal",
    "SqlDocument": "sql",
    "UpsertDocument": "upsert",
    "VirtualDocument": "virtual",
}
_LINKS = {
    "field": "[a field](#fields)",
    "index": "[an index](#indexes)",
    "item": "[a scalar type](#types)",
    "query": "[a query](#queries)",
    "relation": "[a relation](#relations)",
    "sql": "[a text for each](#sql)",
    "upsert": "[an upsert](#upserts)",
    "removal": "[a removal](#removals)",
    "virtual": "[what it stands for](#virtual-fields)",
}


def tables() -> dict[str, str]:
    """Every generated table by the name that marks its place."""
    entity, mixin, module = entity_schema(), mixin_schema(), module_schema()
    definitions = entity["$defs"]
    items = next(part for part in definitions["ItemsDocument"]["anyOf"] if "properties" in part)
    schemas = {
        "entity": entity,
        "field": definitions["FieldDocument"],
        "index": definitions["IndexDocument"],
        "items": items,
        "virtual": definitions["VirtualDocument"],
        "removal": definitions["RemovalDocument"],
        "query": definitions["QueryDocument"],
        "relation": definitions["RelationDocument"],
        "sql": definitions["SqlDocument"],
        "upsert": definitions["UpsertDocument"],
        "cache": definitions["CacheDocument"],
        "mixin": mixin,
        "module": module,
    }
    return {name: _table(*_keys(name, schema)) for name, schema in schemas.items()} | {"types": _table(*_types())}


def filled(page: str) -> str:
    """`page` with every table between its marks made anew."""
    for name, table in tables().items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = marks.subn(lambda found, table=table: f"{found[1]}{table}{found[2]}", page)
        assert count == 1, f"the page has {count} places for the table {name!r}"
    return page


def _keys(name: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    yield "Key", "Value", "Default", "Meaning", "Example"
    for key, value in schema["properties"].items():
        required = key in schema.get("required", ())
        default = "required" if required else _default(value)
        yield f"`{key}`", _kind(value), default, value["description"], f"`{EXAMPLES[name][key]}`"


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value or value["default"] in ([], {}):
        return ""
    return f"`{str(value['default']).lower()}`"


def _kind(value: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return "[settings](#cache-and-events)" if name == "CacheDocument" else _LINKS[_PAGES[name]]
    if "anyOf" in value or "oneOf" in value:
        return " or ".join(_kind(part) for part in value.get("anyOf", value.get("oneOf")) if part.get("type") != "null")
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        listed = value["enum"]
        if set(listed) <= set(TYPES):
            return "[a type](#types)" if len(listed) == len(TYPES) else _LINKS["item"]
        return ", ".join(f"`{item}`" for item in listed)
    kind = value.get("type")
    if isinstance(kind, list):
        return " or ".join(_kind({"type": part}) for part in kind)
    words: Mapping[Any, Callable[[], str]] = {
        "boolean": lambda: "true or false",
        "string": lambda: "a name" if "pattern" in value else "text",
        "integer": lambda: _ranged("a whole number", value),
        "number": lambda: _ranged("a number", value),
        "array": lambda: f"a list of {_plural(_kind(value['items']))}",
        "object": lambda: _mapping(value),
    }
    return words[kind]() if kind in words else "any value"


def _plural(kind: str) -> str:
    return {"a name": "names", "text": "texts", _LINKS["index"]: "[indexes](#indexes)"}.get(kind, kind)


def _mapping(value: Mapping[str, Any]) -> str:
    inner = [*value.get("patternProperties", {}).values()]
    inner += [value["additionalProperties"]] if isinstance(value.get("additionalProperties"), dict) else []
    return f"names, each with {_kind(inner[0])}" if inner else "[a filter](#filters)"


def _ranged(words: str, value: Mapping[str, Any]) -> str:
    if "exclusiveMinimum" in value:
        return f"{words} above {value['exclusiveMinimum']}"
    if "minimum" not in value:
        return words
    return (
        f"{words}, {value['minimum']} to {value['maximum']}"
        if "maximum" in value
        else f"{words} from {value['minimum']}"
    )


def _types() -> Iterator[tuple[str, ...]]:
    yield "Type", "What it holds", "In Python", "On SQLite", "On PostgreSQL", "Keys of its own"
    for name, row in TYPES.items():
        python = {"Literal": "`Literal[...]`", "tuple": "`tuple[..., ...]`", "Json": "immutable `Json`"}
        keys = ", ".join(f"`{key}`" for key in sorted(row.keys))
        stored = f"`{_sql(name, postgresql.dialect()).lower()}`".replace('collate "c"', 'COLLATE "C"')
        yield f"`{name}`", HOLDS[name], python.get(row.python, f"`{row.python}`"), _sqlite(name), stored, keys


def _sql(name: str, dialect: Dialect) -> str:
    kind = ddl.decimal(18, 6) if name == "decimal" else getattr(ddl, name)()
    return str(kind.compile(dialect)).partition("(")[0]


def _sqlite(name: str) -> str:
    more = {
        "uuid": "36 lower-case characters",
        "decimal": "scaled by 10^scale",
        "boolean": "0 or 1",
        "date": "`2026-11-24`",
        "time": "`12:30:00.000000`",
        "datetime": "`2026-11-24 12:30:00.000000`",
        "enum": "and a CHECK",
        "json": "compact, keys sorted",
        "list": "compact JSON",
    }
    return f"`{_sql(name, sqlite.dialect())}`" + (f", {more[name]}" if name in more else "")


def _table(*rows: tuple[str, ...]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"
