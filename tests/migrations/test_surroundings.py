"""Which database a command means, in whatever folder of a project it is called."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from soulspot_db.cli import main


@pytest.fixture
def project(tmp_path, revisions, monkeypatch):
    """A project with a revision and a `.env`, and the working directory two folders below it."""
    revisions.add("pass")
    (tmp_path / "pyproject.toml").write_text("[tool.soulspot-db]\n")
    (tmp_path / ".env").write_text("DATABASE=data/library.db\n")
    for name in ("data", "library/schemas"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "library" / "schemas")
    for name in ("DATABASE", "DATABASE_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def told():
    result = CliRunner().invoke(main, ["migrate", "--status"])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()[0].removeprefix("database  ")


def test_below_a_project_its_env_file_says_which_database_and_its_paths_count_from_there(project):
    assert told() == str(project / "data" / "library.db")
    assert CliRunner().invoke(main, ["migrate"]).exit_code == 0
    assert (project / "data" / "library.db").exists()
    assert CliRunner().invoke(main, ["check", "--database"]).output.startswith(f"{project / 'data' / 'library.db'} is")


def test_an_env_file_in_the_working_directory_wins_and_its_paths_count_from_there(project):
    Path(".env").write_text("DATABASE=mine.db\n")
    assert told() == "mine.db"
    Path(".env").write_text("OTHER=1\n")
    assert told() == str(project / "data" / "library.db")


def test_the_environment_wins_and_its_paths_count_from_the_working_directory(project, monkeypatch):
    monkeypatch.setenv("DATABASE", "other.db")
    assert told() == "other.db"


def test_in_the_project_folder_a_path_is_told_as_it_is_written(project, monkeypatch):
    monkeypatch.chdir(project)
    assert told() == "data/library.db"
