"""Something done once, and again whenever the schemas or the configuration of a project change."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
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


async def _watch(root: Path, run: Callable[[], None]) -> None:
    changed = asyncio.Event()
    watched: frozenset[Path] = frozenset()
    watcher: asyncio.Task[None] | None = None
    while True:
        folders = frozenset(_folders(root))
        if watcher is None or folders != watched or watcher.done():
            if watcher is not None:
                watcher.cancel()
                await asyncio.wait([watcher])
            watched, watcher = folders, asyncio.create_task(_notice(folders, changed))
            # The watcher begins now: what changes while `run` works is not overlooked.
            await asyncio.sleep(0)
        changed.clear()
        run()
        await changed.wait()


async def _notice(folders: frozenset[Path], changed: asyncio.Event) -> None:
    # Not recursive: beside the schemas a project's folder may hold a whole environment. Folders and not files, because
    # editors replace a file by another, and a watch would stay with the old one.
    try:
        async for _ in awatch(*folders, watch_filter=_matters, recursive=False):
            changed.set()
    except FileNotFoundError:
        changed.set()  # a folder went away between looking and watching: look again


def _folders(root: Path) -> Iterator[Path]:
    """The project's folder, and those that schemas can be in: as good as the configuration can be read now."""
    yield root
    with suppress(ConfigurationError, OSError):
        configuration = load_configuration(root)
        yield configuration.root
        for folder in schema_folders(configuration):
            if folder.path.is_dir():
                yield folder.path
                yield from (path for path in folder.path.iterdir() if path.is_dir())


def _matters(_change: Change, path: str) -> bool:
    file = Path(path)
    # No suffix: a module's folder, made, renamed or removed.
    return file.name == "pyproject.toml" or (file.suffix in {"", ".yaml", ".yml"} and not file.name.startswith("."))
