"""`soulspot-db cache`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module, metadata
from pathlib import Path

import click

from soulspot_db.database import Database
from soulspot_db.errors import ConfigurationError, DatabaseError
from soulspot_db.migrations.locate import output_of, project_root
from soulspot_db.migrations.surroundings import settings_here

__all__ = ["cache"]


@click.group()
def cache() -> None:
    """Look at the cache that several instances share, or have it forget."""


@cache.command()
def stats() -> None:
    """Say whether Redis can be reached, and how much is in it."""

    async def told(db: Database) -> str:
        return f"{db.settings.redis}: {await db.cache.shared_size()} keys in the database of Redis, of all programs"

    _run(told)


@cache.command()
def clear() -> None:
    """Forget everything, in Redis and within `cache_recheck` seconds in the memory of every instance."""

    async def cleared(db: Database) -> str:
        await db.cache.clear()
        return "everything is forgotten"

    _run(cleared)


@cache.command()
@click.argument("pattern")
def invalidate(pattern: str) -> None:
    """Forget what PATTERN names: `track`, `track:ID`, `track:*` or `download:*:status:pending`.

    It may forget more than that, never less.
    """

    async def invalidated(db: Database) -> str:
        await db.cache.invalidate_pattern(pattern)
        return f"{pattern} is forgotten"

    _run(invalidated)


def _run(work: Callable[[Database], Awaitable[str]]) -> None:
    try:
        click.echo(asyncio.run(_with_database(work)))
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


async def _with_database(work: Callable[[Database], Awaitable[str]]) -> str:
    settings = settings_here()
    if settings.redis is None:
        raise ConfigurationError(
            "CACHE is not set: nothing is shared, and what an instance has in memory only it can forget",
            "Set CACHE=host:6379/0 as the instances have it.",
            "Or call `db.cache` in the program itself, or start it anew.",
        )
    _register()
    async with Database(settings) as db:
        told = await work(db)
        if await db.cache.shared_size() is None:
            raise ConfigurationError(f"Redis at {settings.redis} cannot be reached", "Start it, or correct CACHE.")
        return told


def _register() -> None:
    """Import the generated packages, so that their entities are known: those that are installed, and the project's."""
    root = project_root(Path.cwd())
    output = None if root is None else output_of(root)
    if output is not None and output.is_dir():
        sys.path.insert(0, str(output.parent))
        import_module(output.name)
        return
    for entry in metadata.entry_points(group="soulspot_db.migrations"):
        import_module(entry.value)
