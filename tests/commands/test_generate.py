"""`soulspot-db generate`: what it promises by its exit code and on its two streams."""

import json

import pytest
from projects import generated, tree, write_project, write_schema

GOOD = "fields:\n  id: {type: uuid, primary_key: true}\n"
BAD = "fields:\n  id: {type: uuid, primary_key: true}\n  name: {type: sting}\n  size: {type: integr}\n"


@pytest.fixture
def good(tmp_path):
    return write_project(tmp_path, {"music/song.yaml": GOOD})


@pytest.fixture
def bad(tmp_path):
    return write_project(tmp_path, {"music/song.yaml": BAD})


def test_done_is_0_and_the_files_are_listed_on_stdout(program, good):
    outcome = program("generate", "--project", good)
    assert (outcome.code, outcome.err) == (0, "")
    assert "create generated/entities/music/song.py\n" in outcome.out
    again = program("generate", cwd=good)
    assert (again.code, again.out, again.err) == (0, "everything is up to date\n", "")


def test_problems_are_1_and_stand_on_stderr(program, bad):
    outcome = program("generate", "--project", bad)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("schemas/music/song.yaml:3:16: unknown field type 'sting'\n")
    assert outcome.err.endswith("2 problems; nothing was written\n")


def test_no_project_is_wrong_usage_and_the_answer_shows_what_to_write(program, tmp_path):
    outcome = program("generate", cwd=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert "[tool.soulspot-db]" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--chekc"],
        ["--format", "xml"],
        ["--project", "missing"],
        ["extra"],
        ["--watch", "--check"],
        ["--watch", "--format", "json"],
    ],
)
def test_wrong_usage_is_2_and_writes_nothing(cli, good, monkeypatch, arguments):
    monkeypatch.chdir(good)
    outcome = cli("generate", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert tree(good) == {}


@pytest.mark.parametrize(
    "section",
    [
        "soulspot-db = 3",
        "[tool.soulspot-db]\noutput = 3",
        "[tool.soulspot-db]\noutput = 'a'\npackages = 'x'",
        "[tool.soulspot-db]\noutput = 'a'\nschemas = []",
        "[tool.soulspot-db]\noutput = 'a'\ncolour = 'red'",
        "[tool.soulspot-db",
        "a = '\xff'",
    ],
)
def test_a_configuration_that_makes_no_sense_is_wrong_usage(cli, tmp_path, section):
    text = f"[tool]\n{section}" if section.startswith("soulspot") else section
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))
    outcome = cli("generate", "--project", tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err


def test_the_project_is_found_from_a_folder_inside_it(cli, good, monkeypatch):
    monkeypatch.chdir(good / "schemas/music")
    assert cli("generate").code == 0
    assert (good / "generated/entities/music/song.py").is_file()


def test_check_writes_nothing_and_shows_what_is_missing_as_a_patch(cli, good):
    outcome = cli("generate", "--check", "--project", good)
    assert outcome.code == 1
    assert tree(good) == {}
    assert "+++ generated: generated/entities/music/song.py\n" in outcome.out
    assert "would create generated/entities/music/song.py\n" in outcome.err
    assert outcome.err.endswith("files out of date; run `soulspot-db generate`\n")


def test_check_is_content_after_generate_and_not_after_an_edit(cli, tmp_path):
    root = generated(tmp_path, {"music/song.yaml": GOOD})
    assert cli("generate", "--check", "--project", root).code == 0
    file = root / "generated/entities/music/song.py"
    file.write_text(file.read_text() + "\n# edited\n")
    outcome = cli("generate", "--check", "--project", root)
    assert outcome.code == 1
    assert "\n-# edited\n" in outcome.out
    assert outcome.err.startswith("would update generated/entities/music/song.py\n1 file out of date")


def test_a_file_that_nobody_generated_is_not_overwritten(cli, good):
    file = good / "generated/entities/music/song.py"
    file.parent.mkdir(parents=True)
    file.write_text("mine = True\n")
    outcome = cli("generate", "--project", good)
    assert outcome.code == 1
    assert outcome.err.startswith("generated/entities/music/song.py:1:1: this file was not generated")
    assert list(tree(good)) == ["generated/entities/music/song.py"]
    assert file.read_text() == "mine = True\n"


def test_a_disk_that_refuses_is_one_line_and_no_traceback(cli, good):
    (good / "generated").write_text("a file where the folder should be")
    outcome = cli("generate", "--project", good)
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("form", ["json", "github", "sarif"])
@pytest.mark.parametrize("option", [[], ["--check"]])
def test_in_other_forms_problems_stand_on_stdout_alone(program, bad, form, option):
    outcome = program("generate", "--format", form, "--project", bad, *option)
    assert (outcome.code, outcome.err) == (1, "")
    assert "unknown field type 'sting'" in outcome.out
    if form != "github":
        json.loads(outcome.out)


def test_json_tells_all_problems_in_the_order_of_the_file(cli, bad):
    problems = json.loads(cli("generate", "--format", "json", "--project", bad).out)
    assert [(item["line"], item["column"], item["hint"]) for item in problems] == [
        (3, 16, "did you mean 'string'?"),
        (4, 16, "did you mean 'integer'?"),
    ]
    assert {item["file"] for item in problems} == {"schemas/music/song.yaml"}


def test_done_in_another_form_is_an_empty_report_and_the_files_go_to_stderr(cli, good):
    outcome = cli("generate", "--format", "json", "--project", good)
    assert (outcome.code, outcome.out) == (0, "[]\n")
    assert "create generated/entities/music/song.py\n" in outcome.err


def test_no_annotations_are_no_line_at_all(cli, good):
    assert cli("generate", "--format", "github", "--project", good).out == ""


def test_drift_in_another_form_is_a_problem_at_the_head_of_each_file(cli, tmp_path):
    root = generated(tmp_path, {"music/song.yaml": GOOD, "music/album.yaml": GOOD})
    (root / "generated/entities/music/song.py").unlink()
    (root / "generated/entities/ids.py").write_text("# Code generated by soulspot-db, but changed\n")
    (root / "generated/entities/old.py").write_text("# Code generated by soulspot-db from nothing\n")
    outcome = cli("generate", "--check", "--format", "json", "--project", root)
    assert outcome.code == 1
    assert [(item["file"], item["line"], item["column"], item["message"]) for item in json.loads(outcome.out)] == [
        ("generated/entities/ids.py", 1, 1, "the file is not what the schemas say"),
        ("generated/entities/music/song.py", 1, 1, "the file is missing"),
        ("generated/entities/old.py", 1, 1, "no schema makes this file any more"),
    ]


def test_wrong_usage_in_another_form_leaves_stdout_empty(cli, tmp_path):
    outcome = cli("generate", "--format", "json", "--project", tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert "[tool.soulspot-db]" in outcome.err


def test_a_folder_of_schemas_that_is_missing_is_a_problem_of_its_own(cli, good):
    (good / "pyproject.toml").write_text('[tool.soulspot-db]\noutput = "out"\nschemas = ["schemas", "more"]\n')
    outcome = cli("generate", "--project", good)
    assert outcome.code == 1
    assert outcome.err.startswith("more:1:1: the folder does not exist\n")


def test_a_module_that_two_folders_describe_is_a_problem(cli, good):
    (good / "pyproject.toml").write_text('[tool.soulspot-db]\noutput = "out"\nschemas = ["schemas", "more"]\n')
    write_schema(good, "music/_module.yaml", "description: Music.\n")
    (good / "more/music").mkdir(parents=True)
    (good / "more/music/_module.yaml").write_text("description: More music.\n")
    outcome = cli("generate", "--project", good)
    assert outcome.code == 1
    assert (
        "more/music/_module.yaml:1:1: module 'music' is already described by schemas/music/_module.yaml" in outcome.err
    )
