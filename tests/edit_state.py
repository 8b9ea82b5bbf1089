"""What a schema with its rows is, and what a table takes, in plain Python: no SQL is asked.

Values are written as SQLite stores them.
"""

import copy
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Made", "State", "columns_of", "violations"]


@dataclass(frozen=True)
class Made:
    """A value that the database makes up; of uuids no two are the same."""

    kind: str

    def fits(self, value: Any) -> bool:
        patterns = {
            "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
            "datetime": r"2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}",
        }
        return isinstance(value, str) and re.fullmatch(patterns[self.kind], value) is not None


@dataclass
class State:
    """Entities by name: their documents, and their rows by field.

    `modules` are the modules' documents, `kept` what archives should hold by table, `lost` says that something of a row
    is lost, `refused` that a value cannot be converted, `edits` what was done.
    """

    entities: dict[str, dict[str, Any]] = field(default_factory=dict)
    modules: dict[str, dict[str, Any]] = field(default_factory=lambda: {"m": {}, "n": {}})
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    lost: bool = False
    refused: bool = False
    edits: list[str] = field(default_factory=list)
    touched: set[tuple[str, str]] = field(default_factory=set)
    former: dict[str, str] = field(default_factory=dict)  # the tables' names before any edit

    def files(self) -> dict[str, dict[str, Any]]:
        found = {f"{module}/_module.yaml": document for module, document in self.modules.items() if document}
        for name, entity in self.entities.items():
            document = {key: value for key, value in entity.items() if key != "module"}
            found[f"{entity['module']}/{name}.yaml"] = copy.deepcopy(document)
        return found

    def table(self, name: str) -> str:
        return str(self.entities[name]["table_name"])

    def columns(self, name: str) -> dict[str, str]:
        return {at: rules.get("column", at) for at, rules in self.entities[name]["fields"].items()}

    def key(self, name: str) -> list[str]:
        entity = self.entities[name]
        return entity.get("primary_key") or [at for at, r in entity["fields"].items() if r.get("primary_key")]

    def copy(self) -> "State":
        return copy.deepcopy(self)


# What a table takes.


def violations(state: State) -> list[str]:
    """Why the rows do not fit the tables."""
    found = []
    for name, entity in state.entities.items():
        rows = state.rows[name]
        for row in rows:
            found += [f"{name}.{at}" for at, rules in entity["fields"].items() if not fits(row[at], rules)]
            found += [f"{name}.{label}" for label, check in entity.get("checks", {}).items() if not passes(row, check)]
        uniques = [([at], None) for at, rules in entity["fields"].items() if rules.get("unique")]
        uniques += [(i["fields"], i.get("where")) for i in entity.get("indexes", []) if i.get("unique")]
        found += [f"{name}: {fields}" for fields, where in uniques if repeats(rows, fields, where)]
        if repeats(rows, state.key(name), None):
            found.append(f"{name}: key")
        for at, rules in entity["fields"].items():
            if "references" in rules:
                target = rules["references"].partition(".")[2]
                (key,) = state.key(target)
                there = {row[key] for row in state.rows[target]}
                found += [f"{name}.{at} orphan" for row in rows if row[at] is not None and row[at] not in there]
    return found


def fits(value: Any, rules: dict[str, Any]) -> bool:
    if value is None:
        return bool(rules.get("nullable"))
    if "max_length" in rules and not isinstance(value, Made) and len(value) > rules["max_length"]:
        return False
    return "values" not in rules or value in rules["values"]


def passes(row: dict[str, Any], check: dict[str, Any]) -> bool:
    """A check of the few forms that are made here; as in SQL, what is unknown passes."""
    if "or" in check:
        answers = [_holds(row, part) for part in check["or"]]
        return True in answers or None in answers
    return _holds(row, check) is not False


def _holds(row: dict[str, Any], condition: dict[str, Any]) -> bool | None:
    ((at, wanted),) = condition.items()
    value = row[at]
    match wanted:
        case None:
            return value is None
        case {"ne": None}:
            return value is not None
        case {"gte": limit}:
            return None if value is None else value >= limit
        case {"in": values}:
            return None if value is None else value in values
    return None if value is None else value == wanted


def repeats(rows: list[dict[str, Any]], fields: list[str], where: dict[str, Any] | None) -> bool:
    seen: Counter[Any] = Counter()
    for row in rows:
        if where is not None and not _holds(row, where):
            continue
        values = []
        for part in fields:
            plain = part.removesuffix(" desc")
            lowered = re.fullmatch(r"lower\((\w+)\)", plain)
            value = row[lowered[1] if lowered else plain]
            values.append(_lower(value) if lowered and isinstance(value, str) else value)
        if not any(value is None or (isinstance(value, Made) and value.kind == "uuid") for value in values):
            seen[tuple(values)] += 1
    return any(count > 1 for count in seen.values())


def _lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def columns_of(state: State) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each entity with its table, and its fields with their columns."""
    for name in state.entities:
        yield name, state.table(name), state.columns(name)
