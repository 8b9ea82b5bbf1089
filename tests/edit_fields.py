"""Edits of one field: each changes the schema, and the rows as they should become, worked out in plain Python.

An edit returns False where it cannot be made.
"""

import re
from collections.abc import Callable
from typing import Any

from edit_schemas import default_of, rules_of, stored_default
from edit_state import Made, State
from edit_values import CONVERSIONS, DEFAULTS, TYPES, RefusedError, converted
from hypothesis import strategies as st

__all__ = [
    "FEW",
    "add_field",
    "change_default",
    "change_length",
    "change_nullable",
    "change_type",
    "change_values",
    "pick",
    "reference",
    "remove_field",
    "rename_field",
    "swap_fields",
]


def mentioned(entity: dict[str, Any]) -> set[str]:
    """The fields that indexes, checks and keys speak of."""
    found = set(entity.get("primary_key", []))
    for index in entity.get("indexes", []):
        found |= {re.sub(r"lower\((\w+)\)", r"\1", part.removesuffix(" desc")) for part in index["fields"]}
        found |= set(index.get("where", {}))
    for check in entity.get("checks", {}).values():
        for part in check.get("or", [check]):
            found |= set(part)
    return found


def pick(draw: Any, state: State, wanted: Callable[[dict[str, Any]], bool], *, key: bool = False) -> Any:
    """A field that no edit has touched yet."""
    options = [
        (name, at)
        for name, entity in state.entities.items()
        for at, rules in entity["fields"].items()
        if (name, at) not in state.touched and wanted(rules) and (key or at not in state.key(name))
    ]
    if not options:
        return None
    found = draw(st.sampled_from(options))
    state.touched.add(found)
    return found


def fill(state: State, name: str, at: str, value: Any) -> None:
    for row in state.rows[name]:
        row[at] = value


FEW = {"boolean", "enum", "json", "list", "bytes"}  # too few values to be unique, or none to be compared


def _nullable(draw: Any, _state: State, rules: dict[str, Any]) -> Any:
    rules["nullable"] = True
    _perhaps_indexed(draw, rules)


def _default(draw: Any, _state: State, rules: dict[str, Any]) -> Any:
    if (found := default_of(draw, rules)) is None:
        return None
    rules["default"] = found[0]
    rules |= draw(st.sampled_from([{}, {"nullable": True}]))
    _perhaps_indexed(draw, rules)
    return found[1]


def _backfill(draw: Any, _state: State, rules: dict[str, Any]) -> Any:
    if (found := default_of(draw, rules)) is None:
        return None
    rules["backfill"] = found[0]
    rules |= draw(st.sampled_from([{}, {"nullable": True}]))
    return found[1]


def _now(draw: Any, _state: State, rules: dict[str, Any]) -> Any:
    rules.clear()
    rules |= {"type": "datetime", **draw(st.sampled_from([{"default": "now"}, {"backfill": "now"}]))}
    return Made("datetime")


def _uuid(draw: Any, _state: State, rules: dict[str, Any]) -> Any:
    rules.clear()
    rules |= {"type": "uuid", "default": draw(st.sampled_from(["uuid4", "uuid7"]))}
    rules |= draw(st.sampled_from([{}, {"unique": True}]))
    return Made("uuid")


def _reference(_draw: Any, state: State, rules: dict[str, Any]) -> Any:
    if (to := reference(state, "parent")) is not None:
        rules.clear()
        rules |= {"type": "uuid", "nullable": True, "references": to, "index": True}


def _perhaps_indexed(draw: Any, rules: dict[str, Any]) -> None:
    if rules["type"] not in FEW:
        rules |= draw(st.sampled_from([{}, {"unique": True}, {"index": True}]))


def add_field(draw: Any, state: State) -> bool:
    name = draw(st.sampled_from([*state.entities]))
    fields = state.entities[name]["fields"]
    at = f"new{len(fields)}"
    rules = rules_of(draw, draw(st.sampled_from(TYPES)))
    value = draw(st.sampled_from([_nullable, _default, _backfill, _now, _uuid, _reference]))(draw, state, rules)
    if at in fields or not rules.keys() & {"nullable", "default", "backfill"}:
        return False
    fields[at] = rules
    state.touched.add((name, at))
    fill(state, name, at, value)
    return True


def reference(state: State, name: str) -> str | None:
    if name not in state.entities or len(state.key(name)) != 1:
        return None
    if state.entities[name]["fields"][state.key(name)[0]]["type"] != "uuid":
        return None
    return f"{state.entities[name]['module']}.{name}"


def remove_field(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda _: True)
    if found is None or found[1] in mentioned(state.entities[found[0]]) or len(state.entities[found[0]]["fields"]) < 3:
        return False
    name, at = found
    entity = state.entities[name]
    column = state.columns(name)[at]
    data = draw(st.sampled_from(["discard", "archive"]))
    entity.setdefault("removed", {})[column] = {"data": data, "reason": "It is not used."}
    del entity["fields"][at]
    had = sum(row.pop(at) is not None for row in state.rows[name])
    if data == "archive" and had:
        state.kept[f"archived_{state.former[name]}_{column}"] = had
    state.lost = state.lost or (data == "discard" and had > 0)
    return True


