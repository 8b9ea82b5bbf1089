"""`soulspot-db schema`: what editors know of the language is what `generate` knows."""

import json

import pytest
from jsonschema import Draft202012Validator
from projects import CASES, REPOSITORY
from soulspot_db.language.types import TYPES
from soulspot_db_codegen.json_schema import entity_schema, module_schema
from soulspot_db_codegen.yaml_reader import read_yaml

GOOD = "fields:\n  id: {type: uuid, primary_key: true}\n  tags: {type: list, items: text}\n"
FILES = sorted(
    [
        *(REPOSITORY / "schemas").rglob("*.yaml"),
        *(path for case in CASES.glob("*/expected") for path in case.parent.glob("schemas/*/*.yaml")),
    ]
)


def problems(text, schema=None):
    validator = Draft202012Validator(schema or entity_schema())
    return [error.message for error in validator.iter_errors(read_yaml(text).data)]


def keys(schema):
    """Every key of the language with its schema, by its path."""
    for name, part in [("", schema), *schema.get("$defs", {}).items()]:
        for place in [part, *part.get("anyOf", [])]:
            for key, value in place.get("properties", {}).items():
                yield f"{name}.{key}", value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_file_that_generate_accepts_is_valid(path):
    schema = module_schema() if path.name == "_module.yaml" else entity_schema()
    assert path.parent.name == "_mixins" or problems(path.read_text("utf-8"), schema) == []


@pytest.mark.parametrize("schema", [entity_schema(), module_schema()], ids=["entity", "module"])
def test_it_is_itself_valid(schema):
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("schema", [entity_schema(), module_schema()], ids=["entity", "module"])
def test_every_key_is_described(schema):
    found = dict(keys(schema))
    assert found
    assert [path for path, value in found.items() if not value.get("description", "").endswith(".")] == []


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD + "colour: red\n",
        GOOD.replace("primary_key", "primary"),
        GOOD + "indexes: [{fields: [id], uniqe: true}]\n",
        GOOD + "cache: {tll: 3}\n",
        GOOD.replace("items: text", "items: {type: text, unique: true}"),
    ],
)
def test_an_unknown_key_fails_wherever_it_stands(wrong):
    assert problems(GOOD) == []
    assert problems(wrong) != []


@pytest.mark.parametrize(
    "wrong",
    [
        "description: No fields.\n",
        "fields: {}\n",
        "fields: {id: uuid}\n",
        "fields: {id: {primary_key: true}}\n",
        GOOD.replace("uuid", "uid"),
        GOOD.replace("text", "list"),
        GOOD.replace("text", "decimal"),
        GOOD.replace("tags", "Tags"),
        GOOD.replace("tags", f"a{'a' * 63}"),
        GOOD.replace("true", "yes"),
        GOOD + "table_name: sqlite_songs\n",
        GOOD + "entity_type: Song\n",
        GOOD + "cache: sometimes\n",
        GOOD + "cache: {ttl: 0}\n",
        GOOD + "primary_key: []\n",
    ],
)
def test_a_wrong_value_fails(wrong):
    assert problems(wrong) != []


@pytest.mark.parametrize(
    "right", ["items: {type: text}", "items: uuid", "items: text, default: [a, b]", "items: text, column: labels"]
)
def test_what_may_be_written_in_several_ways_passes_in_each(right):
    assert problems(GOOD.replace("items: text", right)) == []


def test_types_are_completed_from_the_table_of_types():
    assert dict(keys(entity_schema()))["FieldDocument.type"]["enum"] == list(TYPES)


def test_only_the_fields_are_required():
    assert entity_schema()["required"] == ["fields"]
    assert "required" not in module_schema()


def test_editors_do_not_write_null_for_what_may_be_left_out():
    assert '"default": null' not in json.dumps(entity_schema())


def test_it_is_printed_the_same_every_time(program):
    first, second = (program("schema", env={"PYTHONHASHSEED": seed}) for seed in ("1", "2"))
    assert (first.code, first.err) == (0, "")
    assert first.out == second.out
    assert json.loads(first.out) == entity_schema()


def test_that_of_a_module_is_another(cli):
    assert json.loads(cli("schema", "--module").out) == module_schema()


def test_it_needs_no_project(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("schema").code == 0
