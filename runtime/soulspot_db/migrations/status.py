"""What `--status` tells: where a database is, what is pending, and what is lost with it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.migrations.backup import has_tables
from soulspot_db.migrations.connection import in_thread, reading
from soulspot_db.migrations.looks import losses_of, refusals_of
from soulspot_db.migrations.revisions import Status, compare, open_revisions
from soulspot_db.migrations.transactions import read_version
from soulspot_db.settings import DatabaseSettings

__all__ = ["read_status", "status", "unfinished"]


async def status(settings: DatabaseSettings, folder: Path) -> Status:
    """Compare the database with the revisions in `folder`; a file that does not exist is not created."""
    return await in_thread(settings, read_status, settings, folder)


def read_status(settings: DatabaseSettings, folder: Path) -> Status:
    """The same, for who is in a thread already."""
    script = open_revisions(folder)
    path = settings.database_path
    if settings.database_type == "sqlite" and path.absolute().parent.is_dir() and not path.exists():
        return compare(script, None)
    with reading(settings) as connection:
        state = replace(compare(script, read_version(connection)), unfinished=tuple(unfinished(connection)))
        if not has_tables(connection):
            return state  # nothing can be lost
        losses = {id: tuple(_losses(connection, script, id, state)) for id, _title in state.pending}
        return replace(
            state,
            losses={id: found for id, found in losses.items() if found},
            refusals=tuple(_refusals(connection, script, state)),
        )


def unfinished(connection: Connection) -> list[str]:
    """The indexes and constraints that an applied revision has put off and that are still to be done."""
    if connection.dialect.name == "sqlite":
        return []
    from soulspot_db.migrations.postgresql.later import put_off  # noqa: PLC0415 - only who uses it has its driver

    return [name for _number, name, _statement in put_off(connection)]


def _losses(connection: Connection, script: ScriptDirectory, id: str, state: Status) -> Iterator[str]:
    for what, rows in losses_of(Path(script.get_revision(id).path), connection.dialect.name):
        # Later revisions may ask about tables that are not there yet.
        if id == state.pending[0][0]:
            count = _count(connection, rows)
            if count is None:
                yield what
            elif count:
                yield f"{what}, in {_rows(count)}"
        else:
            yield what


def _refusals(connection: Connection, script: ScriptDirectory, state: Status) -> Iterator[str]:
    for id, _title in state.pending[:1]:
        for what, rows in refusals_of(Path(script.get_revision(id).path), connection.dialect.name):
            if count := _count(connection, rows):
                yield f"{_rows(count)} {what}, found by: {rows};"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _count(connection: Connection, rows: str) -> int | None:
    try:
        found: int = connection.exec_driver_sql(f"SELECT count(*) FROM ({rows}) AS found").scalar_one()  # noqa: S608
    except DBAPIError:
        return None  # a table was changed by hand; migrating will say what is wrong
    return found
