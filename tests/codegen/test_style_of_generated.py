"""What is generated is final: the formatter, the linter and both type checkers find nothing in it.

The repository's own package and every golden tree are laid out as one project with the repository's configuration, so
that each tool runs once.
"""

import shutil
import subprocess
import sys

import pytest
from projects import CASES, REPOSITORY

SKIPPED = shutil.ignore_patterns("__pycache__")


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    root = tmp_path_factory.mktemp("style")
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    shutil.copytree(REPOSITORY / "generated", root / "generated", ignore=SKIPPED)
    shutil.copytree(REPOSITORY / "migrations", root / "migrations/soulspot", ignore=SKIPPED)
    for tree in CASES.glob("*/expected"):
        shutil.copytree(tree / "generated", root / "generated", ignore=SKIPPED, dirs_exist_ok=True)
        shutil.copytree(tree / "migrations", root / "migrations" / tree.parent.name, ignore=SKIPPED)
    return root


def find_nothing(command: list[str], root) -> None:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_golden_trees_are_there(everything):
    packages = {path.name for path in (everything / "generated").iterdir()}
    assert "soulspot_db_entities" in packages
    assert len(packages) >= 6


def test_the_formatter_would_change_nothing(everything):
    find_nothing(
        [sys.executable, "-m", "ruff", "format", "--no-cache", "--diff", "generated", "migrations"], everything
    )


def test_the_linter_finds_nothing(everything):
    find_nothing(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "generated", "migrations"],
        everything,
    )


def test_mypy_finds_nothing(everything):
    # With a cache of its own that outlives the run: most of the time goes into SQLAlchemy and Pydantic.
    cache = f"--cache-dir={REPOSITORY / '.mypy_cache/style_of_generated'}"
    find_nothing([sys.executable, "-m", "mypy", "--strict", "--no-error-summary", cache, "generated"], everything)


def test_basedpyright_finds_nothing(everything):
    find_nothing([sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "generated"], everything)
