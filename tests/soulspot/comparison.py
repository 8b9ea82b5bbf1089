"""What differs between the tables of SoulSpot version 2 and the schemas, column by column."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from soulspot_db_codegen.naming import plural

TIMES = {"now()", "<callable utc_now>", "<callable>"}
SAME_TYPE = {"TEXT": "text", "INTEGER": "integer", "BIGINT": "integer", "FLOAT": "float", "BOOLEAN": "boolean"}
SAME_TYPE |= {"JSON": "json", "DATETIME": "datetime", "VARCHAR": "string"}


@dataclass(frozen=True, order=True)
class Difference:
    """What differs, at a column, an index or a check of a table of version 2, or at the table itself."""

    table: str
    kind: str  # table, column, index, unique, check
    name: str
    what: str


def load_schemas(root: Path) -> dict[str, dict[str, Any]]:
    """`module.entity` -> its document, mixins included and the table's name filled in."""
    found = {}
    for path in sorted(root.glob("*/*.yaml")):
        document = yaml.safe_load(path.read_text("utf-8"))
        module = path.parent.name
        if module.startswith("_") or path.stem.startswith("_"):
            continue
        entity = document.get("entity_type", path.stem)
        fields = dict(document["fields"])
        for mixin in document.get("use", []):
            extra = yaml.safe_load((root / "_mixins" / f"{mixin}.yaml").read_text("utf-8"))
            fields = fields | {name: field for name, field in extra["fields"].items() if name not in fields}
        table = document.get("table_name", f"{module}_{plural(entity)}")
        found[f"{module}.{entity}"] = document | {"fields": fields, "table": table}
    return found


def column_of(name: str, field: dict[str, Any]) -> str:
    return field.get("column", name)


def old_indexes(table: dict[str, Any]) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(re.sub(r"\b\w+\.", "", part) for part in index["on"])
        for index in table.get("indexes", [])
        if not index.get("unique")
    )


def old_uniques(table: dict[str, Any]) -> set[tuple[str, ...]]:
    found = {(name,) for name, column in table["columns"].items() if column.get("unique")}
    found |= {tuple(index["on"]) for index in table.get("indexes", []) if index.get("unique")}
    return found | {tuple(item["columns"]) for item in table.get("unique_constraints", [])}


def new_indexes(entity: dict[str, Any], *, unique: bool) -> Counter[tuple[str, ...]]:
    columns = {name: column_of(name, field) for name, field in entity["fields"].items()}
    key = "unique" if unique else "index"
    found = Counter((columns[name],) for name, field in entity["fields"].items() if field.get(key))
    for name, field in entity["fields"].items() if unique else ():
        if (group := field.get("exclusive")) is not None:
            names = [name] if group is True else group
            found[(*(columns[each] for each in names), f"where {columns[name]}")] += 1
    for index in entity.get("indexes", []):
        if bool(index.get("unique")) == unique:
            parts = tuple(
                re.sub(r"\b[a-z]\w*\b(?!\()", lambda m: columns.get(m[0], m[0]), part) for part in index["fields"]
            )
            found[(*parts, f"where {json.dumps(index['where'])}") if "where" in index else parts] += 1
    return found


def new_key(entity: dict[str, Any]) -> list[str]:
    names = entity.get("primary_key") or [name for name, field in entity["fields"].items() if field.get("primary_key")]
    return [column_of(name, entity["fields"][name]) for name in names]


OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def sql(where: dict[str, Any]) -> str:
    """A filter in SQL, spelled as version 2 spells its checks."""
    parts = []
    for name, wanted in where.items():
        if name in {"or", "and"}:
            parts.append(f" {name.upper()} ".join(sql(part) for part in wanted))
        elif name == "not":
            parts.append(f"NOT ({sql(wanted)})")
        else:
            conditions = wanted if isinstance(wanted, dict) else {"eq": wanted}
            parts.extend(condition(name, operator, value) for operator, value in conditions.items())
    return " AND ".join(parts)


def condition(name: str, operator: str, value: Any) -> str:
    if value is None:
        return f"{name} IS NULL" if operator == "eq" else f"{name} IS NOT NULL"
    shown = value["field"] if isinstance(value, dict) else repr(value)
    return f"{name} {OPERATORS[operator]} {shown}"


