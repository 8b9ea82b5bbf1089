"""Whatever a schema says, the answer is a list of problems or code that works; never a traceback."""

import shutil

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from projects import run, tree, write_project
from soulspot_db.language.document import (
    CacheDocument,
    EntityDocument,
    IndexDocument,
    MixinDocument,
    RelationDocument,
    RemovalDocument,
)
from soulspot_db.language.field_document import FieldDocument
from soulspot_db.language.query_document import QueryDocument
from soulspot_db.language.types import TYPES
from sql_strategies import SQL, STATEMENT

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
WORDS = ["id", "name", "type", "kind", "count", "date", "self", "fresh", "l", "order", "key", "a_b", "a", "b", "class"]
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers(-5, 300) | st.floats(-10, 10) | TEXT
ANY = SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(TEXT, SCALAR, max_size=2)
NAMES = st.sampled_from(WORDS) | st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)

# Keys that the language knows, with values that are right, nearly right, or wrong.
KEYS = {
    "type": st.sampled_from([*TYPES, "sting"]),
    "column": NAMES | ANY,
    "description": TEXT | ANY,
    "primary_key": st.booleans() | ANY,
    "unique": st.booleans(),
    "index": st.booleans(),
    "nullable": st.booleans(),
    "default": ANY | st.sampled_from(["now", "uuid4", "2026-11-24", "10:00", "1.5", "a"]),
    "on_update": st.just("now") | ANY,
    "max_length": st.integers(-1, 300) | ANY,
    "pattern": TEXT | st.sampled_from(["(", "(?i)a", "[a-z]+", "a)|(b", "(?P<x>a)", "\\", "*"]),
    "minimum": st.integers(-5, 5) | st.floats(-1e300, 1e300) | ANY,
    "maximum": st.integers(-5, 5) | ANY,
    "precision": st.integers(0, 19) | ANY,
    "scale": st.integers(-1, 19) | ANY,
    "values": st.lists(TEXT | st.sampled_from("abc"), max_size=4) | ANY,
    "items": st.sampled_from([*TYPES]) | ANY,
    "references": st.sampled_from(["m.thing", "m.other", "m.nothing", "thing"]) | ANY,
    "on_delete": st.sampled_from(["cascade", "set_null", "restrict"]) | ANY,
    "version": st.booleans() | ANY,
    "exclusive": st.booleans() | st.lists(NAMES, max_size=2) | ANY,
    "virtual": st.fixed_dictionaries({"field": NAMES, "prefix": TEXT}) | ANY,
    "sensitive": st.booleans() | ANY,
    "encrypted": st.booleans() | ANY,
    "deprecated": st.booleans() | TEXT | ANY,
    "renamed_from": NAMES | ANY,
    "backfill": ANY,
}
OPERATORS = [
    "eq",
    "ne",
    "is",
    "lt",
    "gte",
    "between",
    "in",
    "not_in",
    "like",
    "not_ilike",
    "icontains",
    "contains",
    "field",
]
PARAM = st.fixed_dictionaries({"param": NAMES}, optional={"optional": st.booleans(), "default": ANY})
OPERAND = (
    ANY
    | PARAM
    | st.fixed_dictionaries({"field": st.sampled_from(WORDS)})
    | st.fixed_dictionaries({"now": st.sampled_from(["0s", "-1h", "x"])})
)
CONDITION = st.dictionaries(
    st.sampled_from(WORDS), ANY | st.dictionaries(st.sampled_from(OPERATORS), OPERAND, max_size=2), max_size=2
)
FILTER = st.recursive(
    CONDITION,
    lambda inner: st.fixed_dictionaries(
        {}, optional={"and": st.lists(inner, max_size=2) | ANY, "or": st.lists(inner, max_size=2), "not": inner | ANY}
    ),
    max_leaves=4,
)


def documents(keys, *required):
    """Mappings of these keys, some of them always there."""
    return st.fixed_dictionaries(
        {key: keys[key] for key in required}, optional={key: keys[key] for key in keys if key not in required}
    )


