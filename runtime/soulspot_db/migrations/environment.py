"""What `migrations/env.py` runs: the same for our runner and for the plain `alembic` command."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

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
        asyncio.run(_run_on_settings())


def _run_on(connection: Connection) -> None:
    # The transaction is the caller's: Alembic must neither begin nor commit one of its own.
    context.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=False)
    context.run_migrations()


async def _run_on_settings() -> None:
    engine = create_async_engine(DatabaseSettings().database_url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run_on)
    finally:
        await engine.dispose()