def rename_field(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda rules: "references" not in rules, key=draw(st.booleans()))
    if found is None:
        return False
    name, at = found
    new = f"was_{at}"
    _rename(state, name, {at: new})
    rules = state.entities[name]["fields"][new]
    state.touched.add((name, new))
    if draw(st.booleans()) and not rules.get("primary_key") and new not in state.key(name):  # and more at once
        rules["nullable"] = True
        if rules["type"] in {"string", "text", "bytes"}:
            rules["max_length"] = draw(st.sampled_from([1, 3, 50]))
            _drop_long_default(rules)
    return True


def _rename(state: State, name: str, moves: dict[str, str]) -> None:
    entity, columns = state.entities[name], state.columns(name)

    def of(at: str) -> str:
        return moves.get(at, at)

    def of_part(part: str) -> str:
        return re.sub(r"^(lower\()?(\w+)", lambda match: (match[1] or "") + of(match[2]), part)

    def of_filter(found: dict[str, Any]) -> dict[str, Any]:
        return {"or": [*map(of_filter, found["or"])]} if "or" in found else {of(at): rule for at, rule in found.items()}

    fields = {}
    for at, rules in entity["fields"].items():
        fields[of(at)] = rules
        if at in moves:
            rules["renamed_from"] = columns[at]
            rules.pop("column", None)
    entity["fields"] = fields
    if "primary_key" in entity:
        entity["primary_key"] = [*map(of, entity["primary_key"])]
    for index in entity.get("indexes", []):
        index["fields"] = [*map(of_part, index["fields"])]
        if "where" in index:
            index["where"] = of_filter(index["where"])
    entity["checks"] = {label: of_filter(check) for label, check in entity.get("checks", {}).items()}
    state.rows[name] = [{of(at): value for at, value in row.items()} for row in state.rows[name]]


def swap_fields(draw: Any, state: State) -> bool:
    first = pick(draw, state, lambda rules: "references" not in rules and "column" not in rules)
    if first is None:
        return False
    others = [
        at
        for at, rules in state.entities[first[0]]["fields"].items()
        if (first[0], at) not in state.touched and "references" not in rules and "column" not in rules
        if at not in state.key(first[0])
    ]
    if not others:
        return False
    other = "twin2" if first[1] == "twin1" and "twin2" in others else draw(st.sampled_from(others))
    state.touched.add((first[0], other))
    _rename(state, first[0], {first[1]: other, other: first[1]})
    return True


def change_type(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda rules: CONVERSIONS[rules["type"]] and "references" not in rules)
    if found is None or found[1] in mentioned(state.entities[found[0]]):
        return False
    name, at = found
    old = state.entities[name]["fields"][at]
    new = rules_of(draw, draw(st.sampled_from(CONVERSIONS[old["type"]])))
    new |= {key: old[key] for key in ("nullable", "column") if key in old}
    if new["type"] not in FEW and old.get("unique"):
        new["unique"] = True
    state.entities[name]["fields"][at] = new
    for row in state.rows[name]:
        try:
            row[at], lost = converted(row[at], old, new)
            state.lost = state.lost or lost
        except RefusedError:
            state.refused = True
    return True


def change_length(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda rules: rules["type"] in {"string", "text", "bytes"}, key=True)
    if found is None:
        return False
    rules = state.entities[found[0]]["fields"][found[1]]
    length = draw(st.sampled_from([None, 1, 4, 60]))
    rules.pop("max_length", None)
    if length is not None:
        rules["max_length"] = length
        _drop_long_default(rules)
    return True


def _drop_long_default(rules: dict[str, Any]) -> None:
    if isinstance(rules.get("default"), str) and len(rules["default"]) > rules["max_length"]:
        del rules["default"]


def change_values(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda rules: rules["type"] == "enum")
    if found is None or found[1] in mentioned(state.entities[found[0]]):
        return False
    rules = state.entities[found[0]]["fields"][found[1]]
    rules.pop("default", None)
    if draw(st.booleans()):
        rules["values"] = [*rules["values"], "more"]
    else:
        rules["values"] = rules["values"][:-1] or ["other"]
    return True


def change_nullable(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda rules: "references" not in rules)
    if found is None:
        return False
    name, at = found
    rules = state.entities[name]["fields"][at]
    if not rules.get("nullable"):
        rules["nullable"] = True
        return True
    if any(
        {at: None} in check.get("or", [check]) or check == {at: {"ne": None}}
        for check in state.entities[name].get("checks", {}).values()
    ):
        return False
    del rules["nullable"]
    given = default_of(draw, rules) if draw(st.booleans()) else None
    if given is not None:
        rules["backfill"] = given[0]
    if given is not None or "default" in rules:
        value = given[1] if given is not None else stored_default(rules)
        for row in state.rows[name]:
            row[at] = value if row[at] is None else row[at]
    return True


def change_default(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda rules: rules["type"] in DEFAULTS and "references" not in rules)
    if found is None:
        return False
    rules = state.entities[found[0]]["fields"][found[1]]
    if "default" in rules and draw(st.booleans()):
        del rules["default"]
    elif (given := default_of(draw, rules)) is not None:
        rules["default"] = given[0]
    return True
