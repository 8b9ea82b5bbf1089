"""What `migrations/env.py` runs: the same for our runner and for the plain `alembic` command."""

from pathlib import Path
from typing import Any

from alembic import context
from sqlalchemy import Connection

from soulspot_db.migrations.connection import writing
from soulspot_db.migrations.revisions import require_recorded
from soulspot_db.migrations.run import Run, current_run
from soulspot_db.migrations.stages import staged
from soulspot_db.migrations.version import VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["run_migrations"]


def run_migrations() -> None:
    """Run what Alembic was asked for, on the runner's connection or on one made from the settings."""
    run = current_run()
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is not None:
        _run_on(connection, run)
        return
    if not context.is_offline_mode():
        require_recorded(Path(context.script.dir))
        with writing(DatabaseSettings()) as own:
            _run_on(own, run)
        return
    _print_sql(run)


def _run_on(connection: Connection, run: Run) -> None:
    # The transactions are ours: Alembic must neither begin nor commit one of its own.
    _configure(run, connection, connection=connection, transactional_ddl=False)
    context.run_migrations()


def _configure(run: Run, on: Connection | None, /, **options: Any) -> None:
    options["version_table"] = VERSION_TABLE
    context.configure(**options)
    # Known only once it is configured: what the command wants to be done.
    context.configure(**options, fn=staged(context.get_context().opts["fn"], on, run))


def _print_sql(run: Run) -> None:
    _configure(run, None, dialect_name="sqlite", literal_binds=True)
    for line in (
        "-- With a copy of the database at hand: sqlite3 -bail soulspot.db < this_file",
        "-- Triggers, and indexes made by hand, of tables that are rebuilt here are lost: save them before.",
        "PRAGMA foreign_keys = OFF;",
        "BEGIN IMMEDIATE;",
    ):
        context.static_output(line)
    context.run_migrations()
    for line in (
        "-- Must print nothing; otherwise write ROLLBACK instead of COMMIT:",
        "PRAGMA foreign_key_check;",
        "COMMIT;",
    ):
        context.static_output(line)
