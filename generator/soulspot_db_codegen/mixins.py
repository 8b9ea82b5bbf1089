"""Mixins: what several entities share is put into each, and remembers the file it came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from soulspot_db.language.nearest import nearest

from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.loader import Source

__all__ = ["Merged", "Path", "merge"]

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """An entity's data with its mixins in it; `origins` says which parts stand in another file, and where."""

    source: Source
    data: dict[str, Any]
    origins: Mapping[Path, tuple[Source, Path]]

    def problem(self, path: Path, message: str, hint: str | None = None, *, at_key: bool = False) -> Diagnostic:
        """A diagnostic at the place where the part of the entity at `path` is written."""
        source, place = self.origins.get(path[:2], (self.source, path[:2]))
        return source.problem((*place, *path[2:]), message, hint, at_key=at_key)


def merge(source: Source, mixins: Mapping[str, Source]) -> tuple[Merged, list[Diagnostic]]:
    """Put the mixins that `source` uses into its data: fields after its own, then indexes and checks.

    Args:
        source: an entity's file.
        mixins: the files that may be used, by name, each of them right.
    """
    problems: list[Diagnostic] = []
    data, origins = dict(source.tree.data), dict[Path, tuple[Source, Path]]()
    for mixin in _used(source, mixins, problems):
        for key in ("fields", "checks"):
            own = data.get(key, {})
            # What is no mapping is left for the document to refuse.
            if isinstance(own, dict):
                data[key] = dict(own)
                problems.extend(_share(key, mixin, source, data[key], origins))
        indexes = data.get("indexes", [])
        if isinstance(indexes, list):
            shared = mixin.tree.data.get("indexes", [])
            for number in range(len(shared)):
                origins["indexes", len(indexes) + number] = (mixin, ("indexes", number))
            data["indexes"] = [*indexes, *shared]
    return Merged(source, data, origins), problems


def _share(
    key: str, mixin: Source, source: Source, own: dict[str, Any], origins: dict[Path, tuple[Source, Path]]
) -> Iterator[Diagnostic]:
    """Add the fields or the checks of one mixin to those that an entity has."""
    for name, value in mixin.tree.data.get(key, {}).items():
        place = (key, name)
        if place in origins:
            other, what = origins[place][0], "field" if key == "fields" else "check"
            message = f"the mixins {other.name!r} and {mixin.name!r} both have a {what} {name!r}"
            yield source.problem(("use",), message, "use one of the two")
        elif name in own:
            message = f"{name!r} comes from the mixin {mixin.name!r} already"
            yield source.problem(place, message, "leave it out here", at_key=True)
        else:
            own[name] = value
            origins[place] = (mixin, place)


def _used(source: Source, mixins: Mapping[str, Source], problems: list[Diagnostic]) -> Iterator[Source]:
    names = source.tree.data.get("use")
    for position, name in enumerate(names if isinstance(names, list) else ()):
        if name in names[:position]:
            problems.append(source.problem(("use", position), f"the mixin {name!r} is named twice"))
        elif isinstance(name, str) and name in mixins:
            yield mixins[name]
        elif isinstance(name, str):
            hint = nearest(name, mixins) or f"write {source.folder}_mixins/{name}.yaml"
            problems.append(source.problem(("use", position), f"unknown mixin {name!r}", hint))
