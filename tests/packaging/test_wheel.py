"""The one wheel: three packages, their types, and the migrations, which work where nothing else is installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_it_holds_three_typed_packages(unpacked):
    for package in ("soulspot_db", "soulspot_db_codegen", "soulspot_db_entities"):
        assert (unpacked / package / "__init__.py").is_file()
        assert (unpacked / package / "py.typed").is_file()


def test_it_holds_the_templates_and_the_migrations(unpacked):
    assert (unpacked / "soulspot_db_codegen/templates/entity.py.jinja").is_file()
    carried = {path.name for path in (unpacked / "soulspot_db_entities/_migrations/versions").iterdir()}
    assert carried == {path.name for path in (ROOT / "migrations/versions").glob("*.py")}
    assert (unpacked / "soulspot_db_entities/_migrations/env.py").is_file()


def test_it_holds_no_tests_and_no_schemas(unpacked):
    assert {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")} == {
        "soulspot_db",
        "soulspot_db_codegen",
        "soulspot_db_entities",
    }


def test_migrate_works_where_only_the_wheel_is(unpacked, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "DATABASE": str(tmp_path / "soulspot.db")}
    program = (
        "import soulspot_db, sys; assert soulspot_db.__file__.startswith(sys.argv.pop(1));"
        "from soulspot_db.cli import main; main()"
    )
    command = [sys.executable, "-c", program, str(unpacked), "migrate"]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "is at revision" in result.stdout
