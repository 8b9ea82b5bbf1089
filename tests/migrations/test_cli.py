"""`soulspot-db migrate` as the person who runs SoulSpot types it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from soulspot_db.cli import main
from soulspot_db_entities import MIGRATION_HEAD

from tests.migrations.test_plain_alembic import ALEMBIC


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE", str(tmp_path / "soulspot.db"))
    monkeypatch.chdir(Path(__file__).parents[2])
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_migrate_brings_the_database_to_the_head_and_says_so(run, tmp_path):
    result = run("migrate")
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'soulspot.db'} is at revision {MIGRATION_HEAD}" in result.output


@pytest.mark.parametrize("arguments", [("migrate",), ("migrate", "--status"), ("check", "--database")])
def test_before_the_first_generate_it_is_named_as_what_to_run(run, tmp_path, monkeypatch, arguments):
    (tmp_path / "pyproject.toml").write_text('[tool.soulspot-db]\noutput = "generated/entities"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert f"the project has no folder {tmp_path / 'migrations'} yet" in result.output
    assert "Run soulspot-db generate first" in result.output
    assert not (tmp_path / "soulspot.db").exists()


def test_status_counts_what_is_pending(run, ids):
    assert f"pending   {len(ids)}" in run("migrate", "--status").output
    run("migrate")
    assert "pending   0" in run("migrate", "--status").output


def test_an_error_is_printed_with_its_code_and_its_way_out_and_no_traceback(run, monkeypatch):
    monkeypatch.setenv("DATABASE", "sqlite:////tmp/x.db")
    result = run("migrate")
    assert result.exit_code == 1
    assert "DATABASE_CONFIGURATION_INVALID" in result.output
    assert "DATABASE=/config/soulspot.db" in result.output
    assert "Traceback" not in result.output


def test_a_missing_folder_is_named(run, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE", str(tmp_path / "missing" / "soulspot.db"))
    result = run("migrate")
    assert result.exit_code == 1
    assert "DATABASE_CONNECTION_FAILED" in result.output


def test_outside_a_project_the_folder_can_be_named(run, monkeypatch, tmp_path):
    folder = Path.cwd() / "migrations"
    monkeypatch.chdir(tmp_path)
    assert run("migrate", "--migrations", str(folder)).exit_code == 0


def test_help_lists_every_command_without_importing_what_is_behind_it():
    program = "import sys; from soulspot_db.cli import main; main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "generate" in output
    assert "migrate" in output
    assert "'alembic'" not in output
    assert "'jinja2'" not in output


def test_the_plain_alembic_command_runs_the_revisions_as_well(tmp_path, programs):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "DATABASE": str(tmp_path / "soulspot.db")}
    command = [sys.executable, "-m", "alembic", "-c", str(root / "pyproject.toml")]
    subprocess.run([*command, "upgrade", "head"], env=environment, cwd=root, check=True, capture_output=True)
    current = programs.run(ALEMBIC, "-c", root / "pyproject.toml", "current", cwd=root, **environment)
    assert current.returncode == 0, current.err
    assert current.out.split()[0] == MIGRATION_HEAD


def test_a_server_that_does_not_answer_is_an_error_and_no_file_is_made(run, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE", "localhost:1/soulspot")
    monkeypatch.setenv("DATABASE_PATH", str(tmp_path / "other.db"))
    for arguments in (("migrate",), ("migrate", "--status"), ("check", "--database")):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "the server at localhost:1/soulspot cannot be reached" in result.output
    assert not (tmp_path / "other.db").exists()


def test_a_history_with_a_gap_is_an_error_and_no_traceback(run, tmp_path, recorded):
    folder = tmp_path / "migrations"
    shutil.copytree("migrations", folder)
    (revision,) = (folder / "versions").glob("0001*.py")
    text = revision.read_text()
    revision.write_text(text.replace("down_revision = None", 'down_revision = "0123456789ab"'))
    recorded(folder)
    result = run("migrate", "--migrations", str(folder))
    assert result.exit_code == 1
    assert "DATABASE_MIGRATION_FAILED" in result.output
    assert "0123456789ab" in result.output
