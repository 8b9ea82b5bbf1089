"""Where a project keeps its schemas and what is made of them: `[tool.soulspot-db]` in pyproject.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soulspot_db_codegen.errors import ConfigurationError

__all__ = ["Configuration", "load_configuration"]

_DEFAULTS: dict[str, Any] = {"schemas": ["schemas"], "packages": [], "output": None, "migrations": "migrations"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """The folders of a project; all paths but `root` are relative to it.

    `packages` names installed packages whose schemas belong to the project as well. `package` is the name under which
    the generated package is imported: that of the output folder.
    """

    root: Path
    schemas: tuple[str, ...]
    output: str
    migrations: str
    packages: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The generated package's import name."""
        return Path(self.output).name


def load_configuration(start: Path) -> Configuration:
    """The configuration of the project around `start`.

    Raises:
        ConfigurationError: there is no project, or its section is incomplete or says something unknown.
    """
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            section = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("soulspot-db")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} is not valid TOML: {error}") from error
        if section is not None:
            return _read(folder, section)
    raise ConfigurationError(
        f"no pyproject.toml with a [tool.soulspot-db] section at {start} or above it; add for example:\n\n"
        '[tool.soulspot-db]\nschemas = ["schemas"]\noutput = "src/my_entities"\nmigrations = "migrations"'
    )


def _read(root: Path, section: Any) -> Configuration:
    if not isinstance(section, dict):
        raise ConfigurationError("tool.soulspot-db in pyproject.toml is a table: [tool.soulspot-db]")
    unknown = sorted(section.keys() - _DEFAULTS.keys())
    if unknown:
        raise ConfigurationError(f"[tool.soulspot-db] has unknown keys: {', '.join(unknown)}")
    values = _DEFAULTS | section
    schemas, packages, output, migrations = (values[key] for key in _DEFAULTS)
    if not isinstance(output, str):
        raise ConfigurationError("[tool.soulspot-db] needs `output`, the folder of the generated package")
    if not _is_texts(schemas) or not (schemas or packages):
        raise ConfigurationError("[tool.soulspot-db] `schemas` is a list of folders")
    if not _is_texts(packages):
        raise ConfigurationError("[tool.soulspot-db] `packages` is a list of names that installed packages offer")
    if not isinstance(migrations, str):
        raise ConfigurationError("[tool.soulspot-db] `migrations` is a folder")
    for path in (*schemas, output, migrations):
        if not (root / path).resolve().is_relative_to(root.resolve()) or (root / path).resolve() == root.resolve():
            raise ConfigurationError(f"[tool.soulspot-db] {path!r} is not a folder inside the project")
    if not Path(output).name.isidentifier():
        raise ConfigurationError(f"[tool.soulspot-db] {Path(output).name!r} cannot be imported as a package")
    return Configuration(root, tuple(schemas), output, migrations, tuple(dict.fromkeys(packages)))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
