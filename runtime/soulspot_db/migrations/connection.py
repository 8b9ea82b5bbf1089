"""The connection that migrations run on: synchronous, because Alembic is, and because its lock is a thread's."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from soulspot_db.engine.sqlite_connection import TO_WAL, connect
from soulspot_db.engine.sqlite_errors import translate
from soulspot_db.settings import DatabaseSettings

__all__ = ["reading", "writing"]


@contextmanager
def reading(settings: DatabaseSettings, pragmas: Iterable[str] = ()) -> Iterator[Connection]:
    """A connection outside any transaction; what the driver raises in the block becomes an error of ours."""
    settings.require_sqlite()
    path = str(settings.database_path)
    engine = create_engine(
        "sqlite://",
        creator=lambda: connect(path, pragmas, patience=settings.pool_timeout),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # BEGIN and COMMIT are sent where they are wanted
    )
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise translate(error.orig or error, error.statement or "", path) from error


@contextmanager
def writing(settings: DatabaseSettings) -> Iterator[Connection]:
    """A connection in a transaction that has the write lock from the start, and is committed where the block ends well.

    Raises:
        LockedError: another process kept the lock.
    """
    # Inside a transaction the first pragma is ignored, and rebuilding a table would then delete its children.
    with reading(settings, ("foreign_keys = OFF", TO_WAL)) as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.exec_driver_sql("COMMIT")
    # An error closes the connection, and thereby undoes what is open. A ROLLBACK of ours would fail where the error
    # has ended the transaction already, and hide why.
