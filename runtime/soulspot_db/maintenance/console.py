"""A console: opened on the database of the settings, for the entities that are known."""

from collections.abc import Sequence

from soulspot_db.engine.console import Console, Shown
from soulspot_db.engine.postgresql.driver import driver_missing
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import resolved
from soulspot_db.settings import DatabaseSettings

__all__ = ["known_entities", "open_console"]


async def open_console(settings: DatabaseSettings, shown: Sequence[Shown]) -> Console:
    """Connect, with a view for each entity.

    Raises:
        ConnectionFailedError: there is no such database, or it cannot be used.
    """
    if settings.database_type == "sqlite":
        from soulspot_db.engine.sqlite.console import SQLiteConsole  # noqa: PLC0415 - one of the two

        return SQLiteConsole(settings, shown)
    try:
        from soulspot_db.engine.postgresql.console import open_server_console  # noqa: PLC0415 - only who uses it has its driver
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise driver_missing() from error
    return await open_server_console(settings, shown)


def known_entities() -> list[Shown]:
    """The entities of the packages that are imported."""
    specs = [resolved(EntityRegistry.get_schema(name)).spec for name in EntityRegistry.list_entity_types()]
    return [
        Shown(
            spec.entity_type,
            spec.table_name,
            {field.column: field.name for field in spec.fields.values()},
            frozenset(field.column for field in spec.fields.values() if field.sensitive or field.encrypted),
        )
        for spec in specs
    ]
