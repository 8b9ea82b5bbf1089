"""Where migrations are: in a project's folder, or carried by an installed package."""

import sys
import tomllib
from importlib import metadata, util
from pathlib import Path
from typing import Any

from soulspot_db.errors import ConfigurationError

__all__ = ["locate_migrations", "locate_package", "migrations_of", "project_root"]

_GROUP = "soulspot_db.migrations"


def locate_migrations() -> Path:
    """The migrations folder that the command line means: of the project around the working directory, else of a package.

    Raises:
        ConfigurationError: there is none, it has not been generated yet, or several packages carry one.
    """
    project = _of_project(Path.cwd())
    if project is not None:
        if not project.is_dir():
            raise ConfigurationError(
                f"the project has no folder {project} yet",
                "Run soulspot-db generate first: it writes the migrations.",
                operation="migrate",
            )
        return project
    found = {entry.value: folder for entry in metadata.entry_points(group=_GROUP) if (folder := _carried(entry.value))}
    if len(found) == 1:
        return next(iter(found.values()))
    raise ConfigurationError(
        f"several packages carry migrations: {', '.join(sorted(found))}" if found else "no migrations were found",
        "Run the command inside a project whose pyproject.toml has a [tool.soulspot-db] section.",
        "Or name the folder: soulspot-db migrate --migrations FOLDER.",
        operation="migrate",
    )


def locate_package() -> str:
    """The generated package that the command line means, which can be imported then: found as `locate_migrations` does.

    Raises:
        ConfigurationError: there is none, or several are installed.
    """
    root = project_root(Path.cwd())
    output = (_section_of(root) or {}).get("output") if root else None
    if root is not None and output is not None:
        folder = root / str(output)
        # Before what is installed, which may be another project's of the same name.
        sys.path.insert(0, str(folder.parent))
        return folder.name
    found = sorted({entry.value for entry in metadata.entry_points(group=_GROUP)})
    if len(found) == 1:
        return found[0]
    raise ConfigurationError(
        f"several generated packages are installed: {', '.join(found)}" if found else "no generated package was found",
        "Run the command inside a project whose pyproject.toml has a [tool.soulspot-db] section.",
        "Or name the package with --package NAME.",
    )


def migrations_of(package: str) -> Path:
    """The migrations folder that belongs to a generated package, wherever the program was started.

    Raises:
        ConfigurationError: the package neither carries migrations nor lies in a project.
    """
    folder = _carried(package)
    if folder is None:
        places = _places(package)
        folder = _of_project(places[0]) if places else None
    if folder is None:
        raise ConfigurationError(
            f"the package {package} carries no migrations, and no project lies around it",
            "Install the package with its migrations, as its wheel has them.",
            operation="migrate",
        )
    return folder


def project_root(start: Path) -> Path | None:
    """The folder of the project around a folder: the nearest with a [tool.soulspot-db] section in its pyproject.toml."""
    return next((folder for folder in (start, *start.parents) if _section_of(folder) is not None), None)


def _of_project(start: Path) -> Path | None:
    root = project_root(start)
    return root / str((_section_of(root) or {}).get("migrations", "migrations")) if root else None


def _section_of(folder: Path) -> dict[str, Any] | None:
    file = folder / "pyproject.toml"
    if not file.is_file():
        return None
    section: dict[str, Any] | None = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("soulspot-db")
    return section


def _carried(package: str) -> Path | None:
    return next((path for place in _places(package) if (path := place / "_migrations").is_dir()), None)


def _places(package: str) -> list[Path]:
    spec = util.find_spec(package)
    return [Path(place) for place in spec.submodule_search_locations or []] if spec else []