FIELD = documents(KEYS, "type")
INDEX_KEYS = {
    "fields": st.lists(st.sampled_from([*WORDS, "a desc", "b down", "lower(name)", "upper(a) desc", "abs(l)"])) | ANY,
    "unique": st.booleans(),
    "name": NAMES | ANY,
    "where": FILTER | ANY,
}
INDEX = documents(INDEX_KEYS, "fields")
REMOVAL_KEYS = {"data": st.sampled_from(["discard", "archive", "x"]), "reason": TEXT}
RELATION_KEYS = {
    "field": NAMES | ANY,
    "entity": st.sampled_from(["m.thing", "m.other", "m.nothing"]) | ANY,
    "position": NAMES | ANY,
    "through": st.sampled_from(["m.thing", "m.other", "m.nothing"]) | ANY,
}
CACHE_KEYS = {"ttl": ANY, "max_size": ANY, "l2": ANY}
CHANGES = st.dictionaries(st.sampled_from(WORDS), OPERAND, max_size=2) | ANY
SELECTED = st.sampled_from(WORDS) | st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from([*WORDS, "*"]) for name in ("count", "sum", "min", "avg", "x")} | {"where": FILTER},
)
QUERY_KEYS = {
    "description": TEXT,
    "where": FILTER | ANY,
    "order_by": st.sampled_from(WORDS) | st.lists(st.sampled_from([*WORDS, "a desc"]), max_size=2) | ANY,
    "limit": st.integers(-1, 9) | PARAM | ANY,
    "returns": st.sampled_from(["many", "one", "count", "exists", "column", "rows", "exec"]) | ANY,
    "sql": SQL | STATEMENT | st.fixed_dictionaries({"sqlite": SQL | STATEMENT, "postgresql": SQL | STATEMENT}) | ANY,
    "columns": st.dictionaries(NAMES, FIELD | ANY, max_size=2) | ANY,
    "select": st.sampled_from(WORDS) | st.dictionaries(NAMES | TEXT, SELECTED, max_size=3) | ANY,
    "distinct": st.booleans(),
    "group_by": st.lists(st.sampled_from(WORDS), max_size=2) | ANY,
    "update": CHANGES,
    "increment": CHANGES,
    "delete": st.booleans(),
    "claim": CHANGES,
    "upsert": st.fixed_dictionaries(
        {
            "match": st.lists(
                st.sampled_from([*WORDS, "lower(name)", "lower(a)"]) | st.lists(NAMES, max_size=2), max_size=2
            )
        },
        optional={"rules": st.dictionaries(NAMES, st.sampled_from(["max", "fill_null", "x", {"differs": 1}, 5]))},
    )
    | ANY,
    "params": st.dictionaries(NAMES, FIELD | ANY, max_size=2) | ANY,
    "all_rows": st.booleans(),
    "full_scan": TEXT | ANY,
}
# Mostly few keys, because most do not go together.
QUERY = st.lists(st.sampled_from([*QUERY_KEYS]), max_size=4, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: QUERY_KEYS[key] for key in keys})
)
ENTITY_KEYS = {
    "fields": st.dictionaries(NAMES | TEXT, FIELD | ANY, max_size=4),
    "entity_type": NAMES | ANY,
    "table_name": NAMES | ANY,
    "description": TEXT,
    "natural_key": NAMES | ANY,
    "primary_key": st.lists(NAMES, max_size=3) | ANY,
    "indexes": st.lists(INDEX | ANY, max_size=3) | ANY,
    "checks": st.dictionaries(NAMES | TEXT, FILTER | ANY, max_size=2) | ANY,
    "guards": st.dictionaries(NAMES | TEXT, FILTER | ANY, max_size=2) | ANY,
    "relations": st.dictionaries(NAMES, documents(RELATION_KEYS) | ANY, max_size=2) | ANY,
    "queries": st.dictionaries(NAMES | TEXT, QUERY | ANY, max_size=3) | ANY,
    "use": st.lists(st.sampled_from(["shared", "wrong", "nothing"]) | ANY, max_size=2) | ANY,
    "renamed_from": NAMES | ANY,
    "removed": st.dictionaries(NAMES, documents(REMOVAL_KEYS) | ANY, max_size=2) | ANY,
    "expires": NAMES | ANY,
    "soft_delete": NAMES | ANY,
    "cache": st.booleans() | ANY | documents(CACHE_KEYS),
    "events": st.booleans() | ANY,
    "expect_rows": st.sampled_from([1, 10_000, 10**9]) | ANY,
}
ENTITY = documents(ENTITY_KEYS | {"other": ANY}, "fields")
MIXIN_KEYS = {key: ENTITY_KEYS[key] for key in ("description", "fields", "indexes", "checks")}
MIXIN = documents(MIXIN_KEYS | {"use": ANY}, "fields")

