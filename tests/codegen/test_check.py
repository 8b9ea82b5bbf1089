"""`soulspot-db generate` and `--check`: what is written, what is noticed, what is refused, what is left alone."""

import ast
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from projects import REPOSITORY, generated, run, tree, write_project, write_schema

ARTIST = (
    "description: An artist.\nfields:\n  id: {type: uuid, primary_key: true}\n  name: {type: string, index: true}\n"
)
ALBUM = (
    "fields:\n  id: {type: integer, primary_key: true}\n"
    "  artist_id: {type: uuid, index: true, references: music.artist, on_delete: cascade}\n"
)
SCHEMAS = {"music/artist.yaml": ARTIST, "music/album.yaml": ALBUM, "music/_module.yaml": "description: Music.\n"}
REVISION = "migrations/versions/0001_create_album_and_artist.py"


@pytest.fixture
def project(tmp_path):
    return generated(tmp_path / "project", SCHEMAS)


def times(root: Path) -> dict[str, int]:
    return {path: (root / path).stat().st_mtime_ns for path in tree(root)}


def test_a_clean_project_passes(project):
    before = tree(project)
    outcome = run(project, "--check")
    assert (outcome.code, outcome.out, outcome.err) == (0, "everything is up to date\n", "")
    assert tree(project) == before


def test_this_repository_is_up_to_date():
    outcome = run(REPOSITORY, "--check")
    assert (outcome.code, outcome.err) == (0, "")


def test_all_files_are_those_we_know(project):
    package = [
        "__init__.py",
        "_metadata.py",
        "ids.py",
        "music/__init__.py",
        "music/album.py",
        "music/artist.py",
        "py.typed",
    ]
    assert sorted(tree(project)) == sorted(
        [f"generated/entities/{name}" for name in package]
        + ["migrations/env.py", "migrations/migrations.sum", "migrations/script.py.mako", REVISION]
        + ["migrations/snapshot/music/album.json", "migrations/snapshot/music/artist.json"]
    )


def test_every_deleted_or_edited_file_is_named(project):
    before = tree(project)
    for path, content in before.items():
        for edited in (None, content + b"# edited\n", content[:-2], b"", b"\xff\xfe"):
            if edited == content:
                continue
            file = project / path
            file.unlink() if edited is None else file.write_bytes(edited)
            outcome = run(project, "--check")
            assert outcome.code == 1, (path, edited)
            assert file.name in outcome.err, (path, edited, outcome.err)
            assert file.exists() == (edited is not None), "a check writes nothing"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
    assert run(project, "--check").code == 0


def test_what_differs_is_shown_as_a_patch(project):
    path = project / "generated/entities/music/album.py"
    path.write_text(path.read_text("utf-8").replace('"""One album."""', '"""Two albums."""'), "utf-8")
    outcome = run(project, "--check")
    assert '-"""Two albums."""\n+"""One album."""\n' in outcome.out
    assert outcome.err == (
        "would update generated/entities/music/album.py\n1 file out of date; run `soulspot-db generate`\n"
    )
    assert run(project).out == "update generated/entities/music/album.py\n"
    assert run(project, "--check").code == 0


def test_a_new_project_fails_the_check_and_stays_empty(tmp_path):
    root = write_project(tmp_path / "new", SCHEMAS)
    outcome = run(root, "--check")
    assert outcome.code == 1
    assert f"would create {REVISION}\n" in outcome.err
    assert tree(root) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("description: An artist.", "description: A band."),
        ("name: {type: string, index: true}", "name: {type: string, index: true, pattern: a}"),
        ("name: {type: string, index: true}", "name: {type: string, index: true, description: x}"),
        ("name: {type: string, index: true}", "name: {type: string}"),
        ("name: {type: string, index: true}", "name: {type: text, index: true}"),
        ("name: {type: string, index: true}", "nam: {type: string, index: true}"),
        ("name: {type: string, index: true}", "name: {type: string, index: true}\n  born: {type: date}"),
        ("name: {type: string, index: true}", "name: {type: string, nullable: true, index: true}"),
        ("  name: {type: string, index: true}\n", ""),
        ("description: An artist.", "description: An artist.\nevents: false"),
        ("description: An artist.", "description: An artist.\ncache: false"),
        ("description: An artist.", "description: An artist.\ntable_name: artists"),
        ("description: An artist.", "description: An artist.\nentity_type: band"),
        ("description: An artist.", "]"),
    ],
)
def test_every_change_of_a_schema_is_noticed(project, old, new):
    assert old in ARTIST
    before = tree(project)
    write_schema(project, "music/artist.yaml", ARTIST.replace(old, new))
    outcome = run(project, "--check")
    assert outcome.code == 1
    assert "artist" in outcome.err
    assert tree(project) == before


