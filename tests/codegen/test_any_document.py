"""Whatever a schema says, the answer is a list of problems or code that works; never a traceback."""

import shutil

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from projects import run, tree, write_project
from soulspot_db.language.document import EntityDocument, FieldDocument
from soulspot_db.language.types import TYPES

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
WORDS = ["id", "name", "type", "kind", "count", "date", "self", "fresh", "l", "order", "key", "a_b", "a", "b", "class"]
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers(-5, 300) | st.floats(-10, 10) | TEXT
ANY = SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(TEXT, SCALAR, max_size=2)
NAMES = st.sampled_from(WORDS) | st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)

# Keys that the language knows, with values that are right, nearly right, or wrong.
KEYS = {
    "type": st.sampled_from([*TYPES, "sting", "json"]),
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
}
FIELD = st.fixed_dictionaries({"type": KEYS["type"]}, optional={k: v for k, v in KEYS.items() if k != "type"})
ENTITY = st.fixed_dictionaries(
    {"fields": st.dictionaries(NAMES | TEXT, FIELD | ANY, max_size=4)},
    optional={
        "entity_type": NAMES | ANY,
        "table_name": NAMES | ANY,
        "description": TEXT,
        "natural_key": NAMES | ANY,
        "primary_key": st.lists(NAMES, max_size=3) | ANY,
        "indexes": st.lists(
            st.fixed_dictionaries(
                {"fields": st.lists(st.sampled_from([*WORDS, "a desc", "b down"]), max_size=3) | ANY},
                optional={"unique": st.booleans(), "name": NAMES | ANY},
            )
            | ANY,
            max_size=3,
        )
        | ANY,
        "cache": st.booleans() | ANY | st.fixed_dictionaries({}, optional={"ttl": ANY, "max_size": ANY}),
        "events": st.booleans() | ANY,
        "other": ANY,
    },
)

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
}
FLAGS = {"nullable": st.booleans(), "unique": st.booleans(), "index": st.booleans(), "description": TEXT}


@st.composite
def right_entity(draw):
    fields = {"id": {"type": draw(st.sampled_from(["uuid", "integer", "string"])), "primary_key": True}}
    for name in draw(st.lists(NAMES.filter(lambda name: name != "class"), max_size=5, unique=True)):
        kind = draw(st.sampled_from([*PLAIN]))
        fields.setdefault(name, {"type": kind, **draw(PLAIN[kind]), **draw(st.fixed_dictionaries({}, optional=FLAGS))})
    names = st.lists(st.sampled_from([*fields]), min_size=1, max_size=3, unique=True)
    index = st.fixed_dictionaries({"fields": names}, optional={"unique": st.booleans()})
    return {"fields": fields, "indexes": draw(st.lists(index, max_size=2)), "description": draw(TEXT)}


def project_of(folder, documents, package="entities"):
    shutil.rmtree(folder, ignore_errors=True)
    texts = {
        f"m/{name}.yaml": yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        for name, document in documents.items()
    }
    return write_project(folder, texts, package=package)


def compiles(root) -> None:
    for path, content in tree(root).items():
        if path.endswith(".py"):
            compile(content, path, "exec")


def test_the_strategies_know_every_key():
    assert set(KEYS) == set(FieldDocument.model_fields)
    assert set(PLAIN) == set(TYPES)
    assert {"fields", "entity_type", "indexes"} <= set(EntityDocument.model_fields)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(document=ENTITY | ANY, other=ENTITY)
@example(document={"fields": {"a": {"type": "uuid", "default": []}}}, other={"fields": {"b": {"type": ["x"]}}})
@example(document={"fields": {"a": {"type": "string", "pattern": "[", "default": "x"}}}, other={"fields": {}})
@example(document={"fields": {"a": {"type": "integer", "minimum": 0.5, "default": 1}}}, other={"fields": {}})
def test_any_document_is_refused_or_compiles(tmp_path, document, other):
    root = project_of(tmp_path / "project", {"thing": document, "other": other})
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
