"""What `--status` tells: where a database is, what is pending, and what is lost with it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.migrations.backup import has_tables
from soulspot_db.migrations.connection import in_thread, reading
from soulspot_db.migrations.revisions import Status, compare, losses_of, open_revisions
from soulspot_db.migrations.transactions import read_version
from soulspot_db.settings import DatabaseSettings

__all__ = ["read_status", "status"]


async def status(settings: DatabaseSettings, folder: Path) -> Status:
    """Compare the database with the revisions in `folder`; a file that does not exist is not created."""
    return await in_thread(settings, read_status, settings, folder)


def read_status(settings: DatabaseSettings, folder: Path) -> Status:
    """The same, for who is in a thread already."""
    script = open_revisions(folder)
    if settings.database_type == "sqlite" and not settings.database_path.exists():
        return compare(script, None)
    with reading(settings) as connection:
        state = compare(script, read_version(connection))
        if not has_tables(connection):
            return state  # nothing can be lost
        losses = {id: tuple(_losses(connection, script, id, state)) for id, _title in state.pending}
        return replace(state, losses={id: found for id, found in losses.items() if found})


def _losses(connection: Connection, script: ScriptDirectory, id: str, state: Status) -> Iterator[str]:
    for what, rows in losses_of(Path(script.get_revision(id).path), connection.dialect.name):
        # Later revisions may ask about tables that are not there yet.
        if id == state.pending[0][0]:
            count = _count(connection, rows)
            if count is None:
                yield what
            elif count:
                yield f"{what}, in {count:,} row{'' if count == 1 else 's'}"
        else:
            yield what


def _count(connection: Connection, rows: str) -> int | None:
    try:
        found: int = connection.exec_driver_sql(f"SELECT count(*) FROM ({rows}) AS found").scalar_one()  # noqa: S608
    except DBAPIError:
        return None  # a table was changed by hand; migrating will say what is wrong
    return found