def test_the_description_of_a_module_is_part_of_it(project):
    write_schema(project, "music/_module.yaml", "description: Noise.\n")
    assert "would update generated/entities/music/__init__.py" in run(project, "--check").err


@pytest.mark.parametrize(
    "text",
    [
        f"# a comment\n{ARTIST}",
        ARTIST.replace("\n", "\r\n"),
        f"\ufeff{ARTIST}",
        ARTIST.replace("{type: string, index: true}", "\n    type: 'string'\n    index: true"),
    ],
)
def test_how_a_schema_is_written_is_no_change(project, text):
    (project / "schemas/music/artist.yaml").write_bytes(text.encode())
    assert run(project, "--check").code == 0


def test_running_twice_writes_nothing(project):
    before = times(project)
    assert run(project).out == "everything is up to date\n"
    assert times(project) == before


def test_only_what_changed_is_written(project):
    before = times(project)
    write_schema(project, "music/artist.yaml", ARTIST.replace("An artist", "A band"))
    assert run(project).code == 0
    changed = {path for path, time in times(project).items() if time != before[path]}
    assert changed == {"generated/entities/music/artist.py", "generated/entities/music/__init__.py"}
    assert not list(project.rglob(".*")), "no temporary file is left"


def test_orphans_are_reported_and_pruned(project):
    copy = project / "generated/entities/old/thing.py"
    copy.parent.mkdir()
    copy.write_text((project / "generated/entities/music/album.py").read_text("utf-8"), "utf-8")
    snapshot = project / "migrations/snapshot/old/thing.json"
    snapshot.parent.mkdir()
    snapshot.write_text("{}\n", "utf-8")
    outcome = run(project, "--check")
    assert outcome.code == 1
    assert "would remove generated/entities/old/thing.py\n" in outcome.err
    assert "would remove migrations/snapshot/old/thing.json\n" in outcome.err
    assert copy.is_file()
    assert run(project).code == 0
    assert not copy.parent.exists()
    assert not snapshot.parent.exists()
    assert run(project, "--check").code == 0


@pytest.mark.parametrize("name", ["helpers.py", "music/extra.py", "data.json", "music/words.txt", "own/thing.py"])
def test_files_written_by_hand_are_left_alone(project, name):
    path = project / "generated/entities" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("written by hand\n", "utf-8")
    assert run(project, "--check").code == 0
    assert run(project).code == 0
    assert path.read_text("utf-8") == "written by hand\n"


@pytest.mark.parametrize(
    "path", ["generated/entities/music/artist.py", "generated/entities/__init__.py", "migrations/env.py"]
)
def test_files_written_by_hand_are_not_overwritten(tmp_path, path):
    root = write_project(tmp_path / "project", SCHEMAS)
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text("written = 'by hand'\n", "utf-8")
    outcome = run(root)
    assert outcome.code == 1
    assert outcome.err == (
        f"{path}:1:1: this file was not generated and would be overwritten\n"
        "    move it out of the way, or delete it if it is an edited copy\n"
        "1 problem; nothing was written\n"
    )
    assert list(tree(root)) == [path]


@pytest.mark.parametrize("text", ["fields: [", "fields:\n  id: {type: sting}\n"])
def test_a_failed_run_leaves_everything_as_it_was(project, text):
    before, at = tree(project), times(project)
    write_schema(project, "music/artist.yaml", ARTIST.replace("An artist", "A band"))
    write_schema(project, "music/broken.yaml", text)
    assert run(project).code == 1
    assert (tree(project), times(project)) == (before, at)


def test_the_same_schemas_give_the_same_bytes_anywhere(tmp_path):
    trees = []
    for number, seed in enumerate(("0", "1", "4711")):
        root = tmp_path / ("deep/er/" * number) / f"project {number}"
        write_project(root, dict(reversed(SCHEMAS.items())) if number else SCHEMAS)
        code = "from soulspot_db_codegen.commands.generate import generate; generate()"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=root / "schemas/music" if number else root,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC-{number}", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        trees.append(tree(root))
    assert trees[0] == trees[1] == trees[2]
    text = b"".join(trees[0].values()).decode()
    assert str(tmp_path) not in text
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", text), "no dates"