class Comparison:
    """Everything that differs; `tables` and `columns` say what of version 2 became what."""

    def __init__(
        self, old: dict[str, Any], new: dict[str, Any], tables: dict[str, str], renamed: dict[str, Any]
    ) -> None:
        self.old, self.new, self.tables, self.renamed = old, new, tables, renamed

    def __iter__(self) -> Iterator[Difference]:
        for table in self.old:
            path = self.tables.get(table)
            if path not in self.new:
                yield Difference(table, "table", "", "dropped")
                continue
            if self.new[path]["table"] != table:
                yield Difference(table, "table", "", f"renamed: {self.new[path]['table']}")
            yield from self._columns(table, self.new[path])
            yield from self._keys(table, self.new[path])
        for path in self.new.keys() - set(self.tables.values()):
            yield Difference(self.new[path]["table"], "table", "", "added")

    def _columns(self, table: str, entity: dict[str, Any]) -> Iterator[Difference]:
        stored = {name: field for name, field in entity["fields"].items() if "virtual" not in field}
        fields = {column_of(name, field): field for name, field in stored.items()}
        renamed = self.renamed.get(table, {})
        for name, column in self.old[table]["columns"].items():
            target = renamed.get(name, name)
            if target not in fields:
                yield Difference(table, "column", name, "dropped")
                continue
            if target != name:
                yield Difference(table, "column", name, f"renamed: {target}")
            field = fields.pop(target)
            single_key = new_key(entity) == [target]
            for what in self._column(column, field, single_key=single_key):
                yield Difference(table, "column", name, what)
        for name, field in fields.items():
            shown = ", ".join(f"{key} {json.dumps(value)}" for key, value in field.items() if key != "description")
            yield Difference(table, "column", name, f"added: {shown}")

    def _column(self, old: dict[str, Any], new: dict[str, Any], *, single_key: bool) -> Iterator[str]:
        yield from _types(old, new)
        before, after = bool(old.get("nullable")), bool(new.get("nullable"))
        if before != after:
            yield f"nullable: {_yes(before)} -> {_yes(after)}"
        yield from _defaults(old, new, single_key=single_key)
        if bool(old.get("on_update")) != bool(new.get("on_update")):
            yield f"on update: {_yes(bool(old.get('on_update')))} -> {_yes(bool(new.get('on_update')))}"
        yield from self._reference(old, new)
        for rule in ("minimum", "maximum", "pattern"):
            if rule in new:
                yield f"{rule}: none -> {new[rule]}"

    def _reference(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        before = after = "none"
        if "references" in old:
            table, _, column = old["references"]["to"].partition(".")
            on_delete = old["references"].get("on_delete", "RESTRICT").lower().replace(" ", "_")
            before = f"{self.tables.get(table, table)}.{column} {on_delete}"
        if "references" in new:
            key = new_key(self.new[new["references"]])
            after = f"{new['references']}.{key[0]} {new.get('on_delete', 'restrict')}"
        if before != after:
            yield f"references: {before} -> {after}"

    def _keys(self, table: str, entity: dict[str, Any]) -> Iterator[Difference]:  # noqa: C901 - one kind of key after another
        renamed = self.renamed.get(table, {})

        def rename(columns: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(renamed.get(column, column) for column in columns)

        key = [
            renamed.get(name, name) for name, column in self.old[table]["columns"].items() if column.get("primary_key")
        ]
        if key != new_key(entity):
            yield Difference(table, "table", "", f"primary key: {', '.join(key)} -> {', '.join(new_key(entity))}")
        before = {rename(columns) for columns in old_uniques(self.old[table])}
        after = set(new_indexes(entity, unique=True))
        for kind, gone, come in (
            ("unique", Counter(before - after), Counter(after - before)),
            ("index", *_surplus(Counter({rename(c): n for c, n in old_indexes(self.old[table]).items()}), entity)),
        ):
            for columns, times in gone.items():
                left = after if kind == "unique" else set(new_indexes(entity, unique=False))
                what = "declared once" if columns in left else "dropped"
                yield from [Difference(table, kind, ", ".join(columns), what)] * times
            for columns, times in come.items():
                yield from [Difference(table, kind, ", ".join(columns), "added")] * times
        if old_indexes(self.old[table]) or before:
            yield Difference(table, "index", "all", "named by version 3's rule")
        checks_before = {item["check"]: item["name"] for item in self.old[table].get("checks", [])}
        checks_after = {sql(where): name for name, where in entity.get("checks", {}).items()}
        for text in checks_before.keys() - checks_after.keys():
            yield Difference(table, "check", checks_before[text], f"dropped: {text}")
        for text in checks_after.keys() - checks_before.keys():
            yield Difference(table, "check", checks_after[text], f"added: {text}")
        for text in checks_before.keys() & checks_after.keys():
            if checks_before[text] != checks_after[text]:
                yield Difference(table, "check", checks_before[text], f"renamed: {checks_after[text]}")


def _surplus(before: Counter[tuple[str, ...]], entity: dict[str, Any]) -> tuple[Counter[Any], Counter[Any]]:
    after = new_indexes(entity, unique=False)
    return before - after, after - before


def _types(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    family, _, length = old["type"].partition("(")
    before, after = old["type"], new["type"]
    if after in {"list", "enum"}:
        after = f"list of {new['items']}" if after == "list" else f"enum {', '.join(new['values'])}"
    if SAME_TYPE.get(family) != new["type"]:
        yield f"type: {before} -> {after}"
    else:
        was, now = length.rstrip(")") or None, new.get("max_length")
        if str(was) != str(now):
            yield f"length: {was} -> {now}"
        if family == "INTEGER":
            yield "type: 32 bits -> 64 bits"
    if family == "DATETIME" and not old.get("timezone"):
        yield "type: without a time zone -> UTC"


MISSING = object()


def _defaults(old: dict[str, Any], new: dict[str, Any], *, single_key: bool) -> Iterator[str]:
    before: Any = old.get("default", old.get("server_default", MISSING))
    if isinstance(before, str) and before in TIMES:
        before = "now"
    elif before == "<callable list>":
        before = []
    elif new["type"] == "list" and isinstance(before, str):
        before = json.loads(before)
    made = "uuid7" if single_key and new["type"] == "uuid" and "references" not in new else MISSING
    after = new.get("default", made)
    if (before is MISSING) != (after is MISSING) or (
        before is not MISSING and (type(before), before) != (type(after), after)
    ):
        yield f"default: {_literal(before)} -> {_literal(after)}"
    if old.get("server_default") == "now()":
        yield "server default: now() -> none"
    elif after is not MISSING and after not in ("now", "uuid7") and "server_default" not in old:
        yield "server default: none -> the same literal"


def _literal(value: Any) -> str:
    return "none" if value is MISSING else value if isinstance(value, str) else json.dumps(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