# Documents that are right, mostly: fields that fit their type.
PLAIN = {
    "uuid": st.fixed_dictionaries({}, optional={"default": st.sampled_from(["uuid4", "uuid7"])}),
    "string": st.fixed_dictionaries({}, optional={"max_length": st.integers(12, 99), "default": TEXT}),
    "text": st.fixed_dictionaries({}, optional={"pattern": st.sampled_from(["[a-z]*", "a|b", "\"'\\\\"])}),
    "integer": st.fixed_dictionaries({}, optional={"minimum": st.integers(-9, 0), "default": st.integers(0, 2**63)}),
    "float": st.fixed_dictionaries({}, optional={"default": st.floats(0, 1e300), "maximum": st.floats(1e300, 1e308)}),
    "decimal": st.fixed_dictionaries(
        {"precision": st.integers(9, 18), "scale": st.integers(0, 9)}, optional={"default": st.integers(0, 0)}
    ),
    "boolean": st.fixed_dictionaries({}, optional={"default": st.booleans()}),
    "date": st.fixed_dictionaries({}, optional={"default": st.dates().map(str)}),
    "time": st.fixed_dictionaries({}, optional={"default": st.times().map(str)}),
    "datetime": st.fixed_dictionaries({}, optional={"default": st.just("now"), "on_update": st.just("now")}),
    "enum": st.fixed_dictionaries({"values": st.lists(TEXT, min_size=1, max_size=9, unique=True)}),
    "list": st.fixed_dictionaries(
        {"items": st.sampled_from(["text", "uuid", "date", "float"])}, optional={"default": st.just([])}
    ),
    "bytes": st.fixed_dictionaries({}, optional={"max_length": st.integers(1, 99)}),
    "json": st.fixed_dictionaries({}, optional={"default": ANY.filter(lambda value: value is not None)}),
}
FLAGS = {
    "nullable": st.booleans(),
    "unique": st.booleans(),
    "index": st.booleans(),
    "description": TEXT,
    "sensitive": st.booleans(),
    "deprecated": st.booleans() | TEXT,
    "renamed_from": st.from_regex(r"former_[a-z]{1,5}", fullmatch=True),
}
# Values that a field of the type can be compared with.
VALUES = {
    "uuid": st.uuids().map(str),
    "string": TEXT,
    "text": TEXT,
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "date": st.dates().map(str),
    "time": st.times().map(str),
    "json": st.dictionaries(TEXT, SCALAR, max_size=2),
}


@st.composite
def right_filter(draw, fields):
    """A filter over `fields` that has a condition."""
    name = draw(st.sampled_from([*fields]))
    kind = fields[name]["type"]
    if kind not in VALUES:
        return {name: {draw(st.sampled_from(["eq", "ne"])): None}}
    operators = ["eq", "ne"] if kind == "json" else ["eq", "ne", "lt", "lte", "gt", "gte"]
    value = st.just({"field": name}) if kind != "json" and draw(st.booleans()) else VALUES[kind]
    condition = {name: {draw(st.sampled_from(operators)): draw(value), "not_in": draw(st.lists(VALUES[kind]))}}
    return draw(st.sampled_from([condition, {"not": condition}, {"or": [condition, {name: None}]}]))


