"""Every folder in tests/cases is a test: `schemas/` and what `soulspot-db generate` makes of them.

Either `error.txt`, all that the command says, or `expected/`, the tree that it writes. A new case is a folder with
schemas and an empty `error.txt` or `expected/`; `UPDATE_CASES=1 pytest tests/codegen/test_cases.py` fills it in, and
rewrites those that changed. Read the difference before committing it.
"""

import os
import shutil

import pytest
from projects import CASES, run, tree, write_project

UPDATE = bool(os.environ.get("UPDATE_CASES"))
NAMES = sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())
ACCEPTED = [name for name in NAMES if (CASES / name / "expected").is_dir()]
REFUSED = [name for name in NAMES if (CASES / name / "error.txt").is_file()]


@pytest.fixture
def project(tmp_path, request):
    """The case as a project of its own, whose package is named after it."""
    case = request.node.callspec.params["case"]
    root = write_project(tmp_path / "project", {}, package=f"{case}_entities")
    shutil.copytree(CASES / case / "schemas", root / "schemas", dirs_exist_ok=True)
    return root


def test_every_case_says_what_is_expected():
    assert sorted([*ACCEPTED, *REFUSED]) == NAMES


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, project):
    outcome = run(project)
    problems = [line for line in outcome.err.splitlines() if not line.startswith("    ")]
    told = outcome.err.removesuffix(f"{problems[-1]}\n")
    if UPDATE:
        (CASES / case / "error.txt").write_text(told, "utf-8")
    assert told == (CASES / case / "error.txt").read_text("utf-8")
    count = len(problems) - 1
    assert problems[-1] == f"{count} problem{'s' if count > 1 else ''}; nothing was written"
    assert (outcome.code, outcome.out) == (1, "")
    assert tree(project) == {}
    assert run(project, "--check") == outcome


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(case, project):
    assert run(project).code == 0
    found = tree(project)
    expected = CASES / case / "expected"
    if UPDATE:
        shutil.rmtree(expected)
        for path, content in found.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_bytes(content)
    assert sorted(found) == sorted(tree(expected))
    for path, content in found.items():
        assert content.decode() == (expected / path).read_bytes().decode(), path