def test_a_new_entity_makes_a_second_revision(project):
    first = (project / REVISION).read_bytes()
    write_schema(project, "music/label.yaml", "fields:\n  id: {type: integer, primary_key: true}\n")
    outcome = run(project)
    assert outcome.code == 0
    assert "create migrations/versions/0002_create_label.py\n" in outcome.out
    assert (project / REVISION).read_bytes() == first
    one, two = (constants(path) for path in sorted((project / "migrations/versions").glob("*.py")))
    assert (one["down_revision"], two["down_revision"]) == (None, one["revision"])
    package = (project / "generated/entities/__init__.py").read_text("utf-8")
    assert f'MIGRATION_HEAD = "{two["revision"]}"' in package
    sums = (project / "migrations/migrations.sum").read_text("utf-8").splitlines()
    assert [line.partition("  ")[2] for line in sums] == [Path(REVISION).name, "0002_create_label.py"]
    assert run(project, "--check").code == 0


def constants(path: Path) -> dict[str, object]:
    statements = [item for item in ast.parse(path.read_text("utf-8")).body if isinstance(item, ast.Assign)]
    return {item.targets[0].id: ast.literal_eval(item.value) for item in statements}


async def test_a_second_revision_is_applied_on_top_of_the_first(project, use):
    used = use(project)
    await used.migrate()
    with closing(sqlite3.connect(used.database)) as connection, connection:
        connection.execute(
            "INSERT INTO music_artists VALUES (?, ?)", ("7c0a3a52-3f5a-4d6e-9a63-0a4ee2a0a111", "somebody")
        )
    write_schema(
        project,
        "music/label.yaml",
        "fields:\n  id: {type: integer, primary_key: true}\n  boss: {type: uuid, references: music.artist}\n",
    )
    assert run(project).code == 0
    status = await used.migrate()
    assert status.pending == ()
    with closing(sqlite3.connect(used.database)) as connection:
        assert connection.execute("SELECT name FROM music_artists").fetchall() == [("somebody",)]
        assert connection.execute("SELECT count(*) FROM music_labels").fetchall() == [(0,)]


def test_branches_that_add_an_entity_each_give_different_revisions(tmp_path):
    ids = set()
    for name in ("label", "genre"):
        root = generated(tmp_path / name, SCHEMAS)
        write_schema(root, f"music/{name}.yaml", "fields:\n  id: {type: integer, primary_key: true}\n")
        assert run(root).code == 0
        ids |= {constants(path)["revision"] for path in (root / "migrations/versions").glob("0002*.py")}
    assert len(ids) == 2


def test_a_new_required_field_without_a_value_is_refused_where_it_stands(project):
    before = tree(project)
    indexed = "name: {type: string, index: true}"
    write_schema(project, "music/artist.yaml", ARTIST.replace(indexed, f"{indexed}\n  born: {{type: date}}"))
    outcome = run(project)
    assert outcome.code == 1
    assert "schemas/music/artist.yaml:" in outcome.err
    assert "rows that exist have no value for this new required field" in outcome.err
    assert "write 'backfill: ...' for the rows that exist, or 'default: ...' for new rows as well" in outcome.err
    assert tree(project) == before


def test_removing_an_entity_without_a_tombstone_is_refused_with_both_ways_out(project):
    before = tree(project)
    (project / "schemas/music/album.yaml").unlink()
    outcome = run(project)
    assert outcome.code == 1
    assert "the entity 'album' is gone" in outcome.err
    assert "removed: {album: {data: discard, reason: ...}}" in outcome.err
    assert tree(project) == before


def test_before_anything_was_committed_a_project_can_begin_anew(project):
    write_schema(project, "music/artist.yaml", ARTIST.replace("name:", "title:"))
    for path in [*(project / "migrations").rglob("*.py"), *(project / "migrations").rglob("*.json")]:
        path.unlink()
    (project / "migrations/migrations.sum").unlink()
    assert run(project).code == 0
    assert run(project, "--check").code == 0
    assert b'"title"' in (project / REVISION).read_bytes()


@pytest.mark.parametrize("rule", ["pattern: '[a-z]+'", "description: x"])
def test_rules_that_no_table_knows_need_no_revision(project, rule):
    write_schema(project, "music/artist.yaml", ARTIST.replace("index: true", f"index: true, {rule}"))
    assert run(project).code == 0
    assert len(list((project / "migrations/versions").glob("*.py"))) == 1


