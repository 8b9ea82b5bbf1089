"""A new project: what it needs, decided as a whole, so that nothing is written where one part cannot be."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soulspot_db_codegen import naming
from soulspot_db_codegen.errors import ConfigurationError, Diagnostic, SchemaError
from soulspot_db_codegen.json_schema import entity_schema, module_schema, schema_text
from soulspot_db_codegen.pyproject import Pyproject
from soulspot_db_codegen.render import render
from soulspot_db_codegen.writer import Change

__all__ = ["Scaffold", "plan_scaffold"]

_TAKEN = frozenset({"soulspot_db", "soulspot_db_codegen", "schemas", "migrations"})
# Whoever has one of these has an idea of his own about it.
_WISHED = (".env", ".gitignore", ".vscode/settings.json")


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What to write, what is kept as it is, what only its author can add, and the commands that come next."""

    changes: list[Change]
    kept: list[str]
    to_add: str | None
    commands: list[str]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the application is, or will be: beside it lies the generated package."""

    package: str
    module: str
    source: str
    exists: bool

    @property
    def output(self) -> str:
        return f"{self.source}{self.package}_entities"

    @property
    def run(self) -> str:
        path = f"PYTHONPATH={self.source.rstrip('/')} " if self.source else ""
        return f"{path}python -m {self.package}.{self.module}"


def plan_scaffold(root: Path, package: str | None, module: str) -> Scaffold:
    """Decide everything about a new project in `root`.

    Args:
        root: its folder, which need not exist.
        package: the application's package; default: made of the project's name, or else of the folder's.
        module: the first module of schemas, and of the application.

    Raises:
        ConfigurationError: a name that cannot be used, or a pyproject.toml that cannot be read.
        SchemaError: what is in the way.
    """
    pyproject = Pyproject(root / "pyproject.toml")
    place = _place(root, package or _package_name(pyproject.name or root.resolve().name), module)
    has_linter = pyproject.has_tool("importlinter") or _has_linter(root)
    context = {
        "package": place.package,
        "module": module,
        "output": place.output,
        "words": naming.words(module),
        "modeline": True,
        "contract": not has_linter,
        "alembic": not (pyproject.has_tool("alembic") or (root / "alembic.ini").exists()),
        "ruff": not (pyproject.has_tool("ruff") or any((root / name).exists() for name in ("ruff.toml", ".ruff.toml"))),
    }
    needed = _needed(place, context)
    _refuse_what_is_there(root, [*needed, place.output], pyproject)
    wished = {path: render(f"init/{Path(path).name}", **context) for path in _WISHED}
    kept = [path for path in wished if (root / path).exists()]
    files = needed | {path: text for path, text in wished.items() if path not in kept}
    changes = [pyproject.extended(render("init/section.toml", **context))]
    changes += [Change(path, None, text) for path, text in files.items()]
    return Scaffold(
        changes=sorted(changes, key=lambda change: change.path),
        kept=kept,
        to_add=render("init/contract.toml", **context) if has_linter else None,
        commands=[
            "soulspot-db generate",
            "soulspot-db migrate",
            "soulspot-db new entity MODULE/NAME" if place.exists else place.run,
        ],
    )


def _package_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _place(root: Path, package: str, module: str) -> _Place:
    if not naming.is_name(package) or package in _TAKEN or package in sys.stdlib_module_names:
        raise ConfigurationError(
            f"the application's package cannot be named {package!r}; choose a name: --package NAME"
        )
    if not naming.is_name(module) or module in naming.TAKEN_MODULES:
        raise ConfigurationError(f"a module cannot be named {module!r}; choose another name: --module NAME")
    flat = (root / package).is_dir()
    source = "src/" if (root / "src").is_dir() and not flat else ""
    return _Place(package, module, source, (root / source / package).is_dir())


def _needed(place: _Place, context: dict[str, Any]) -> dict[str, str]:
    files = {
        f"schemas/{place.module}/_module.yaml": render("init/_module.yaml", **context),
        f"schemas/{place.module}/album.yaml": render("init/album.yaml", **context),
        "schemas/entity.schema.json": schema_text(entity_schema()),
        "schemas/module.schema.json": schema_text(module_schema()),
    }
    if not place.exists:
        files[f"{place.source}{place.package}/__init__.py"] = render("init/package.py", **context)
        files[f"{place.source}{place.package}/{place.module}.py"] = render("init/feature.py", **context)
    return files


def _refuse_what_is_there(root: Path, paths: list[str], pyproject: Pyproject) -> None:
    hint = "init makes new files and never changes one"
    problems = [Diagnostic(path, 1, 1, "is already there", hint) for path in paths if (root / path).exists()]
    if pyproject.has_tool("soulspot-db"):
        hint = "add to the project that is there: `soulspot-db new entity MODULE/NAME`"
        problems.append(Diagnostic("pyproject.toml", 1, 1, "a [tool.soulspot-db] section is already there", hint))
    if problems:
        raise SchemaError(problems)


def _has_linter(root: Path) -> bool:
    # Import-linter looks into these first, and at pyproject.toml no more.
    files = (root / name for name in ("setup.cfg", ".importlinter"))
    return any(path.is_file() and b"[importlinter" in path.read_bytes() for path in files)
