"""What `migrations/env.py` runs: the same for our runner and for the plain `alembic` command."""

import shlex
from pathlib import Path
from typing import Any, NoReturn

from alembic import context
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from soulspot_db.errors import DatabaseError
from soulspot_db.migrations.connection import with_driver, writing
from soulspot_db.migrations.names import allowed_ids
from soulspot_db.migrations.postgresql.impl import use
from soulspot_db.migrations.revisions import compare, require_recorded
from soulspot_db.migrations.run import Run, current_run
from soulspot_db.migrations.stages import staged
from soulspot_db.migrations.surroundings import settings_here
from soulspot_db.migrations.transactions import read_version
from soulspot_db.migrations.version import VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["refuse_revision", "run_migrations"]


def run_migrations() -> None:
    """Run what Alembic was asked for, on the runner's connection or on one made from the settings.

    Raises:
        CommandError: an error of ours, where the plain `alembic` command asks, which prints no other without a traceback.
    """
    attributes = context.config.attributes
    if "connection" in attributes:
        _run_on(attributes["connection"], current_run())
    elif "settings" in attributes:
        _run_alone(current_run(), attributes["settings"])
    else:
        try:
            _run_alone(current_run(), settings_here())
        except DatabaseError as error:
            raise CommandError(str(error)) from error


def _run_alone(run: Run, settings: DatabaseSettings) -> None:
    context.configure(dialect_name=settings.database_type)
    if "revision_context" in context.get_context().opts:
        refuse_revision()
    if not context.is_offline_mode():
        require_recorded(Path(context.script.dir))
        with_driver(settings, _run_with, settings, run)
    elif settings.database_type == "sqlite":
        _print_for_sqlite(run, settings)
    else:
        _print_for_postgresql(run)


def _run_with(settings: DatabaseSettings, run: Run) -> None:
    with writing(settings) as own:
        run.allowed = allowed_ids(context.script, compare(context.script, read_version(own)), run.allowed)
        _run_on(own, run)


def refuse_revision() -> NoReturn:
    """What `alembic revision`, `merge` and `check` come to.

    Raises:
        CommandError: always.
    """
    raise CommandError(
        "Revisions come from the schemas: alembic neither writes them nor compares them with a database. "
        "Whether a schema has changed: soulspot-db generate --check, and then: soulspot-db generate. "
        "Whether a database is as the schemas say: soulspot-db check --database. "
        "To change rows: soulspot-db new revision --data NAME. After a merge: soulspot-db rebase"
    )


def _run_on(connection: Connection, run: Run) -> None:
    # The transactions are ours: Alembic must neither begin nor commit one of its own.
    _configure(run, connection, connection=connection, transactional_ddl=False)
    context.run_migrations()


def _configure(run: Run, on: Connection | None, /, **options: Any) -> None:
    options["version_table"] = VERSION_TABLE
    context.configure(**options)
    # Known only once it is configured: what the command wants to be done.
    context.configure(**options, fn=staged(context.get_context().opts["fn"], on, run))
    if context.get_context().dialect.name == "postgresql":
        use(context.get_context(), run)


def _print_for_sqlite(run: Run, settings: DatabaseSettings) -> None:
    _configure(run, None, dialect_name="sqlite", literal_binds=True)
    for line in (
        f"-- With a copy of the database at hand: sqlite3 -bail {shlex.quote(settings.database_path.name)} < this_file",
        "-- Triggers, indexes and CHECKs made by hand, of tables that are rebuilt here, are lost: save them before.",
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


def _print_for_postgresql(run: Run) -> None:
    # Without a place for parameters percent signs stay single.
    _configure(run, None, dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, literal_binds=True)
    context.static_output("-- Make a dump with pg_dump first. psql -v ON_ERROR_STOP=1 -f this_file")
    context.static_output("BEGIN;")
    context.run_migrations()
    context.static_output("COMMIT;")
