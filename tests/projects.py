"""What the generator's tests share: small projects on disk, and the command run on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner
from soulspot_db_codegen.commands.generate import generate

REPOSITORY = Path(__file__).parent.parent
CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Outcome:
    """What a run of `soulspot-db generate` said."""

    code: int
    out: str
    err: str


def write_project(root: Path, schemas: Mapping[str, str], *, package: str = "entities") -> Path:
    """A project whose schema files are `schemas`, by their paths below the schemas folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(f'[tool.soulspot-db]\noutput = "generated/{package}"\n', "utf-8")
    (root / "schemas").mkdir(exist_ok=True)
    for name, text in schemas.items():
        write_schema(root, name, text)
    return root


def write_schema(root: Path, name: str, text: str) -> Path:
    """One schema file, `module/entity.yaml`."""
    path = root / "schemas" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def run(root: Path, *options: str) -> Outcome:
    """`soulspot-db generate` in `root`; an unexpected exception is raised, not printed."""
    result = CliRunner().invoke(generate, ["--project", str(root), *options], catch_exceptions=False)
    return Outcome(result.exit_code, result.stdout, result.stderr)


def generated(root: Path, schemas: Mapping[str, str], *, package: str = "entities") -> Path:
    """A project that was written and generated without complaint."""
    write_project(root, schemas, package=package)
    outcome = run(root)
    assert outcome.code == 0, outcome.err
    return root


def tree(root: Path) -> dict[str, bytes]:
    """The bytes of every generated file, by its path in the project."""
    paths = [path for folder in ("generated", "migrations") for path in (root / folder).rglob("*")]
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(paths)
        if path.is_file() and "__pycache__" not in path.parts
    }