def test_an_edited_revision_is_reported_and_never_rewritten(project):
    path = project / REVISION
    path.write_text(path.read_text("utf-8").replace("nullable=False", "nullable=True"), "utf-8")
    before = tree(project)
    outcome = run(project)
    assert outcome.code == 1
    assert f"versions/{path.name} is not what was recorded" in outcome.err
    assert "restore the file from version control" in outcome.err
    assert tree(project) == before


def test_line_ends_that_git_changed_are_no_edit(project):
    path = project / REVISION
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "is not what was recorded" not in run(project, "--check").err


def test_a_revision_that_nobody_recorded_is_reported(project):
    extra = project / "migrations/versions/0002_by_hand.py"
    extra.write_text("revision = 'x'\n", "utf-8")
    outcome = run(project)
    assert outcome.code == 1
    assert "versions/0002_by_hand.py is not in migrations.sum" in outcome.err


def test_a_snapshot_that_is_not_that_of_the_newest_revision_is_reported(project):
    path = project / "migrations/snapshot/music/artist.json"
    path.write_text(path.read_text("utf-8").replace('"name": "name"', '"name": "nome"'), "utf-8")
    write_schema(project, "music/label.yaml", "fields:\n  id: {type: integer, primary_key: true}\n")
    outcome = run(project)
    assert outcome.code == 1
    assert "migrations/snapshot is not what revision" in outcome.err


def test_the_project_is_found_from_a_folder_inside_it(project):
    assert run(project / "schemas/music", "--check").code == 0


def test_outside_a_project(tmp_path):
    outcome = run(tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert "no pyproject.toml with a [tool.soulspot-db] section" in outcome.err
    assert "[tool.soulspot-db]\nschemas =" in outcome.err


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("", "needs `output`"),
        ("output = 'a'\nouput = 'b'", "unknown keys: ouput"),
        ("output = '../elsewhere'", "is not a folder inside the project"),
        ("output = '.'", "is not a folder inside the project"),
        ("output = 'my-entities'", "cannot be imported as a package"),
        ("output = 'a'\nschemas = 'schemas'", "`schemas` is a list of folders"),
        ("output = 'a'\nschemas = []", "`schemas` is a list of folders"),
        ("output = 'a'\nmigrations = 5", "`migrations` is a folder"),
        ("output = 'a'\nmigrations = '/tmp'", "is not a folder inside the project"),
        ("output = ", "is not valid TOML"),
    ],
)
def test_a_wrong_configuration(tmp_path, section, message):
    write_project(tmp_path, SCHEMAS)
    (tmp_path / "pyproject.toml").write_text(f"[tool.soulspot-db]\n{section}\n", "utf-8")
    outcome = run(tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert tree(tmp_path) == {}


def test_folders_can_have_other_names(tmp_path):
    write_project(tmp_path, {})
    section = "schemas = ['one', 'two/deep']\noutput = 'src/mine'\nmigrations = 'db/history'\n"
    (tmp_path / "pyproject.toml").write_text(f"[tool.soulspot-db]\n{section}", "utf-8")
    for folder, name, text in (("one", "artist", ARTIST), ("two/deep", "album", ALBUM)):
        path = tmp_path / folder / "music" / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    assert run(tmp_path).code == 0
    assert (tmp_path / "src/mine/music/album.py").is_file()
    assert (tmp_path / "db/history/migrations.sum").is_file()
    assert "from mine.ids import" in (tmp_path / "src/mine/music/album.py").read_text("utf-8")
    assert run(tmp_path, "--check").code == 0


def test_a_folder_that_does_not_exist(tmp_path):
    write_project(tmp_path, {})
    (tmp_path / "schemas").rmdir()
    outcome = run(tmp_path)
    assert outcome.code == 1
    assert outcome.err.startswith("schemas:1:1: the folder does not exist\n    create it, or correct")


def test_all_problems_come_at_once_and_sorted(project):
    write_schema(project, "zoo/zebra.yaml", "fields:\n  id: {type: sting}\n  b: {type: strng}\n")
    write_schema(project, "music/_module.yaml", "descripton: x\n")
    write_schema(project, "art/a.yaml", "fields: [\n")
    outcome = run(project)
    lines = [line for line in outcome.err.splitlines() if not line.startswith(" ")]
    assert lines[-1] == "4 problems; nothing was written"
    assert [line.partition(" ")[0] for line in lines[:-1]] == [
        "schemas/art/a.yaml:2:1:",
        "schemas/music/_module.yaml:1:1:",
        "schemas/zoo/zebra.yaml:2:14:",
        "schemas/zoo/zebra.yaml:3:13:",
    ]
