"""The only reader of schema files: folders to sources, each a YAML tree that knows its file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soulspot_db.language.conflicts import conflict_line

from soulspot_db_codegen import naming
from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.packages import schema_folders
from soulspot_db_codegen.yaml_reader import Mark, Tree, YamlError, read_yaml

__all__ = ["MIXINS", "Source", "load"]

MIXINS = "_mixins"
"""The folder beside the modules that holds what several entities share."""

_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """One file: `schemas/<module>/<name>.yaml`; `name` is `_module` for a module's own file.

    `folder` is the folder of schemas it lies in, as messages call it.
    """

    file: str
    module: str
    name: str
    tree: Tree
    folder: str = ""

    @property
    def is_of_package(self) -> bool:
        """Whether an installed package brings the file."""
        return self.folder.endswith(":")

    def problem(
        self, path: tuple[str | int, ...], message: str, hint: str | None = None, *, at_key: bool = False
    ) -> Diagnostic:
        """A diagnostic at `path`, or at the nearest place above it that the file has."""
        line, column = self._mark(path, at_key=at_key)
        return Diagnostic(self.file, line, column, message, hint)

    def _mark(self, path: tuple[str | int, ...], *, at_key: bool) -> Mark:
        if at_key and path in self.tree.keys:
            return self.tree.keys[path]
        for length in range(len(path), -1, -1):
            if path[:length] in self.tree.values:
                return self.tree.values[path[:length]]
        return (1, 1)


def load(configuration: Configuration) -> tuple[list[Source], list[Diagnostic]]:
    """Read every schema file of a project, those of installed packages among them.

    Returns:
        The files that are YAML, sorted, and what is wrong with the others.

    Raises:
        ConfigurationError: a package that the project names is not installed, or has no schemas.
    """
    sources: list[Source] = []
    problems: list[Diagnostic] = []
    for folder in schema_folders(configuration):
        if not folder.path.is_dir():
            hint = "create it, or correct `schemas` in pyproject.toml"
            problems.append(Diagnostic(folder.prefix.rstrip("/"), 1, 1, "the folder does not exist", hint))
            continue
        for path in _files(folder.path):
            inside = path.relative_to(folder.path)
            found = _read(path, inside, folder.prefix)
            if isinstance(found, Source):
                sources.append(found)
            else:
                problems.append(found)
    return sources, problems


def _files(root: Path) -> Iterator[Path]:
    # Everything that looks like a schema, wherever it lies, so that a misplaced one is reported and not overlooked.
    yield from sorted(path for path in root.rglob("*") if path.suffix in {".yaml", ".yml"})


def _read(path: Path, inside: Path, folder: str) -> Source | Diagnostic:
    file = folder + inside.as_posix()
    misplaced = _misplaced(path, inside)
    if misplaced is not None:
        return Diagnostic(file, 1, 1, *misplaced)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        return Diagnostic(file, 1, 1, "the file is not UTF-8", "save it as UTF-8")
    if (line := conflict_line(text)) is not None:
        hint = "keep what is right of both sides, and take the lines <<<<<<<, ======= and >>>>>>> out"
        return Diagnostic(file, line, 1, f"this file has an unresolved merge conflict at line {line}", hint)
    try:
        return Source(file, inside.parts[0], path.stem, read_yaml(text), folder)
    except YamlError as error:
        return Diagnostic(file, *error.mark, error.message)


def _misplaced(path: Path, inside: Path) -> tuple[str, str | None] | None:
    folder = inside.parts[0]
    # What is no entity's file: a module's own, and those in the folder of mixins.
    names = {folder: folder == MIXINS, path.stem: path.stem == "_module" and folder != MIXINS}
    unnamed = next((name for name, is_special in names.items() if not is_special and not naming.is_name(name)), None)
    found: tuple[str, str | None] | None = None
    if len(inside.parts) != 2:
        found = "not in a module's folder", "put it at schemas/<module>/<entity>.yaml"
    elif unnamed is not None:
        found = f"{unnamed!r} {naming.why_no_name(unnamed)}", None
    elif folder in naming.TAKEN_MODULES:
        found = f"a module cannot be named {folder!r}: generated code needs the name", None
    elif path.suffix == ".yml":
        found = "schema files end in .yaml", f"rename it to {path.stem}.yaml"
    elif path.is_symlink() or not path.is_file():
        found = "not an ordinary file", None
    elif (size := path.stat().st_size) > _MAX_BYTES:
        found = f"the file has {size} bytes; at most {_MAX_BYTES} are read", "split the entity"
    return found
