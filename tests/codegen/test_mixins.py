"""Mixins: what several entities share is written once, and becomes part of each."""

import pytest
from jsonschema import Draft202012Validator
from projects import REPOSITORY, generated, run, write_project, write_schema
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas
from soulspot_db_codegen.json_schema import mixin_schema
from soulspot_db_codegen.yaml_reader import read_yaml

DATED = (
    "fields:\n  made_on: {type: date, index: true}\n  gone_on: {type: date, nullable: true}\n"
    "indexes:\n  - {fields: [gone_on, made_on desc]}\n"
    "checks:\n  in_order: {gone_on: {gte: {field: made_on}}}\n"
)
ENTITY = "use: [dated]\nfields:\n  id: {type: uuid, primary_key: true}\n  name: {type: string}\n"
SCHEMAS = {"_mixins/dated.yaml": DATED, "music/band.yaml": ENTITY, "film/film.yaml": ENTITY}


@pytest.fixture
def project(tmp_path):
    return generated(tmp_path, SCHEMAS)


def specs(root):
    return {entity.path: entity.spec for entity in read_schemas(load_configuration(root)).entities}


def test_fields_follow_the_entitys_own_and_all_else_comes_along(project):
    for spec in specs(project).values():
        assert [*spec.fields] == ["id", "name", "made_on", "gone_on"]
        assert [*spec.checks] == ["in_order"]
        table = spec.table_name
        assert [index.name for index in spec.indexes] == [f"ix_{table}_made_on", f"ix_{table}_gone_on_made_on"]


def test_several_mixins_come_in_the_order_in_which_they_are_used(tmp_path):
    other = "fields:\n  owner: {type: string}\n"
    write_project(tmp_path, {"_mixins/dated.yaml": DATED, "_mixins/owned.yaml": other})
    write_schema(tmp_path, "m/a.yaml", ENTITY.replace("[dated]", "[owned, dated]"))
    assert [*specs(tmp_path)["m.a"].fields] == ["id", "name", "owner", "made_on", "gone_on"]


def test_a_changed_mixin_changes_every_entity_that_uses_it(project):
    write_schema(project, "music/label.yaml", "fields:\n  id: {type: uuid, primary_key: true}\n")
    assert run(project).code == 0
    write_schema(project, "_mixins/dated.yaml", DATED.replace("nullable: true", "nullable: true, description: Later."))
    outcome = run(project, "--check")
    assert outcome.code == 1
    for path in ("music/band.py", "film/film.py"):
        assert f"would update generated/entities/{path}\n" in outcome.err
    assert "label" not in outcome.err


def test_a_mixin_that_nobody_uses_is_checked_all_the_same(project):
    write_schema(project, "_mixins/unused.yaml", "fields:\n  a: {type: sting}\n")
    assert "schemas/_mixins/unused.yaml:2:13: unknown field type 'sting'" in run(project, "--check").err


def test_mixins_alone_are_no_project(tmp_path):
    assert "there are no schemas" in run(write_project(tmp_path, {"_mixins/dated.yaml": DATED})).err


def test_every_folder_of_schemas_has_its_own_mixins(tmp_path):
    root = write_project(tmp_path, {"_mixins/dated.yaml": DATED, "music/band.yaml": ENTITY})
    (root / "pyproject.toml").write_text("[tool.soulspot-db]\nschemas = ['schemas', 'more']\noutput = 'generated/a'\n")
    (root / "more/film").mkdir(parents=True)
    (root / "more/film/film.yaml").write_text(ENTITY)
    assert run(root).err.startswith(
        "more/film/film.yaml:1:7: unknown mixin 'dated'\n    write more/_mixins/dated.yaml\n"
    )


def test_a_problem_of_a_mixin_is_told_once_however_many_use_it(project):
    write_schema(project, "_mixins/dated.yaml", DATED.replace("made_on desc", "made_at desc"))
    assert run(project).err == (
        "schemas/_mixins/dated.yaml:5:24: unknown field 'made_at'\n    did you mean 'made_on'?\n"
        "1 problem; nothing was written\n"
    )


def test_who_refers_to_an_entity_with_problems_is_not_told_of_them(tmp_path):
    refers = "fields:\n  id: {type: uuid, primary_key: true}\n  other: {type: uuid, references: m."
    texts = {"wrong": "fields:\n  id: {type: uuid, primary: true}\n", "broken": "fields: [\n"}
    texts |= {f"to_{name}": f"{refers}{name}}}\n" for name in (*texts, "nothing")}
    outcome = run(write_project(tmp_path, {f"m/{name}.yaml": text for name, text in texts.items()}))
    told = [line.partition(": ")[0] for line in outcome.err.splitlines()[:-1] if not line.startswith(" ")]
    assert told == ["schemas/m/broken.yaml:2:1", "schemas/m/to_nothing.yaml:3:35", "schemas/m/wrong.yaml:2:20"]


def test_the_json_schema_takes_what_generate_takes():
    schema = mixin_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for text in (DATED, *(path.read_text("utf-8") for path in (REPOSITORY / "schemas/_mixins").glob("*.yaml"))):
        assert [*validator.iter_errors(read_yaml(text).data)] == []
    for wrong in ("{}", "fields: {}", DATED + "events: false\n", DATED.replace("index:", "indx:"), "use: [dated]"):
        assert [*validator.iter_errors(read_yaml(wrong).data)]
