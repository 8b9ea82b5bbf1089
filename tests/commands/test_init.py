"""`soulspot-db init`: a project that works as it is, made without touching anything that was there."""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest
from projects import REPOSITORY
from soulspot_db_codegen.json_schema import entity_schema, module_schema
from soulspot_db_codegen.yaml_reader import read_yaml


@pytest.fixture
def root(tmp_path):
    return tmp_path / "my-shop"


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def configuration(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["tool"]


def in_project(root, *command):
    """A tool of this environment, run in the project as its author runs it."""
    environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE", "PYTHONPATH"}}
    return subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


LINT = (
    "-c",
    "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command; lint_imports_command()",
)
# What mypy knows of the libraries stays from one run of the tests to the next.
TYPES = REPOSITORY / ".mypy_cache" / "projects"
SOULSPOT_DB = ("-c", "from soulspot_db.cli import main; main()")


def test_an_empty_folder_becomes_a_project_in_which_everything_works(program, root):
    made = program("init", root)
    assert (made.code, made.err) == (0, "")
    assert made.out.endswith("soulspot-db generate\n    soulspot-db migrate\n    python -m my_shop.library\n")

    def succeeds(*command):
        done = in_project(root, *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    succeeds(*SOULSPOT_DB, "generate")
    assert succeeds(*SOULSPOT_DB, "generate", "--check") == "everything is up to date\n"
    assert "my_shop.db is at revision" in succeeds(*SOULSPOT_DB, "migrate")
    assert succeeds("-m", "my_shop.library") == "Kind of Blue by Miles Davis: 5\n"
    assert "1 kept, 0 broken" in succeeds(*LINT)
    succeeds("-m", "ruff", "check", "--no-cache", ".")
    succeeds(
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--select",
        "ALL",
        "--ignore",
        "COM812,CPY,D203,D213,D401,D413,D107,T20",
        "my_shop",
    )
    succeeds("-m", "ruff", "format", "--no-cache", "--check", ".")
    succeeds("-m", "mypy", "--strict", "--cache-dir", TYPES, "my_shop", "my_shop_entities")

    with (root / "my_shop/library.py").open("a") as module:
        module.write("\n\nimport sqlalchemy\n")
    broken = in_project(root, *LINT)
    assert broken.returncode == 1
    assert "my_shop.library -> sqlalchemy" in broken.stdout


def test_the_plain_alembic_command_works_in_a_new_project(cli, root):
    cli("init", root)
    assert cli("generate", "--project", root).code == 0
    done = in_project(root, "-m", "alembic", "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert (root / "my_shop.db").is_file()
    assert "(head)" in in_project(root, "-m", "alembic", "current").stdout
    assert "(head)" in in_project(root / "my_shop", "-m", "alembic", "-c", "../pyproject.toml", "heads").stdout


@pytest.mark.parametrize("place", ["pyproject.toml", "alembic.ini"])
def test_settings_of_alembic_are_kept(cli, root, place):
    root.mkdir()
    text = "[tool.alembic]\nscript_location = 'elsewhere'\n"
    (root / place).write_text(text if place == "pyproject.toml" else "[alembic]\nscript_location = elsewhere\n")
    assert cli("init", root).code == 0
    assert (root / "pyproject.toml").read_text().count("alembic]") == (1 if place == "pyproject.toml" else 0)
    assert configuration(root).get("alembic") in (None, {"script_location": "elsewhere"})


def test_git_sees_what_is_written_and_made_and_nothing_of_this_machine(cli, root):
    cli("init", root)
    cli("generate", "--project", root)
    for command in ([*SOULSPOT_DB, "migrate"], ["-m", "my_shop.library"]):
        assert in_project(root, *command).returncode == 0
    for name in ("my_shop.before-migration.none.20260101T000000Z.db", "my_shop.db-wal", "my_shop.db-shm"):
        (root / name).touch()
    git = ["git", "-c", "core.excludesFile="]
    subprocess.run([*git, "init", "--quiet"], cwd=root, check=True)
    listed = [*git, "status", "--porcelain", "--untracked-files=all"]
    seen = {
        line[3:]
        for line in subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    }
    assert {"pyproject.toml", ".gitignore", "migrations/migrations.sum", "my_shop_entities/__init__.py"} <= seen
    assert [path for path in seen if path.endswith((".db", ".pyc", "-wal", "-shm", ".env"))] == []


def test_editors_keep_people_from_what_is_generated_and_not_from_data_revisions(cli, root):
    cli("init", root)
    cli("generate", "--project", root)
    cli("new", "revision", "--data", "fill", "--project", root)
    patterns = json.loads((root / ".vscode/settings.json").read_text())["files.readonlyInclude"]

    def is_readonly(path):
        return any(
            path.is_relative_to(root / pattern.removesuffix("/**")) for pattern in patterns if "/**" in pattern
        ) or (any(path in root.glob(pattern) for pattern in patterns if "**" not in pattern))

    paths = [path for name in ("migrations", "my_shop_entities") for path in (root / name).rglob("*") if path.is_file()]
    assert {path.parent.name for path in paths if not is_readonly(path)} == {"versions"}


def test_a_project_with_its_code_in_src_works_as_the_last_line_says(cli, root):
    (root / "src").mkdir(parents=True)
    outcome = cli("init", root)
    assert outcome.code == 0
    assert configuration(root)["soulspot-db"]["output"] == "src/my_shop_entities"
    assert outcome.out.endswith("    PYTHONPATH=src python -m my_shop.library\n")
    assert cli("generate", "--project", root).code == 0
    environment = {**os.environ, "PYTHONPATH": "src", "DATABASE": str(root / "a.db")}
    for command in ([*SOULSPOT_DB, "migrate"], ["-m", "my_shop.library"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_what_was_made_is_listed(cli, root):
    outcome = cli("init", root)
    listed = re.findall(r"^(create|update|keep) (.+)$", outcome.out, re.MULTILINE)
    assert sorted(path for _, path in listed) == sorted(files(root))
    assert {verb for verb, _ in listed} == {"create"}


def test_in_the_folder_itself_no_cd_is_needed(cli, root, monkeypatch):
    root.mkdir()
    monkeypatch.chdir(root)
    assert "cd " not in cli("init").out
    assert (root / "schemas/library/album.yaml").is_file()


def test_editors_are_given_the_schema_of_each_kind_of_file(cli, root):
    cli("init", root)
    for path, schema in {"album": entity_schema(), "_module": module_schema()}.items():
        file = root / f"schemas/library/{path}.yaml"
        first = file.read_text().splitlines()[0]
        name = first.removeprefix("# yaml-language-server: $schema=")
        assert json.loads((file.parent / name).read_text()) == schema
    assert json.loads((root / ".vscode/settings.json").read_text())


def test_a_second_run_says_what_is_there_and_writes_nothing(cli, root):
    cli("init", root)
    before = files(root)
    outcome = cli("init", root)
    assert (outcome.code, outcome.out) == (1, "")
    assert "schemas/library/album.yaml:1:1: is already there\n" in outcome.err
    assert "pyproject.toml:1:1: a [tool.soulspot-db] section is already there\n" in outcome.err
    assert outcome.err.endswith("problems; nothing was written\n")
    assert files(root) == before


@pytest.mark.parametrize(
    "path",
    [
        "schemas/library/album.yaml",
        "schemas/library/_module.yaml",
        "schemas/entity.schema.json",
        "my_shop_entities/x.py",
    ],
)
def test_one_file_in_the_way_and_nothing_is_written(cli, root, path):
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text("mine")
    outcome = cli("init", root)
    assert (outcome.code, outcome.out) == (1, "")
    assert "1 problem; nothing was written" in outcome.err
    assert files(root) == {path: b"mine"}


@pytest.mark.parametrize(
    "text", ["[project]\nname = 'Corner.Shop'\n", "# no end", "[tool.black]\r\nline-length = 99\r\n", ""]
)
def test_pyproject_is_added_to_and_what_it_said_stays_to_the_byte(cli, root, text):
    root.mkdir()
    (root / "pyproject.toml").write_bytes(text.encode())
    assert cli("init", root).code == 0
    after = (root / "pyproject.toml").read_bytes().decode()
    assert after.startswith(text)
    assert not text or after.replace("\r", "")[len(text.rstrip().replace("\r", "")) :].startswith(
        "\n\n[tool.soulspot-db]"
    )
    assert after.count("\r\n") in {0, after.count("\n")}
    assert configuration(root)["soulspot-db"]["schemas"] == ["schemas"]
    assert {**tomllib.loads(text), "tool": None} == {**tomllib.loads(after), "tool": None}


def test_the_package_is_named_after_the_project(cli, root):
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\nname = 'Corner.Shop'\n")
    cli("init", root)
    assert (root / "corner_shop/library.py").is_file()


@pytest.mark.parametrize("text", ["[tool", "tool = {black = {}}", "a = '\xff'", "tool = 3"])
def test_a_pyproject_that_cannot_be_added_to_is_left_alone(cli, root, text):
    root.mkdir()
    (root / "pyproject.toml").write_bytes(text.encode("latin-1"))
    outcome = cli("init", root)
    assert (outcome.code, outcome.out) == (2, "")
    assert "pyproject.toml" in outcome.err
    assert files(root) == {"pyproject.toml": text.encode("latin-1")}


def test_settings_of_the_author_are_kept(cli, root):
    (root / ".vscode").mkdir(parents=True)
    (root / ".vscode/settings.json").write_text("{}")
    (root / ".env").write_text("DATABASE=other.db\n")
    (root / ".gitignore").write_text("mine\n")
    (root / "ruff.toml").write_text("")
    outcome = cli("init", root)
    assert outcome.code == 0
    assert "keep .env\nkeep .gitignore\nkeep .vscode/settings.json\n" in outcome.out
    assert (root / ".vscode/settings.json").read_text() == "{}"
    assert (root / ".env").read_text() == "DATABASE=other.db\n"
    assert (root / ".gitignore").read_text() == "mine\n"
    assert "ruff" not in configuration(root)


def test_settings_of_ruff_are_kept_in_pyproject_too(cli, root):
    root.mkdir()
    (root / "pyproject.toml").write_text("[tool.ruff]\nline-length = 99\n")
    assert cli("init", root).code == 0
    assert configuration(root)["ruff"] == {"line-length": 99}


def test_generated_code_lies_beside_the_application_wherever_that_is(cli, root):
    (root / "src").mkdir(parents=True)
    (root / "my_shop").mkdir()
    assert cli("init", root).code == 0
    assert configuration(root)["soulspot-db"]["output"] == "my_shop_entities"


@pytest.mark.parametrize("source", ["", "src/"])
def test_an_application_that_is_there_gets_no_example(cli, root, source):
    package = root / f"{source}my_shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    outcome = cli("init", root)
    assert outcome.code == 0
    assert [path.name for path in package.iterdir()] == ["__init__.py"]
    assert configuration(root)["soulspot-db"]["output"] == f"{source}my_shop_entities"
    assert configuration(root)["importlinter"]["root_packages"] == ["my_shop"]
    assert outcome.out.endswith("    soulspot-db new entity MODULE/NAME\n")


@pytest.mark.parametrize("place", ["pyproject.toml", ".importlinter", "setup.cfg"])
def test_contracts_of_the_author_are_left_alone_and_ours_is_shown(cli, root, place):
    root.mkdir()
    text = (
        "[tool.importlinter]\nroot_package = 'a'\n" if place == "pyproject.toml" else "[importlinter]\nroot_package=a\n"
    )
    (root / place).write_text(text)
    outcome = cli("init", root)
    assert outcome.code == 0
    assert "add this contract to it" in outcome.out
    assert 'forbidden_modules = ["sqlalchemy"' in outcome.out
    assert "sqlalchemy" not in (root / "pyproject.toml").read_text()


def test_names_can_be_chosen(cli, root):
    assert cli("init", root, "--package", "studio", "--module", "records").code == 0
    assert (root / "studio/records.py").is_file()
    assert (root / "schemas/records/album.yaml").is_file()
    assert configuration(root)["soulspot-db"]["output"] == "studio_entities"
    assert cli("generate", "--project", root).code == 0
    assert (root / "studio_entities/records/album.py").is_file()


@pytest.mark.parametrize("name", ["json", "class", "Shop", "2nd", "my-shop", "soulspot_db", "schemas", "../x", ""])
def test_a_package_that_could_not_be_imported_is_wrong_usage(cli, root, name):
    outcome = cli("init", root, "--package", name) if name else cli("init", root.with_name("2nd place"))
    assert (outcome.code, outcome.out) == (2, "")
    assert "--package NAME" in outcome.err
    assert not root.exists()


@pytest.mark.parametrize("name", ["class", "ids", "Records", "_mixins", "a/b", "../x"])
def test_a_module_that_schemas_cannot_have_is_wrong_usage(cli, root, name):
    outcome = cli("init", root, "--module", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert not root.exists()


def test_the_example_teaches_by_comments_and_is_what_it_says(cli, root):
    cli("init", root)
    text = (root / "schemas/library/album.yaml").read_text()
    assert text.count("#") > 5
    assert list(read_yaml(text).data["fields"]) == [
        "id",
        "title",
        "artist",
        "rating",
        "status",
        "created_at",
        "updated_at",
    ]
    cli("generate", "--project", root)
    assert '"library_albums"' in (root / "my_shop_entities/library/album.py").read_text()
