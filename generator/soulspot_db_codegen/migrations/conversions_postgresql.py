"""From one field type to another on PostgreSQL, as `conversions` says it for SQLite.

Where a value has no counterpart the server stops at it, so that what is impossible must be told beforehand; a table is read by
the words FROM and JOIN alone, because the runtime finds there what it must lock.
"""

from collections.abc import Mapping

from soulspot_db.language.table import TypeSpec

from soulspot_db_codegen.migrations.conversions import MAX_EXACT, TEXTS, Conversion, outside

__all__ = ["column_type", "on_postgresql"]

_TYPES: Mapping[str, str] = {
    "uuid": "uuid",
    "string": "text",
    "text": "text",
    "enum": "text",
    "integer": "bigint",
    "float": "double precision",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "datetime": "timestamp with time zone",
    "json": "jsonb",
    "list": "jsonb",
    "bytes": "bytea",
}

_UTC = "({value} AT TIME ZONE 'UTC')"
# Real days, and no others: the first of the month, and as many days more, must be what is written.
_IS_DAY = (
    "CASE WHEN {value} ~ '^[0-9]{{4}}-(0[1-9]|1[0-2])-[0-9]{{2}}%s$' AND {value} >= '0001' "
    "THEN to_char(make_date(substr({value}, 1, 4)::int, substr({value}, 6, 2)::int, 1) "
    "+ (substr({value}, 9, 2)::int - 1), 'YYYY-MM-DD') = substr({value}, 1, 10) ELSE false END"
)
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{{6}}"
_UUID = "[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}"
_NUMBER = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]{{1,3}})?"
_INTEGER = "0|-?[1-9][0-9]{{0,18}}"
_LARGEST = 2**63

_NUMERIC = "{value}::numeric"
_DIGITS = "btrim(replace(replace(split_part(lower({value}), 'e', 1), '-', ''), '.', ''), '0')"
_IS_NUMBER = f"{{value}} ~ '^({_NUMBER})$' AND length({{value}}) <= 400"
_IS_FLOAT = (
    f"CASE WHEN {_IS_NUMBER} THEN abs({_NUMERIC}) <= 1.7976931348623157e308 "
    f"AND (abs({_NUMERIC}) >= 2.5e-324 OR {_NUMERIC} = 0) ELSE false END"
)


def _unless(condition: str) -> str:
    return f"{{value}} IS NOT NULL AND NOT ({condition})"


def _matching(pattern: str) -> str:
    return f"{{value}} !~ '^({pattern})$'"


_SIMPLE: dict[tuple[str, str], Conversion] = {
    ("boolean", "integer"): Conversion("{value}::int"),
    ("integer", "boolean"): Conversion("{value} <> 0", impossible="{value} NOT IN (0, 1)"),
    ("list", "json"): Conversion(),
    ("integer", "float"): Conversion("{value}::double precision", lossy=outside(MAX_EXACT)),
    ("float", "integer"): Conversion(
        "trunc({value})::bigint", lossy="{value} <> trunc({value})", impossible="abs({value}) >= 9.2e18"
    ),
    ("date", "datetime"): Conversion("{value}::timestamp AT TIME ZONE 'UTC'"),
    ("datetime", "date"): Conversion(f"{_UTC}::date", lossy=f"{_UTC}::time <> '00:00'"),
}
for _text in TEXTS:
    _SIMPLE["uuid", _text] = _SIMPLE["boolean", _text] = Conversion("{value}::text")
    _SIMPLE["date", _text] = Conversion("to_char({value}, 'YYYY-MM-DD')")
    _SIMPLE["time", _text] = Conversion("to_char({value}, 'HH24:MI:SS.US')")
    _SIMPLE["datetime", _text] = Conversion(f"to_char({_UTC}, 'YYYY-MM-DD HH24:MI:SS.US')")
    _SIMPLE["json", _text] = _SIMPLE["list", _text] = Conversion("{value}::text")
    _SIMPLE[_text, "uuid"] = Conversion("{value}::uuid", impossible=_matching(_UUID))
    _SIMPLE[_text, "date"] = Conversion("{value}::date", impossible=_unless(_IS_DAY % ""))
    _SIMPLE[_text, "time"] = Conversion("{value}::time", impossible=_matching(_TIME))
    _SIMPLE[_text, "datetime"] = Conversion(
        "{value}::timestamp AT TIME ZONE 'UTC'", impossible=_unless(_IS_DAY % f" {_TIME}")
    )
    _SIMPLE["integer", _text] = Conversion("{value}::text")
    _SIMPLE[_text, "integer"] = Conversion(
        "{value}::bigint",
        impossible=_unless(
            f"CASE WHEN {{value}} ~ '^({_INTEGER})$' "
            f"THEN {_NUMERIC} BETWEEN -{_LARGEST} AND {_LARGEST - 1} ELSE false END"
        ),
    )
    _SIMPLE[_text, "float"] = Conversion(
        "{value}::double precision",
        lossy=f"CASE WHEN {_IS_FLOAT} THEN length({_DIGITS}) > 15 "
        f"OR (abs({_NUMERIC}) < 1e-300 AND {_DIGITS} <> '') ELSE false END",
        impossible=_unless(_IS_FLOAT),
    )


def column_type(kind: TypeSpec) -> str:
    """What a type is called there."""
    if kind.get("encrypted") and kind["name"] != "bytes":
        return "text"
    if kind["name"] == "decimal":
        return f"numeric({kind.get('precision', 18)}, {kind.get('scale', 0)})"
    return _TYPES[kind["name"]]


def on_postgresql(before: TypeSpec, after: TypeSpec) -> Conversion:
    """How a column of one type becomes one of another, where `conversion` knows a way."""
    old, new = before["name"], after["name"]
    if after.get("encrypted"):
        return Conversion("{value}::text") if old == "json" and not before.get("encrypted") else Conversion()
    if before == after or (old in TEXTS and new in TEXTS) or old == new == "list":
        return Conversion()
    if "decimal" in {old, new}:
        return _decimal(before, after)
    return _SIMPLE[old, new]


def _decimal(before: TypeSpec, after: TypeSpec) -> Conversion:
    old, new = before["name"], after["name"]
    if new == "float":
        return Conversion(
            "{value}::double precision", lossy=f"abs({{value}} * {10 ** before.get('scale', 0)}) > {MAX_EXACT}"
        )
    digits, scale = after.get("precision", 18), after.get("scale", 0)
    if old in TEXTS:
        fraction = f"(\\.[0-9]{{{{1,{scale}}}}})?" if scale else ""
        return Conversion(
            f"{{value}}::numeric({digits}, {scale})",
            impossible=_unless(
                f"CASE WHEN {{value}} ~ '^-?(0|[1-9][0-9]{{{{0,18}}}}){fraction}$' "
                f"THEN abs({_NUMERIC}) < {10 ** (digits - scale)} ELSE false END"
            ),
        )
    # By way of text a double keeps all of its digits.
    exact = "{value}::text::numeric" if old == "float" else "{value}::numeric"
    value = f"{'round' if old == 'float' else 'trunc'}({exact}, {scale})"
    return Conversion(
        f"{value}::bigint" if new == "integer" else value,
        lossy=None if old == "integer" else f"{value}{'::double precision' if old == 'float' else ''} <> {{value}}",
        impossible=f"abs({value}) >= {10 ** (digits - scale)}",
    )
