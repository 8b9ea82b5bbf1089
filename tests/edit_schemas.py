"""Hypothesis makes the schema that is edited, and rows that fit it."""

from typing import Any

from edit_state import State, violations
from edit_values import DEFAULTS, ENUMS, TYPES, VALUES
from hypothesis import strategies as st

__all__ = ["check_of", "default_of", "field_of", "index_of", "rules_of", "schemas", "stored_default"]

NAMES = ["f1", "f2", "f3", "f4", "f5", "order", "limit"]


def rules_of(draw: Any, kind: str) -> dict[str, Any]:
    rules: dict[str, Any] = {"type": kind}
    if kind == "decimal":
        rules |= {"precision": draw(st.integers(4, 12)), "scale": draw(st.integers(0, 3))}
    elif kind == "enum":
        rules["values"] = draw(st.permutations(ENUMS))[: draw(st.integers(2, 5))]
    elif kind == "list":
        rules["items"] = "text"
    elif kind in {"string", "text", "bytes"} and draw(st.booleans()):
        rules["max_length"] = draw(st.sampled_from([2, 9, 40]))
    return rules


def default_of(draw: Any, rules: dict[str, Any]) -> tuple[Any, Any] | None:
    if rules["type"] == "enum":
        value = draw(st.sampled_from(rules["values"]))
        return value, value
    if rules["type"] not in DEFAULTS:
        return None
    given, stored = draw(st.sampled_from(DEFAULTS[rules["type"]]))
    if rules["type"] == "decimal":
        if rules["scale"] == 0 and given == "-1.5":
            given = stored = -1
        return given, round(float(stored) * 10 ** rules["scale"])
    return None if isinstance(stored, str) and len(stored) > rules.get("max_length", 99) else (given, stored)


def stored_default(rules: dict[str, Any]) -> Any:
    """A field's default as it is stored."""
    default = rules["default"]
    if rules["type"] == "decimal":
        return round(float(default) * 10 ** rules["scale"])
    known = DEFAULTS.get(rules["type"], [(default, default)])
    return next(stored for given, stored in known if repr(given) == repr(default))


def value_of(draw: Any, rules: dict[str, Any]) -> Any:
    if rules.get("nullable") and draw(st.integers(0, 3)) == 0:
        return None
    if rules["type"] == "enum":
        return draw(st.sampled_from(rules["values"]))
    if rules["type"] == "decimal":
        return draw(st.sampled_from([0, 1, -150, 999, -1, 10 ** rules["precision"] - 1]))
    return draw(st.sampled_from(VALUES[rules["type"]]))


def field_of(draw: Any) -> dict[str, Any]:
    rules = rules_of(draw, draw(st.sampled_from(TYPES)))
    if draw(st.booleans()):
        rules["nullable"] = True
    if draw(st.integers(0, 2)) == 0 and (found := default_of(draw, rules)):
        rules["default"] = found[0]
    if rules["type"] not in {"boolean", "enum", "json", "list", "bytes"}:
        rules |= draw(st.sampled_from([{}, {}, {"unique": True}, {"index": True}]))
    return rules


@st.composite
def schemas(draw: Any) -> State:
    """One to three entities, and rows that fit them."""
    state = State()
    for name in ["parent", "child", "pair"][: draw(st.integers(1, 3))]:
        entity = _entity(draw, name)
        state.entities[name] = entity
        state.former[name] = entity["table_name"]
        for _ in range(draw(st.integers(0, 2))):
            if (index := index_of(draw, entity)) is not None:
                entity.setdefault("indexes", []).append(index)
        if draw(st.booleans()) and (check := check_of(draw, entity)) is not None:
            entity["checks"] = {"sane": check}
        state.rows[name] = []
        for _ in range(draw(st.sampled_from([6, 4, 2, 0]))):
            row = {at: row_value(draw, state, rules) for at, rules in entity["fields"].items()}
            state.rows[name].append(row)
            if violations(state):
                state.rows[name].pop()
    return state


def _entity(draw: Any, name: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    entity: dict[str, Any] = {"module": "m", "table_name": f"m_{name}s", "fields": fields}
    if name == "pair":
        entity["primary_key"] = draw(st.permutations(["left_id", "right_id"]))
        fields["left_id"] = {"type": "uuid", "references": "m.parent", "on_delete": "cascade"}
        fields["right_id"] = {"type": draw(st.sampled_from(["integer", "string"]))}
    else:
        fields["id"] = {"type": "uuid", "primary_key": True}
    for at in draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]:
        fields[at] = field_of(draw)
        if draw(st.integers(0, 4)) == 0:
            fields[at]["column"] = f"{at}_c"
    if draw(st.booleans()):
        fields["twin1"], fields["twin2"] = {"type": "string"}, {"type": "string"}  # to be swapped unseen
    if name == "child":
        rules = {"type": "uuid", "references": "m.parent", "nullable": True}
        fields["parent_id"] = rules | draw(st.sampled_from([{}, {"on_delete": "cascade"}, {"on_delete": "set_null"}]))
    return entity


def row_value(draw: Any, state: State, rules: dict[str, Any]) -> Any:
    if "references" in rules:
        there = [row["id"] for row in state.rows["parent"]]
        return draw(st.sampled_from(there)) if there and draw(st.integers(0, 3)) else None
    return value_of(draw, rules)


def index_of(draw: Any, entity: dict[str, Any]) -> dict[str, Any] | None:
    names = [at for at, rules in entity["fields"].items() if rules["type"] not in {"json", "list", "bytes"}]
    chosen = draw(st.permutations(names))[: draw(st.integers(1, 2))]
    parts = []
    for at in chosen:
        options = [at, f"{at} desc"]
        if entity["fields"][at]["type"] in {"string", "text"}:
            options.append(f"lower({at})")
        parts.append(draw(st.sampled_from(options)))
    index: dict[str, Any] = {"fields": parts, "name": f"x_{entity['table_name']}_{draw(st.integers(0, 999))}"}
    if any(index["name"] == other["name"] for other in entity.get("indexes", [])):
        return None
    if draw(st.booleans()):
        index["unique"] = True
    where = draw(st.sampled_from([None, *names]))
    if where is not None:
        rules = entity["fields"][where]
        index["where"] = {where: rules["values"][0] if "values" in rules else {"ne": None}}
    return index


def check_of(draw: Any, entity: dict[str, Any]) -> dict[str, Any] | None:
    options: list[dict[str, Any]] = []
    for at, rules in entity["fields"].items():
        if rules["type"] == "integer":
            options += [{at: {"gte": limit}} for limit in (-5, 0, 1)]
            options.append({"or": [{at: None}, {at: {"gte": 2}}]})
        if rules["type"] == "enum":
            options.append({at: {"in": rules["values"][:2]}})
        if rules.get("nullable"):
            options.append({at: {"ne": None}})
    return draw(st.sampled_from(options)) if options else None
