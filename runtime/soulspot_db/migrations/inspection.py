"""`check --database`: whether a live database is what the newest revision leaves."""

import asyncio
from pathlib import Path

from soulspot_db.migrations.connection import reading
from soulspot_db.migrations.differences import compare_structures
from soulspot_db.migrations.revisions import ahead
from soulspot_db.migrations.status import read_status
from soulspot_db.migrations.structure import expected_structure, read_structure
from soulspot_db.settings import DatabaseSettings

__all__ = ["inspect_database"]


async def inspect_database(settings: DatabaseSettings, folder: Path) -> list[str]:
    """What is wrong with the database, a line each; nothing of it is changed.

    Args:
        settings: which database.
        folder: the migrations folder.

    Raises:
        SchemaAheadError: it is newer than `folder`.
        MigrationError: the folder is not as it was generated.
    """
    return await asyncio.to_thread(_inspect, settings, folder)


def _inspect(settings: DatabaseSettings, folder: Path) -> list[str]:
    state = read_status(settings, folder)
    if state.ahead:
        raise ahead(state)
    if state.pending:
        at = f"{settings.database_path} is at revision {state.current or 'none'}, {len(state.pending)} behind {state.head}"
        return [f"{at}: run `soulspot-db migrate`, then check again"]
    with reading(settings) as connection:
        return compare_structures(expected_structure(folder / "snapshot"), read_structure(connection))
