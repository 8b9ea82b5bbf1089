"""Schema folders: the project's own, and those of installed packages that the project asks for by name.

A package offers schemas by an entry point of the group `soulspot_db.schemas`: its name is what projects write in
`[tool.soulspot-db] packages`, its value a package whose folder `schemas` is laid out like a project's:

    [project.entry-points."soulspot_db.schemas"]
    podcasts = "soulspot_podcasts"          # soulspot_podcasts/schemas/<module>/<entity>.yaml

Being installed is not enough: what a project generates, and so its tables, would otherwise depend on the environment.
The package is looked for and never imported: generating runs nobody's code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from soulspot_db.language.nearest import nearest

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import ConfigurationError

__all__ = ["GROUP", "SchemaFolder", "schema_folders"]

GROUP = "soulspot_db.schemas"


@dataclass(frozen=True, slots=True)
class SchemaFolder:
    """A folder of schemas. Messages call a file in it by `prefix` and its path inside the folder."""

    path: Path
    prefix: str


def schema_folders(configuration: Configuration) -> list[SchemaFolder]:
    """Every folder that the project's schemas are in, its own first.

    Raises:
        ConfigurationError: a package that the project names is not installed, or has no schemas.
    """
    own = (configuration.root / folder for folder in configuration.schemas)
    folders = [SchemaFolder(path, f"{path.relative_to(configuration.root).as_posix()}/") for path in own]
    return folders + [SchemaFolder(_schemas_of(name), f"{name}:") for name in configuration.packages]


def _schemas_of(name: str) -> Path:
    offers = metadata.entry_points(group=GROUP)
    packages = sorted({entry.value for entry in offers if entry.name == name})
    if not packages:
        known = sorted({entry.name for entry in offers})
        hint = nearest(name, known) or f"install it; installed are: {', '.join(known) or 'none'}"
        raise ConfigurationError(
            f"[tool.soulspot-db] `packages` names {name!r}, which no installed package offers\n    {hint}"
        )
    if len(packages) > 1:
        raise ConfigurationError(f"schemas by the name of {name!r} are offered by {' and by '.join(packages)}")
    places = [place / "schemas" for place in _places(packages[0])]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise ConfigurationError(f"{packages[0]} offers schemas as {name!r}, but has no folder {'schemas'!r}")
    return found


def _places(package: str) -> Iterator[Path]:
    # `find_spec` imports the packages above a module, so it is asked for the topmost alone.
    top, *below = package.split(".")
    try:
        spec = util.find_spec(top)
    except (ImportError, ValueError):
        return
    for place in (spec and spec.submodule_search_locations) or ():
        yield Path(place, *below)
