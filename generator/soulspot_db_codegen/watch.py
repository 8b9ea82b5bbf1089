"""Something done once, and again whenever the schemas or the configuration of a project change."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.errors import ConfigurationError
from soulspot_db_codegen.packages import schema_folders

__all__ = ["watch_project"]


def watch_project(root: Path, run: Callable[[], None]) -> None:
    """Call `run` now and after every change, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(root, run))


@dataclass(frozen=True, slots=True)
class _Project:
    """What is watched: the folder of pyproject.toml, and those of the schemas, whether or not they are there yet."""

    root: Path
    schemas: tuple[Path, ...]

    def folders(self) -> Iterator[Path]:
        # Folders and not files, because editors replace a file by another, and a watch would stay with the old one. Each
        # by itself, because beside the schemas a project's folder may hold a whole environment.
        yield self.root
        for folder in filter(Path.is_dir, self.schemas):
            yield folder
            yield from filter(Path.is_dir, folder.iterdir())

    def matters(self, _change: Change, path: str) -> bool:
        file = Path(path)
        if file.parent == self.root and file.name == "pyproject.toml":
            return True
        # Without a suffix it is a module's folder, made, renamed or removed.
        looks_right = file.suffix in {"", ".yaml", ".yml"} and not file.name.startswith(".")
        return looks_right and any(folder in (file, *file.parents) for folder in self.schemas)


async def _watch(root: Path, run: Callable[[], None]) -> None:
    changed = asyncio.Event()
    project = _Project(
        next((place for place in (root, *root.parents) if (place / "pyproject.toml").is_file()), root), ()
    )
    watched: object = None
    watcher: asyncio.Task[None] | None = None
    while True:
        project = _read(root) or project
        now = project, frozenset(project.folders())
        if watcher is None or watcher.done() or now != watched:
            if watcher is not None:
                watcher.cancel()
                await asyncio.wait([watcher])
            watched, watcher = now, asyncio.create_task(_notice(project, changed))
            # The watcher begins now: what changes while `run` works is not overlooked.
            await asyncio.sleep(0)
        changed.clear()
        run()
        await changed.wait()


async def _notice(project: _Project, changed: asyncio.Event) -> None:
    try:
        async for _ in awatch(*project.folders(), watch_filter=project.matters, recursive=False):
            changed.set()
    except FileNotFoundError:
        changed.set()  # a folder went away between looking and watching: look again


def _read(root: Path) -> _Project | None:
    try:
        configuration = load_configuration(root)
        folders = tuple(folder.path for folder in schema_folders(configuration))
    except (ConfigurationError, OSError):
        return None  # `run` tells, and a change of pyproject.toml may mend it
    return _Project(configuration.root, folders)
