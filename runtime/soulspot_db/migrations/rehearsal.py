"""Revisions tried on a SQLite database's form without its rows: what stops them is found before their SQL is printed."""

import tempfile
from contextlib import suppress
from pathlib import Path

from alembic import command
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.migrations.connection import reading
from soulspot_db.migrations.revisions import config_of
from soulspot_db.migrations.run import Run, enter
from soulspot_db.migrations.version import VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["rehearse"]

# Virtual tables first, because they make tables of their own.
_MADE = """
SELECT sql FROM sqlite_master WHERE sql IS NOT NULL
ORDER BY sql NOT LIKE 'CREATE VIRTUAL%', type = 'trigger', type = 'view', type = 'index', rowid
"""


def rehearse(settings: DatabaseSettings, folder: Path, current: str, target: str) -> None:
    """Go from one revision to another with tables that are empty.

    Args:
        settings: the database whose tables these are; it is read alone.
        folder: the migrations folder.
        current: the revision that the database is at.
        target: the last that is tried.

    Raises:
        MigrationError: one of them refuses to go on, because of something that was made by hand.
    """
    with reading(settings) as connection:
        made = connection.exec_driver_sql(_MADE).scalars().all()
    with tempfile.TemporaryDirectory() as place:
        empty = settings.model_copy(update={"database_path": Path(place) / "rehearsal.db"})
        with reading(empty) as connection:
            connection.exec_driver_sql("BEGIN")
            for sql in made:
                _make(connection, sql)
            connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES (?)", (current,))  # noqa: S608
            config = enter(config_of(folder), Run(report=_silent, is_trial=True))
            config.attributes["connection"] = connection
            command.upgrade(config, target)


def _make(connection: Connection, sql: str) -> None:
    # What belongs to SQLite or a virtual table is there already, and what is broken there stops nothing here.
    with suppress(DBAPIError):
        connection.exec_driver_sql(sql)


def _silent(_line: str) -> None:
    pass
