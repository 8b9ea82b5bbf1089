"""The plain `alembic` command: it runs the revisions, writes none, and recommends what it understands itself."""

import pytest

from tests.migrations.conftest import ROOT
from tests.migrations.test_steps import DATA, OLD, looking


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


# As `python -m alembic` does.
ALEMBIC = "from alembic.config import main; main(prog='alembic')"


@pytest.fixture
def alembic(settings, revisions, tmp_path, programs):
    (revisions.folder / "script.py.mako").write_bytes((ROOT / "migrations" / "script.py.mako").read_bytes())
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = {revisions.folder}\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {"DATABASE": str(settings.database_path), "TMPDIR": str(temporary), "COLUMNS": "200"}

    def run(*arguments):
        return programs.run(ALEMBIC, "-c", tmp_path / "alembic.ini", *arguments, **environment)

    return run


def plain(result):
    """What a refused command says, which is no traceback."""
    assert result.returncode != 0
    assert "Traceback" not in result.err + result.out
    return " ".join(result.out.split() + result.err.split())


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
    said = plain(alembic(*arguments))
    assert "soulspot-db generate" in said
    assert "soulspot-db new revision --data NAME" in said
    assert content(tmp_path) == before


async def test_a_refusal_recommends_what_alembic_understands(alembic, filled, code):
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    refused = plain(alembic("upgrade", "head"))
    assert f"-x allow_destructive={id}" in refused
    assert "--allow-destructive" not in refused
    assert "there is no revision ffff" in plain(alembic("-x", "allow_destructive=ffff", "upgrade", "head"))
    done = alembic("-x", f"allow_destructive={id[:4]}", "upgrade", "head")
    assert done.returncode == 0, done.err


async def test_the_plain_alembic_command_rebuilds_and_keeps_the_children(alembic, filled, code, sql):
    filled.add(code["rebuild_albums"])
    filled.add(DATA, data=True)
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    assert "the values of old of tracks would be lost, in 2 rows" in plain(alembic("upgrade", "head"))
    assert alembic("-x", f"allow_destruction={id}", "upgrade", "head").returncode != 0
    done = alembic("-x", f"allow_destructive={id}", "upgrade", "head")
    assert done.returncode == 0, done.err
    assert sql("SELECT count(*), count(album_id) FROM tracks") == [(4, 4)]
    assert sql("SELECT title FROM tracks ORDER BY id") == [("minus!",), ("Sinnerman!",), ("!",), ("Be My Husband!",)]
    assert id in alembic("current").out


async def test_the_plain_alembic_command_prints_sql_and_refuses_an_edited_history(alembic, filled, code):
    filled.add(code["rebuild_tracks"])
    printed = alembic("upgrade", f"{filled.ids[0]}:head", "--sql")
    assert printed.returncode == 0, printed.err
    assert printed.out.startswith("-- ")
    assert 'INSERT INTO "_soulspot_rebuild_tracks"' in printed.out
    path = filled.folder / "versions" / "0002_revision.py"
    path.write_text(path.read_text() + "# edited\n")
    assert "versions/0002_revision.py is not what was recorded" in plain(alembic("upgrade", "head"))


async def test_a_refusal_is_told_as_alembic_tells_its_own_without_a_traceback(alembic, filled, code, settings):
    filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    said = plain(alembic("upgrade", "head"))
    assert "FAILED: [DATABASE_MIGRATION_FAILED]" in said
    assert "the values of old of tracks would be lost, in 2 rows" in said
    assert "-x sideways means nothing here" in plain(alembic("-x", "sideways", "upgrade", "head"))
    settings.database_path.write_bytes(b"no database at all" * 100)
    assert "DATABASE_CONNECTION_FAILED" in plain(alembic("upgrade", "head"))


async def test_a_revision_that_cannot_be_undone_speaks_of_no_backup_that_alembic_did_not_make(alembic, filled):
    filled.add("pass", "steps.refuse_to_go_back('it dropped old of tracks')")
    assert alembic("upgrade", "head").returncode == 0
    said = plain(alembic("downgrade", "-1"))
    assert "it dropped old of tracks" in said
    assert "that was made before it" not in said
    assert "alembic makes none" in said


def test_alembic_check_names_the_commands_that_check(alembic, revisions):
    revisions.add("pass")
    said = plain(alembic("check"))
    assert "soulspot-db generate --check" in said
    assert "soulspot-db check --database" in said
