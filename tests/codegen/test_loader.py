"""Which files are read, and what is said about those that are not."""

import pytest
from projects import run, write_project, write_schema
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.loader import load

ENTITY = "fields:\n  id: {type: uuid, primary_key: true}\n"


def loaded(root):
    sources, problems = load(load_configuration(root))
    return [(source.file, source.module, source.name) for source in sources], [str(problem) for problem in problems]


def test_files_come_sorted(tmp_path):
    write_project(tmp_path, {"b/two.yaml": ENTITY, "b/_module.yaml": "{}", "a/one.yaml": ENTITY})
    assert loaded(tmp_path) == (
        [
            ("schemas/a/one.yaml", "a", "one"),
            ("schemas/b/_module.yaml", "b", "_module"),
            ("schemas/b/two.yaml", "b", "two"),
        ],
        [],
    )


def test_a_file_that_is_too_large(tmp_path):
    write_project(tmp_path, {"a/one.yaml": ENTITY + "#" * (256 * 1024)})
    size = (tmp_path / "schemas/a/one.yaml").stat().st_size
    found = f"schemas/a/one.yaml:1:1: the file has {size} bytes; at most 262144 are read\n    split the entity"
    assert loaded(tmp_path) == ([], [found])


def test_a_file_as_large_as_may_be(tmp_path):
    write_project(tmp_path, {"a/one.yaml": ENTITY + "#" * (256 * 1024 - len(ENTITY))})
    assert loaded(tmp_path)[1] == []


def test_what_is_no_schema_is_not_looked_at(tmp_path):
    write_project(tmp_path, {"a/one.yaml": ENTITY, "README.md": "hello", "a/notes.txt": "x", "a/one.yaml~": "["})
    assert loaded(tmp_path)[1] == []


@pytest.mark.parametrize("text", [b"\xff\xfe", b"description: \xe9\n", "description: x\n".encode("utf-16")])
def test_what_is_not_utf_8(tmp_path, text):
    write_project(tmp_path, {}).joinpath("schemas/a").mkdir()
    (tmp_path / "schemas/a/one.yaml").write_bytes(text)
    assert loaded(tmp_path) == ([], ["schemas/a/one.yaml:1:1: the file is not UTF-8\n    save it as UTF-8"])


def test_links_and_folders_are_no_schemas(tmp_path):
    write_project(tmp_path, {"a/one.yaml": ENTITY})
    (tmp_path / "schemas/a/two.yaml").symlink_to(tmp_path / "schemas/a/one.yaml")
    (tmp_path / "schemas/a/three.yaml").mkdir()
    (tmp_path / "schemas/a/four.yaml").symlink_to(tmp_path / "nowhere")
    assert loaded(tmp_path)[1] == [
        f"schemas/a/{name}.yaml:1:1: not an ordinary file" for name in ("four", "three", "two")
    ]


@pytest.mark.parametrize("name", ["a/naïve.yaml", "naïve/a.yaml", "a/ａ.yaml", "a/Ⅷ.yaml", "a/x\u200by.yaml"])  # noqa: RUF001
def test_names_are_ascii(tmp_path, name):
    write_project(tmp_path, {name: ENTITY})
    [problem] = loaded(tmp_path)[1]
    assert "is not a name: use lower-case letters, digits and underscores" in problem
    assert run(tmp_path).code == 1


def test_problems_point_at_the_nearest_place_that_exists(tmp_path):
    write_project(tmp_path, {})
    write_schema(tmp_path, "a/one.yaml", "fields:\n  id:\n    type: uuid\n    primary_key: true\n")
    [source], _ = load(load_configuration(tmp_path))
    assert str(source.problem(("fields", "id", "type"), "x")) == "schemas/a/one.yaml:3:11: x"
    assert str(source.problem(("fields", "id", "type"), "x", at_key=True)) == "schemas/a/one.yaml:3:5: x"
    assert str(source.problem(("fields", "id", "default"), "x")) == "schemas/a/one.yaml:3:5: x"
    assert str(source.problem(("indexes", 0), "x", "y")) == "schemas/a/one.yaml:1:1: x\n    y"
