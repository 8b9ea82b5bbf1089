"""`soulspot-db cache`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import click

from soulspot_db.cache.second import make_second_tier
from soulspot_db.cli.package import import_package, package_option
from soulspot_db.database import Database
from soulspot_db.errors import ConfigurationError, DatabaseError
from soulspot_db.migrations.surroundings import settings_here
from soulspot_db.settings import DatabaseSettings

__all__ = ["cache"]


@click.group()
def cache() -> None:
    """Look at the cache that several instances share, or have it forget."""


@cache.command()
def stats() -> None:
    """Say whether Redis can be reached, and how much is in it."""

    async def told(settings: DatabaseSettings, address: str) -> str:
        # Without the database: to open one, where nobody tells what others have written to it, makes Redis forget.
        tier = make_second_tier(settings, address)
        await tier.open("")
        try:
            size = await tier.size()
            if size is None:
                raise _missing(address, tier.reason)
            return f"{address}: {size} keys in the database of Redis, of all programs"
        finally:
            await tier.close()

    _run(told)


@cache.command()
def clear() -> None:
    """Forget everything, in Redis and within `cache_recheck` seconds in the memory of every instance."""

    async def cleared(settings: DatabaseSettings, address: str) -> str:
        await _told(settings, address, lambda db: db.cache.clear())
        return "everything is forgotten"

    _run(cleared)


@cache.command()
@click.argument("pattern")
@package_option
def invalidate(*, pattern: str, package: str | None) -> None:
    """Forget what PATTERN names: `track`, `track:ID`, `track:*` or `download:*:status:pending`.

    It may forget more than that, never less.
    """

    async def invalidated(settings: DatabaseSettings, address: str) -> str:
        import_package(package)
        await _told(settings, address, lambda db: db.cache.invalidate_pattern(pattern))
        return f"{pattern} is forgotten"

    _run(invalidated)


def _run(work: Callable[[DatabaseSettings, str], Awaitable[str]]) -> None:
    logging.getLogger("soulspot_db.cache").setLevel(logging.ERROR)  # what it would tell a program, the error says
    try:
        click.echo(asyncio.run(_with_address(work)))
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


async def _with_address(work: Callable[[DatabaseSettings, str], Awaitable[str]]) -> str:
    settings = settings_here()
    if settings.redis is None:
        raise ConfigurationError(
            "CACHE is not set: nothing is shared, and what an instance has in memory only it can forget",
            "Set CACHE=host:6379/0 as the instances have it.",
            "Or call `db.cache` in the program itself, or start it anew.",
        )
    return await work(settings, settings.redis)


async def _told(settings: DatabaseSettings, address: str, forget: Callable[[Database], Awaitable[None]]) -> None:
    # Who has something forgotten does not ask for other tables.
    async with Database(settings.model_copy(update={"auto_migrate": False})) as db:
        await _require(db, address)  # first: what cannot be told would be owed
        await forget(db)
        await _require(db, address)


async def _require(db: Database, address: str) -> None:
    if (await db.stats())["cache"]["redis"]["size"] is None:
        raise _missing(address, db.cache.reason)


def _missing(address: str, reason: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"Redis at {address} cannot be reached ({reason or 'no answer in time'}); nothing was forgotten there",
        "Start it, or correct CACHE.",
        "Set CACHE_TLS=true where it speaks TLS, and leave it out where it does not: neither answers the other.",
    )
