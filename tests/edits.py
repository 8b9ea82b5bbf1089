"""Edits of whole tables, and scripts of edits, chosen by Hypothesis.

Whether the rows fit the tables that they end in is asked of `violations`, and is nothing that an edit knows.
"""

from collections.abc import Callable
from typing import Any

from edit_fields import (
    FEW,
    add_field,
    change_default,
    change_length,
    change_nullable,
    change_type,
    change_values,
    pick,
    reference,
    remove_field,
    rename_field,
    swap_fields,
)
from edit_schemas import check_of, field_of, index_of, schemas
from edit_state import State
from hypothesis import strategies as st

__all__ = ["evolutions"]


def change_index(draw: Any, state: State) -> bool:
    name = draw(st.sampled_from([*state.entities]))
    entity = state.entities[name]
    indexes = entity.setdefault("indexes", [])
    way = draw(st.sampled_from(["add", "drop", "unique", "direction"]))
    if way == "add":
        index = index_of(draw, entity)
        if index is None:
            return False
        indexes.append(index)
    elif not indexes:
        return False
    elif way == "drop":
        indexes.pop()
    elif way == "unique":
        indexes[0]["unique"] = not indexes[0].get("unique", False)
    else:
        part = indexes[0]["fields"][0]
        indexes[0]["fields"][0] = part.removesuffix(" desc") if part.endswith(" desc") else f"{part} desc"
    return True


def change_unique(draw: Any, state: State) -> bool:
    found = pick(draw, state, lambda rules: rules["type"] not in FEW)
    if found is None:
        return False
    rules = state.entities[found[0]]["fields"][found[1]]
    rules["unique"] = not rules.get("unique", False)
    rules.pop("index", None)
    return True


def change_check(draw: Any, state: State) -> bool:
    entity = state.entities[draw(st.sampled_from([*state.entities]))]
    checks = entity.setdefault("checks", {})
    if "sane" in checks and draw(st.booleans()):
        del checks["sane"]
        return True
    check = check_of(draw, entity)
    if check is not None:
        checks["sane"] = check  # another condition under the same name
    return check is not None


def change_reference(draw: Any, state: State) -> bool:
    name = draw(st.sampled_from([*state.entities]))
    fields = state.entities[name]["fields"]
    ways = [at for at, rules in fields.items() if rules["type"] == "uuid" and at not in state.key(name)]
    if not ways or reference(state, "parent") is None:
        return False
    at = draw(st.sampled_from(ways))
    rules = fields[at]
    state.touched.add((name, at))
    if "references" not in rules:
        rules["references"] = reference(state, "parent")
        rules.pop("default", None)
        rules["nullable"] = True
    elif draw(st.booleans()):
        del rules["references"]
        rules.pop("on_delete", None)
    else:
        # One that was part of a key until now cannot become null.
        becomes = ["cascade", "restrict"] + (["set_null"] if rules.get("nullable") else [])
        rules["on_delete"] = draw(st.sampled_from(becomes))
    return True


def change_key(draw: Any, state: State) -> bool:
    name = draw(st.sampled_from([*state.entities]))
    entity = state.entities[name]
    if any(r.get("references", "").endswith(f".{name}") for e in state.entities.values() for r in e["fields"].values()):
        return False
    options = [
        at
        for at, rules in entity["fields"].items()
        if rules["type"] in {"string", "integer", "uuid", "date"}
        and not rules.get("nullable")
        and at not in state.key(name)
        and "default" not in rules
        and (name, at) not in state.touched
    ]
    if not options:
        return False
    chosen = draw(st.sampled_from(options))
    old = state.key(name)
    for at in [*old, chosen]:
        state.touched.add((name, at))
        entity["fields"][at].pop("primary_key", None)
    entity["fields"][chosen].pop("unique", None)
    if draw(st.booleans()):
        entity["primary_key"] = [chosen, *old[:1]]
    else:
        entity.pop("primary_key", None)
        entity["fields"][chosen]["primary_key"] = True
    return True


def rename_entity(draw: Any, state: State) -> bool:
    name = draw(st.sampled_from([*state.entities]))
    if (name, "") in state.touched:
        return False
    new = f"old_{name}"
    entity = state.entities.pop(name)
    state.entities[new] = entity
    entity["renamed_from"] = name
    if draw(st.booleans()):
        entity["table_name"] = f"m_{new}s"
    state.rows[new] = state.rows.pop(name)
    state.former[new] = state.former.pop(name)
    state.touched |= {(new, at) for owner, at in state.touched if owner == name} | {(new, "")}
    _repoint(state, f"{entity['module']}.{name}", f"{entity['module']}.{new}")
    return True


def _repoint(state: State, old: str, new: str) -> None:
    for entity in state.entities.values():
        for rules in entity["fields"].values():
            if rules.get("references") == old:
                rules["references"] = new


def move_entity(draw: Any, state: State) -> bool:
    name = draw(st.sampled_from([*state.entities]))
    entity = state.entities[name]
    old = f"{entity['module']}.{name}"
    entity["module"] = "n" if entity["module"] == "m" else "m"
    _repoint(state, old, f"{entity['module']}.{name}")
    return True


def add_entity(draw: Any, state: State) -> bool:
    if "fresh" in state.entities:
        return False
    fields: dict[str, Any] = {"id": {"type": "uuid", "primary_key": True}, "note": field_of(draw)}
    if (to := reference(state, "parent")) is not None:
        fields["parent_id"] = {"type": "uuid", "references": to}
    state.entities["fresh"] = {"module": "m", "table_name": "m_freshes", "fields": fields}
    state.rows["fresh"] = []
    state.touched |= {("fresh", at) for at in ["", *fields]}
    return True


def drop_entity(draw: Any, state: State) -> bool:
    free = [
        name
        for name in state.entities
        if name in state.former
        and (name, "") not in state.touched
        and len(state.entities) > 1
        and not any(
            r.get("references", "").endswith(f".{name}") for e in state.entities.values() for r in e["fields"].values()
        )
        and not state.entities[name].get("removed")
        and state.entities[name]["module"] == "m"
        and not any(owner == name for owner, _ in state.touched)
    ]
    if not free:
        return False
    name = draw(st.sampled_from(free))
    data = draw(st.sampled_from(["discard", "archive"]))
    state.modules["m"].setdefault("removed", {})[name] = {"data": data, "reason": "It is not used."}
    table, had = state.former[name], len(state.rows.pop(name))
    del state.entities[name]
    if data == "archive" and had:
        state.kept[f"archived_{table}"] = had
    state.lost = state.lost or (data == "discard" and had > 0)
    return True


EDITS: list[Callable[[Any, State], bool]] = [
    add_field,
    remove_field,
    rename_field,
    swap_fields,
    change_type,
    change_type,
    change_type,
    change_length,
    change_values,
    change_nullable,
    change_default,
    change_index,
    change_unique,
    change_check,
    change_reference,
    change_key,
    rename_entity,
    move_entity,
    add_entity,
    drop_entity,
]


@st.composite
def evolutions(draw: Any) -> tuple[State, State]:
    """A schema with rows, and what both are to become."""
    before = draw(schemas())
    after = before.copy()
    for number in draw(st.lists(st.integers(0, 10**6), min_size=2, max_size=6)):
        edit = EDITS[number % len(EDITS)]
        attempt = after.copy()
        if edit(draw, attempt):
            attempt.edits.append(edit.__name__)
            after = attempt
    return before, after
