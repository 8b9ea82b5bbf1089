"""What `Database` does before it opens: compare the database's revision with the one the code needs."""

import asyncio
import logging
from collections.abc import Mapping

from soulspot_db.engine.sqlite.peek import peek
from soulspot_db.errors import DatabaseError, MigrationRequiredError
from soulspot_db.migrations.version import LATER_TABLE, VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["require_heads"]

_log = logging.getLogger("soulspot_db.migrations")


async def require_heads(settings: DatabaseSettings, heads: Mapping[str, str]) -> bool:
    """Return if the database is at the revision that the code was generated for, or can be brought there.

    Args:
        settings: which database, and whether it may be migrated now.
        heads: the revision that each generated package needs.

    Returns:
        Whether anything had to be done for that.

    Raises:
        MigrationRequiredError: it is behind, and `auto_migrate` is off.
        SchemaAheadError: it is ahead.
    """
    current, is_finished = await _look(settings)
    for package, head in heads.items():
        if current != head:
            await _bring_to(settings, package, current, head)
        elif not is_finished:
            await _finish(settings, package)
    return not is_finished or any(current != head for head in heads.values())


async def _look(settings: DatabaseSettings) -> tuple[str | None, bool]:
    """The revision that the database is at, and whether nothing is left to be done that was put off."""
    if settings.database_type == "sqlite":
        sql = f"SELECT version_num, NULL FROM {VERSION_TABLE}"  # noqa: S608
        found = await asyncio.to_thread(peek, settings.database_path, sql, timeout=settings.pool_timeout)
    else:
        from soulspot_db.engine.postgresql.peek import peek_server  # noqa: PLC0415 - only who uses it has its driver

        sql = f"SELECT version_num, to_regclass('{LATER_TABLE}')::text FROM {VERSION_TABLE}"  # noqa: S608
        found = await peek_server(settings, sql)
    return (str(found[0][0]), found[0][1] is None) if found else (None, True)


async def _finish(settings: DatabaseSettings, package: str) -> None:
    # The tables are as the code needs them: what cannot be done now is no reason not to start.
    reason = "run `soulspot-db migrate`"
    if settings.auto_migrate:
        from soulspot_db.migrations.locate import migrations_of  # noqa: PLC0415
        from soulspot_db.migrations.runner import migrate  # noqa: PLC0415

        try:
            await migrate(settings, migrations_of(package), _log.info)
        except DatabaseError as error:
            reason = str(error)
        else:
            return
    _log.warning("the database %s is migrated and not finished: %s", settings.address, reason)


async def _bring_to(settings: DatabaseSettings, package: str, current: str | None, head: str) -> None:
    # Alembic is imported here, where there is something to say, and costs the usual start nothing.
    from soulspot_db.migrations.locate import migrations_of  # noqa: PLC0415
    from soulspot_db.migrations.runner import ahead, migrate, status  # noqa: PLC0415

    folder = migrations_of(package)
    if settings.auto_migrate:
        reached = (await migrate(settings, folder, _log.info)).current
        if reached == head:
            return
        raise MigrationRequiredError(
            f"the newest revision in {folder} is {reached or 'none'}; the code needs {head}",
            "Run `soulspot-db generate` in a project, or install code and migrations of one version.",
            current=reached,
            head=head,
            database_path=settings.address,
        )
    state = await status(settings, folder)
    if state.ahead:
        raise ahead(state)
    raise MigrationRequiredError(
        f"the database {settings.address} is at revision {current or 'none'}; the code needs {head}",
        f"Run: DATABASE={settings.database or settings.address} soulspot-db migrate",
        "Or set DATABASE_AUTO_MIGRATE=true to have it done at every start.",
        current=current,
        head=head,
        database_path=settings.address,
    )
