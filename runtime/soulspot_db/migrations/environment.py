"""What `migrations/env.py` runs: the same for our runner and for the plain `alembic` command."""

from alembic import context
from sqlalchemy import Connection

from soulspot_db.migrations.connection import writing
from soulspot_db.migrations.version import VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["run_migrations"]


def run_migrations() -> None:
    """Run what Alembic was asked for, on the runner's connection or on one made from the settings."""
    connection: Connection | None = context.config.attributes.get("connection")
    if context.is_offline_mode():
        context.configure(dialect_name="sqlite", version_table=VERSION_TABLE, literal_binds=True)
        context.run_migrations()
    elif connection is not None:
        _run_on(connection)
    else:
        with writing(DatabaseSettings()) as own:
            _run_on(own)


def _run_on(connection: Connection) -> None:
    # The transaction is the caller's: Alembic must neither begin nor commit one of its own.
    context.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=False)
    context.run_migrations()
