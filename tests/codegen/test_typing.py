"""Wrong uses of generated code are errors in both type checkers, in exactly the lines that say so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from projects import REPOSITORY

SNIPPETS = Path(__file__).parent / "typing_errors"
FILES = sorted([*SNIPPETS.glob("*.py"), *(REPOSITORY / "tests/typing").rglob("*.py")])
# The comparison is a matter of --strict-equality, which basedpyright knows as a rule of its own.
LENIENT = {"basedpyright": ("# error: never true",)}


def marked(checker: str) -> set[tuple[str, int, str]]:
    """The lines that must be errors."""
    found = set()
    for path in sorted(SNIPPETS.glob("*.py")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if "# error" in line and not line.strip().endswith(LENIENT.get(checker, ())):
                found.add((path.name, number, line.strip()))
    return found


def lines(errors: set[tuple[str, int]]) -> set[tuple[str, int, str]]:
    texts = {path.name: path.read_text("utf-8").splitlines() for path in FILES}
    return {(file, line, texts[file][line - 1].strip()) for file, line in errors}


def mypy() -> set[tuple[str, int]]:
    cache = f"--cache-dir={REPOSITORY / '.mypy_cache/typing_errors'}"
    command = [sys.executable, "-m", "mypy", "--strict", "--output=json", cache, *map(str, FILES)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {(Path(item["file"]).name, item["line"]) for item in found if item["severity"] == "error"}


def basedpyright() -> set[tuple[str, int]]:
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        *map(str, FILES),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {
        (Path(item["file"]).name, item["range"]["start"]["line"] + 1) for item in found if item["severity"] == "error"
    }


@pytest.mark.parametrize("checker", [mypy, basedpyright])
def test_wrong_uses_are_errors_and_right_ones_are_none(checker):
    """One run for both: no line of the right ones is marked."""
    assert sorted(lines(checker())) == sorted(marked(checker.__name__))
    assert len(marked(checker.__name__)) > 40
