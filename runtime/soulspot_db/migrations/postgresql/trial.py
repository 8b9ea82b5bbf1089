"""What an older revision leaves, seen by applying all up to it in a schema that is undone."""

from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from soulspot_db.migrations.live import read_structure
from soulspot_db.migrations.postgresql.catalog import scratch_schema
from soulspot_db.migrations.revisions import config_of
from soulspot_db.migrations.run import Run, enter, in_turn
from soulspot_db.migrations.structure import Structure

__all__ = ["structure_at"]


def structure_at(connection: Connection, folder: Path, revision: str) -> Structure:
    """The tables that a revision leaves.

    Args:
        connection: in no transaction.
        folder: the migrations folder.
        revision: the last that is applied.
    """
    config = enter(config_of(folder), Run(report=_silent, is_trial=True))
    config.attributes["connection"] = connection
    with scratch_schema(connection), in_turn:
        command.upgrade(config, revision)
        return read_structure(connection)


def _silent(_line: str) -> None:
    pass
