"""Connections to a PostgreSQL server for migrations, and the lock that lets one process at a time migrate."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from soulspot_db.engine.postgresql.connecting import not_connected
from soulspot_db.engine.postgresql.connection import connect_options
from soulspot_db.engine.postgresql.errors import DRIVER_ERRORS
from soulspot_db.errors import LockedError
from soulspot_db.migrations.postgresql.errors import cause_of, told
from soulspot_db.migrations.postgresql.finishing import work_off
from soulspot_db.migrations.stopping import current_stop
from soulspot_db.settings import DatabaseSettings

__all__ = ["pause", "reading", "told", "writing"]

# Any number that no other program takes; locks of this kind are one database's own.
_KEY = 7_237_121_902_345
_LOCK_TIMEOUT = 3.0  # seconds that a table is waited for: who waits for one keeps everybody behind it waiting
_POLL = 0.1


@contextmanager
def reading(settings: DatabaseSettings) -> Iterator[Connection]:
    """A connection outside any transaction; what the driver raises in the block becomes an error of ours."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args=_options(settings),
        poolclass=NullPool,
        json_deserializer=str,  # text, as it is written, and as it is on SQLite
        isolation_level="AUTOCOMMIT",  # BEGIN and COMMIT are sent where they are wanted
    ).sync_engine
    current_stop().watch(engine)
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise not_connected(cause_of(error), settings) from error
    except DRIVER_ERRORS as error:
        raise not_connected(error, settings) from error
    try:
        with connection:
            yield connection
    except DBAPIError as error:
        raise told(error, settings) from error


@contextmanager
def writing(settings: DatabaseSettings) -> Iterator[Connection]:
    """A connection in a transaction, committed where the block ends well; nobody else migrates meanwhile.

    Raises:
        LockedError: another process kept the lock.
    """
    with reading(settings) as connection:
        # The session that does the work has it, so that whoever loses the one has lost the other.
        _lock(connection, settings)
        connection.exec_driver_sql("BEGIN")
        try:
            yield connection
        except BaseException:  # whatever it was, nothing of it may stay; raised again
            with suppress(SQLAlchemyError):  # where the session is lost there is nothing to undo
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")
        work_off(connection, settings)


def _lock(connection: Connection, settings: DatabaseSettings) -> None:
    # Asked for again and again: CREATE INDEX CONCURRENTLY would wait for a statement that waits for the lock.
    until = time.monotonic() + settings.pool_timeout
    while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_KEY})").scalar_one():
        if time.monotonic() > until:
            raise LockedError(
                f"another process has been migrating {settings.address} for {settings.pool_timeout:g} s",
                "Wait until it is done, then start again; `soulspot-db migrate --status` says where the database is.",
                operation="migrate",
            )
        pause(_POLL)


def pause(seconds: float) -> None:
    """Wait about that long, not as long as others do."""
    time.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - nobody guards a secret with it


def _options(settings: DatabaseSettings) -> dict[str, Any]:
    options = connect_options(settings)
    return {
        **options,
        # Tables change under statements that were prepared.
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        # A table may be large, and between statements a revision may compute.
        "command_timeout": None,
        "server_settings": {
            **options["server_settings"],
            "statement_timeout": "0",
            "idle_in_transaction_session_timeout": "0",
            "lock_timeout": str(max(1, round(1000 * min(_LOCK_TIMEOUT, settings.pool_timeout)))),
        },
    }
