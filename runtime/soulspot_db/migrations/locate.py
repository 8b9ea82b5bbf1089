"""Where the migrations are: a project's folder, or the one that an installed package carries."""

import tomllib
from importlib import metadata, util
from pathlib import Path

from soulspot_db.errors import ConfigurationError

__all__ = ["locate_migrations"]

_GROUP = "soulspot_db.migrations"


def locate_migrations(start: Path | None = None) -> Path:
    """The migrations folder: of the project around `start` (default: the working directory), else of a package.

    Raises:
        ConfigurationError: there is none, or several packages carry one.
    """
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        project = folder / "pyproject.toml"
        if project.is_file():
            tool = tomllib.loads(project.read_text("utf-8")).get("tool", {}).get("soulspot-db")
            if tool is not None:
                return folder / str(tool.get("migrations", "migrations"))
    found = {entry.name: path for entry in metadata.entry_points(group=_GROUP) if (path := _carried(entry.value))}
    if len(found) == 1:
        return next(iter(found.values()))
    raise ConfigurationError(
        f"several packages carry migrations: {', '.join(sorted(found))}" if found else "no migrations were found",
        "Run the command inside a project whose pyproject.toml has a [tool.soulspot-db] section,",
        "or install the one package whose migrations are meant.",
        operation="migrate",
    )


def _carried(package: str) -> Path | None:
    spec = util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "_migrations").is_dir():
            return path
    return None
