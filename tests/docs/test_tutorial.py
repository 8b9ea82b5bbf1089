"""The tutorial and the README's tour, done step by step by a program."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.fixture
def project(tmp_path):
    for name in ("schemas", "generated", "migrations"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "schemas/podcasts").mkdir()
    (tmp_path / "schemas/podcasts/show.yaml").write_text(blocks("docs/tutorial.md", "yaml")[0])
    return tmp_path


@pytest.fixture
def run(project):
    environment = {**os.environ, "DATABASE": "soulspot.db", "PYTHONPATH": str(project / "generated")}

    def run_in_project(*command):
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)

    return run_in_project


def soulspot_db(*arguments):
    return [sys.executable, "-c", "from soulspot_db.cli import main; main()", *arguments]


def test_every_step_of_the_tutorial_works(run, project):
    generated = run(*soulspot_db("generate"))
    assert generated.returncode == 0, generated.stderr
    assert "create generated/soulspot_db_entities/podcasts/show.py" in generated.stdout
    assert re.search(r"create migrations/versions/\d{4}_create_show\.py", generated.stdout)
    revisions = len([*(project / "migrations/versions").glob("*.py")])
    assert f"pending   {revisions}" in run(*soulspot_db("migrate", "--status")).stdout
    migrated = run(*soulspot_db("migrate"))
    assert migrated.returncode == 0, migrated.stderr
    program = project / "program.py"
    program.write_text(blocks("docs/tutorial.md", "python")[0])
    ran = run(sys.executable, str(program))
    assert ran.returncode == 0, ran.stderr
    assert "Liner Notes 12" in ran.stdout
    assert "'feed_url': 'https://example.org/feed'" in ran.stdout


def test_the_mistake_of_the_tutorial_is_reported_as_it_says(run, project):
    path = project / "schemas/podcasts/show.yaml"
    path.write_text(path.read_text().replace("type: string, max_length: 1024", "type: sting, max_length: 1024"))
    refused = run(*soulspot_db("generate"))
    assert refused.returncode == 1
    (shown,) = (block for block in blocks("docs/tutorial.md", "text") if "sting" in block)
    assert refused.stderr.startswith(shown)
    assert not (project / "generated/soulspot_db_entities/podcasts").exists()


def test_the_tour_of_the_readme_runs(run, project):
    assert run(*soulspot_db("migrate")).returncode == 0
    program = project / "program.py"
    (tour,) = blocks("README.md", "python")
    body = "".join(f"    {line}\n" if line else "\n" for line in tour.splitlines())
    program.write_text(f"import asyncio\n\n\nasync def main():\n{body}\n\nasyncio.run(main())\n")
    ran = run(sys.executable, str(program))
    assert ran.returncode == 0, ran.stderr
    assert "'fields': ['track_count']" in ran.stdout
    assert "['Jazz']" in ran.stdout


def test_the_schema_in_the_readme_is_what_the_generator_accepts(run, project):
    (schema,) = blocks("README.md", "yaml")
    shutil.rmtree(project / "schemas")
    shutil.rmtree(project / "generated")
    shutil.rmtree(project / "migrations")
    (project / "schemas/spotify").mkdir(parents=True)
    (project / "schemas/spotify/playlist.yaml").write_text(schema)
    generated = run(*soulspot_db("generate"))
    assert generated.returncode == 0, generated.stderr
