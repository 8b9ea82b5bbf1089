"""Hypothesis makes entities: fields of every type with their rules, references, indexes and checks that rows can pass."""

import itertools

from hypothesis import strategies as st
from soulspot_db import EntitySchema
from soulspot_db.language.field import ENCRYPTABLE

PATTERNS = [
    "[a-z]{4,8}",
    r"\d{3}-\d{4}",
    "(?i:ab|cd)[0-9]{5}",
    "[^x]{6}",
    r"\w+@\w+\.(org|net)",
    "spotify:[A-Za-z0-9]{22}",
]
ENUM = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), min_size=1, max_size=5, unique=True
)


@st.composite
def numeric_range(draw, numbers, room):
    """No limit, one, or two that leave room."""
    low = draw(st.none() | numbers)
    high = draw(st.none() | st.just(room).map(lambda room: room + (low or 0)))
    return {name: limit for name, limit in (("minimum", low), ("maximum", high)) if limit is not None}


@st.composite
def decimal_rules(draw):
    precision = draw(st.integers(4, 18))
    rules = {"precision": precision, "scale": draw(st.integers(0, precision - 3))}
    return {**rules, **draw(st.sampled_from([{}, {"minimum": 1}, {"maximum": -1}, {"minimum": -2.5, "maximum": 97.5}]))}


def _text(longest):
    return st.one_of(
        st.fixed_dictionaries({}, optional={"max_length": st.integers(2, longest)}),
        st.fixed_dictionaries({"pattern": st.sampled_from(PATTERNS), "max_length": st.integers(30, 99)}),
    )


# The rules of each type, all of which leave enough values for a handful of unique rows.
RULES = {
    "uuid": st.fixed_dictionaries({}, optional={"default": st.sampled_from(["uuid4", "uuid7"])}),
    "string": _text(99),
    "text": _text(9),
    "integer": numeric_range(st.integers(-(2**62), 2**62), 200),
    "float": numeric_range(st.floats(-1e15, 1e15), 1e17),
    "decimal": decimal_rules(),
    "boolean": st.fixed_dictionaries({}, optional={"default": st.booleans()}),
    "date": st.just({}),
    "time": st.just({}),
    "datetime": st.fixed_dictionaries({}, optional={"default": st.just("now"), "on_update": st.just("now")}),
    "enum": st.fixed_dictionaries({"values": ENUM}),
    "bytes": st.fixed_dictionaries({}, optional={"max_length": st.integers(3, 99)}),
    "json": st.just({}),
    "list": st.fixed_dictionaries({"items": st.sampled_from(["text", "uuid", "date", "float", "datetime", "boolean"])}),
}
KEYS = ["uuid", "integer", "string", "text", "decimal", "date", "datetime", "time"]
FEW_VALUES = {"boolean", "enum", "list"}  # too few to be unique; a list may be of booleans
ORDERED = ["integer", "float", "date", "time", "datetime", "uuid", "string"]


@st.composite
def field(draw):
    kind = draw(st.sampled_from([*RULES]))
    rules = {"type": kind, **draw(RULES[kind]), "nullable": draw(st.booleans())}
    if kind in ENCRYPTABLE and draw(st.booleans()):
        return {**rules, "encrypted": True}
    return {**rules, "unique": kind not in FEW_VALUES and draw(st.booleans()), "index": draw(st.booleans())}


@st.composite
def schemas(draw):
    """An entity `child` and the entity `parent` that it may refer to, each as a schema class."""
    key = draw(st.sampled_from(KEYS))
    key_field = {"type": key, **draw(RULES[key])}
    parent = _schema("parent", {"id": {**key_field, "primary_key": True}, "name": {"type": "string"}})
    fields = {f"f{number}": draw(field()) for number in range(draw(st.integers(1, 6)))}
    if draw(st.booleans()):
        reference = {name: key_field[name] for name in ("type", "precision", "scale") if name in key_field}
        fields["parent_id"] = {**reference, "references": "m.parent", "nullable": draw(st.booleans())}
    composite = draw(st.booleans())
    more = {"primary_key": ("key_1", "key_2")} if composite else {}
    for name in ("key_1", "key_2")[: 1 + composite]:
        kind = draw(st.sampled_from(KEYS))
        fields[name] = {"type": kind, **draw(RULES[kind]), "primary_key": not composite}
    checks = {f"c{number}": check for number, check in enumerate(draw(st.lists(_check(fields), max_size=3)))}
    indexes = draw(st.lists(_index(fields), max_size=2, unique_by=repr))
    return parent, _schema("child", fields, checks=checks, indexes=tuple(indexes), **more)


_number = itertools.count()


def _schema(entity_type, fields, **more):
    # Tables of their own, because all examples share a database.
    body = {"entity_type": entity_type, "table_name": f"{entity_type}_{next(_number)}", "fields": fields, **more}
    return type(f"{entity_type.title()}Schema", (EntitySchema,), body)


@st.composite
def _check(draw, fields):
    """A check that some row passes, whichever rules its fields have."""
    options = [{"not": {name: None}} for name, rules in fields.items() if rules.get("nullable")]
    options += [
        {"or": [{one: None}, {one: {"lt": {"field": other}}}, {one: {"gte": {"field": other}}}]}
        for one, other in itertools.permutations(fields, 2)
        if fields[one]["type"] == fields[other]["type"] in ORDERED
        and not any(fields[name].get("encrypted") for name in (one, other))
    ]
    options += [
        {name: {"in": [rules["values"][0], rules["values"][-1]]}} for name, rules in fields.items() if "values" in rules
    ]
    options += [{name: False} for name, rules in fields.items() if rules["type"] == "boolean"]
    free = [name for name, rules in fields.items() if rules["type"] in {"date", "datetime"}]
    options += [
        {one: {"lt": {"field": other}}} for one, other in itertools.combinations(free, 2) if _same(fields, one, other)
    ]
    return draw(st.sampled_from(options or [{"or": [{"not": {}}, {}]}]))


def _same(fields, one, other):
    return fields[one]["type"] == fields[other]["type"]


@st.composite
def _index(draw, fields):
    names = [name for name, rules in fields.items() if rules["type"] not in FEW_VALUES and "encrypted" not in rules]
    parts = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    if fields[parts[0]]["type"] in {"string", "text"} and draw(st.booleans()):
        parts[0] = f"lower({parts[0]})"
    where = draw(st.sampled_from([None, {draw(st.sampled_from([*fields])): {"ne": None}}]))
    return {"fields": parts, "unique": True, "name": f"index_{next(_number)}", **({"where": where} if where else {})}
