"""`check --database`: whether a live database is what the revision that it is at leaves."""

import tempfile
from pathlib import Path

from soulspot_db.migrations.connection import in_thread, reading
from soulspot_db.migrations.differences import compare_structures
from soulspot_db.migrations.live import expected_structure, read_structure
from soulspot_db.migrations.postgresql.trial import structure_at
from soulspot_db.migrations.revisions import Status, ahead
from soulspot_db.migrations.runner import migrate, status
from soulspot_db.migrations.structure import Structure
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
    at = f"{settings.address} is at revision {state.current or 'none'}, {len(state.pending)} behind {state.head}"
    if state.pending and state.current is None:
        return [f"{at}: run `soulspot-db migrate`, then check again"]
    if settings.database_type == "postgresql":
        lines = await in_thread(settings, _on_server, settings, folder, state)
    else:
        lines = compare_structures(await _expected(settings, folder, state), await in_thread(settings, _read, settings))
    if state.pending and lines:
        lines.append(f"{at}, and not as that revision left it: mend the above, then run `soulspot-db migrate`")
    elif state.pending:
        lines.append(f"{at}, and as that revision left it: run `soulspot-db migrate`, then check again")
    return lines


async def _expected(settings: DatabaseSettings, folder: Path, state: Status) -> Structure:
    if not state.pending:
        return await in_thread(settings, expected_structure, folder / "snapshot")
    # Only the newest revision has a snapshot; what an older one leaves shows where it is applied.
    with tempfile.TemporaryDirectory() as place:
        scratch = settings.model_copy(update={"database_path": Path(place) / "scratch.db"})
        await migrate(scratch, folder, to=state.current)
        return await in_thread(scratch, _read, scratch)


def _read(settings: DatabaseSettings) -> Structure:
    with reading(settings) as connection:
        return read_structure(connection)


def _on_server(settings: DatabaseSettings, folder: Path, state: Status) -> list[str]:
    with reading(settings) as connection:
        found = read_structure(connection)
        if not state.pending:
            expected = expected_structure(folder / "snapshot", connection)
        else:
            expected = structure_at(connection, folder, str(state.current))
        return compare_structures(expected, found, state.unfinished, on_server=True)
