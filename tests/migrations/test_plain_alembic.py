"""The plain `alembic` command: it runs the revisions, writes none, and recommends what it understands itself."""

import os
import subprocess
import sys

import pytest

from tests.migrations.conftest import ROOT
from tests.migrations.test_steps import DATA, OLD, looking


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


@pytest.fixture
def alembic(settings, revisions, tmp_path):
    (revisions.folder / "script.py.mako").write_bytes((ROOT / "migrations" / "script.py.mako").read_bytes())
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = {revisions.folder}\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "DATABASE": str(settings.database_path), "TMPDIR": str(temporary), "COLUMNS": "200"}

    def run(*arguments):
        command = [sys.executable, "-m", "alembic", "-c", str(tmp_path / "alembic.ini"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("revision", "-m", "mine"),
        ("revision", "--autogenerate", "-m", "mine"),
        ("merge", "heads", "-m", "mine"),
        ("check",),
    ],
)
def test_revisions_are_not_written_by_alembic_and_no_file_is_left(alembic, revisions, tmp_path, arguments):
    revisions.add("pass")
    before = content(tmp_path)
    refused = alembic(*arguments)
    assert refused.returncode != 0
    said = " ".join(refused.stderr.split() + refused.stdout.split())
    assert "soulspot-db generate" in said
    assert "soulspot-db new revision --data NAME" in said
    assert "Traceback" not in said
    assert content(tmp_path) == before


async def test_a_refusal_recommends_what_alembic_understands(alembic, filled, code):
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    refused = alembic("upgrade", "head")
    assert f"-x allow_destructive={id}" in refused.stderr
    assert "--allow-destructive" not in refused.stderr
    unknown = alembic("-x", "allow_destructive=ffff", "upgrade", "head")
    assert "there is no revision ffff" in unknown.stderr
    done = alembic("-x", f"allow_destructive={id[:4]}", "upgrade", "head")
    assert done.returncode == 0, done.stderr


async def test_the_plain_alembic_command_rebuilds_and_keeps_the_children(alembic, filled, code, sql):
    filled.add(code["rebuild_albums"])
    filled.add(DATA, data=True)
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    refused = alembic("upgrade", "head")
    assert refused.returncode != 0
    assert "the values of old of tracks would be lost, in 2 rows" in refused.stderr
    assert alembic("-x", f"allow_destruction={id}", "upgrade", "head").returncode != 0
    done = alembic("-x", f"allow_destructive={id}", "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert sql("SELECT count(*), count(album_id) FROM tracks") == [(4, 4)]
    assert sql("SELECT title FROM tracks ORDER BY id") == [("minus!",), ("Sinnerman!",), ("!",), ("Be My Husband!",)]
    assert id in alembic("current").stdout


async def test_the_plain_alembic_command_prints_sql_and_refuses_an_edited_history(alembic, filled, code):
    filled.add(code["rebuild_tracks"])
    printed = alembic("upgrade", f"{filled.ids[0]}:head", "--sql")
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith("-- ")
    assert 'INSERT INTO "_soulspot_rebuild_tracks"' in printed.stdout
    path = filled.folder / "versions" / "0002_revision.py"
    path.write_text(path.read_text() + "# edited\n")
    refused = alembic("upgrade", "head")
    assert "versions/0002_revision.py is not what was recorded" in refused.stderr
