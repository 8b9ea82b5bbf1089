"""`check --database`: whether a live database is what the revision that it is at leaves."""

import asyncio
import tempfile
from pathlib import Path

from soulspot_db.migrations.connection import reading
from soulspot_db.migrations.differences import compare_structures
from soulspot_db.migrations.revisions import Status, ahead
from soulspot_db.migrations.runner import migrate, status
from soulspot_db.migrations.structure import Structure, expected_structure, read_structure
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
    state = await status(settings, folder)
    if state.ahead:
        raise ahead(state)
    at = f"{settings.database_path} is at revision {state.current or 'none'}, {len(state.pending)} behind {state.head}"
    if state.pending and state.current is None:
        return [f"{at}: run `soulspot-db migrate`, then check again"]
    expected = await _expected(settings, folder, state)
    lines = compare_structures(expected, await asyncio.to_thread(_read, settings))
    if state.pending and lines:
        lines.append(f"{at}, and not as that revision left it: mend the above, then run `soulspot-db migrate`")
    elif state.pending:
        lines.append(f"{at}, and as that revision left it: run `soulspot-db migrate`, then check again")
    return lines


async def _expected(settings: DatabaseSettings, folder: Path, state: Status) -> Structure:
    if not state.pending:
        return await asyncio.to_thread(expected_structure, folder / "snapshot")
    # Only the newest revision has a snapshot; what an older one leaves shows where it is applied.
    with tempfile.TemporaryDirectory() as place:
        scratch = settings.model_copy(update={"database_path": Path(place) / "scratch.db"})
        await migrate(scratch, folder, to=state.current)
        return await asyncio.to_thread(_read, scratch)


def _read(settings: DatabaseSettings) -> Structure:
    with reading(settings) as connection:
        return read_structure(connection)