@st.composite
def right_entity(draw):
    fields = {"id": {"type": draw(st.sampled_from(["uuid", "integer", "string"])), "primary_key": True}}
    for name in draw(st.lists(NAMES.filter(lambda name: name != "class"), max_size=5, unique=True)):
        kind = draw(st.sampled_from([*PLAIN]))
        fields.setdefault(name, {"type": kind, **draw(PLAIN[kind]), **draw(st.fixed_dictionaries({}, optional=FLAGS))})
    parts = [*fields, *(f"{name} desc" for name in fields)]
    parts += [f"lower({name})" for name, field in fields.items() if field["type"] in {"string", "text", "enum"}]
    names = st.lists(st.sampled_from(parts), min_size=1, max_size=3, unique=True)
    index = st.fixed_dictionaries({"fields": names}, optional={"unique": st.booleans(), "where": right_filter(fields)})
    return {
        "fields": fields,
        "indexes": draw(st.lists(index, max_size=2)),
        "checks": draw(st.dictionaries(NAMES, right_filter(fields), max_size=2)),
        "queries": draw(st.fixed_dictionaries({}, optional={"find_some": documents({"where": right_filter(fields)})})),
        "expect_rows": 100_000,
        "description": draw(TEXT),
    }


def project_of(folder, files, package="entities"):
    shutil.rmtree(folder, ignore_errors=True)
    texts = {
        f"{name if '/' in name else f'm/{name}'}.yaml": yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        for name, document in files.items()
    }
    return write_project(folder, texts, package=package)


def compiles(root) -> None:
    for path, content in tree(root).items():
        if path.endswith(".py"):
            compile(content, path, "exec")


def test_the_strategies_know_every_key():
    assert set(KEYS) == set(FieldDocument.model_fields)
    assert set(PLAIN) == set(TYPES)
    assert set(ENTITY_KEYS) == set(EntityDocument.model_fields)
    assert set(MIXIN_KEYS) == set(MixinDocument.model_fields)
    assert set(INDEX_KEYS) == set(IndexDocument.model_fields)
    assert set(RELATION_KEYS) == set(RelationDocument.model_fields)
    assert set(REMOVAL_KEYS) == set(RemovalDocument.model_fields)
    assert set(QUERY_KEYS) == set(QueryDocument.model_fields)
    assert set(CACHE_KEYS) == set(CacheDocument.model_fields)


USES = {"use": ["shared"]}


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(document=ENTITY | ANY, other=ENTITY, shared=MIXIN | ANY)
@example(
    document={"fields": {"a": {"type": "uuid", "default": []}}}, other={"fields": {"b": {"type": ["x"]}}}, shared=1
)
@example(
    document={"fields": {"a": {"type": "string", "pattern": "[", "default": "x"}}}, other={"fields": {}}, shared={}
)
@example(document={"fields": {"a": {"type": "integer", "minimum": 0.5, "default": 1}}}, other={"fields": {}}, shared={})
@example(document=USES | {"fields": [1], "indexes": 5}, other=USES, shared={"fields": {"a": {"type": "text"}}})
@example(document=USES | {"checks": None}, other=USES | {"indexes": {}}, shared={"fields": {"a": {"type": "text"}}})
@example(document={"fields": {}, "use": [[]]}, other=USES, shared=None)
def test_any_document_is_refused_or_compiles(tmp_path, document, other, shared):
    files = {"thing": document, "other": other, "_mixins/shared": shared, "_mixins/wrong": {"fields": {}}}
    root = project_of(tmp_path / "project", files)
    outcome = run(root)
    if outcome.code:
        problems = [line for line in outcome.err.splitlines()[:-1] if line.startswith("schemas")]
        assert problems
        assert "Traceback" not in outcome.err
        assert tree(root) == {}
    else:
        compiles(root)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(first=right_entity(), second=right_entity())
def test_right_documents_compile_and_are_stable(tmp_path, first, second):
    root = project_of(tmp_path / "project", {"thing": first, "other": second})
    if run(root).code == 0:
        compiles(root)
        assert run(root, "--check").code == 0


@pytest.mark.parametrize("case", range(6))
@settings(max_examples=1, deadline=None, suppress_health_check=[*SLOW, HealthCheck.differing_executors])
@given(data=st.data())
def test_some_are_imported_and_migrated(tmp_path, use, data, case):
    import asyncio
    import importlib

    package = f"some_{case}_entities"
    root = project_of(tmp_path / package, {"thing": data.draw(right_entity())}, package)
    if run(root).code == 0:
        project = use(root, package)
        for name in project.modules():
            importlib.import_module(f"{package}.{name}".rstrip("."))
        assert asyncio.run(project.migrate()).pending == ()
