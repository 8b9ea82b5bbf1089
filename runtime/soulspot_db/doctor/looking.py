"""A connection that looks into a database and changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from soulspot_db.engine.sqlite.look import connect_to_look
from soulspot_db.migrations.connection import reading, told
from soulspot_db.migrations.stopping import current_stop
from soulspot_db.settings import DatabaseSettings

__all__ = ["looking"]

_PATIENCE = 5.0  # seconds for a lock; whoever asks what is wrong wants an answer


@contextmanager
def looking(settings: DatabaseSettings) -> Iterator[Connection]:
    """A connection outside any transaction.

    Raises:
        DatabaseError: the database cannot be opened, or what went wrong in the block.
    """
    if settings.database_type == "postgresql":
        with reading(settings) as connection:
            connection.exec_driver_sql("SET default_transaction_read_only = on")
            yield connection
        return
    patience = min(_PATIENCE, settings.pool_timeout)
    raw: list[Any] = []

    def make() -> Any:
        raw.append(connect_to_look(settings.database_path, patience=patience))
        return raw[-1]

    engine = create_engine("sqlite://", creator=make, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    stop = current_stop()
    stop.watch(engine)
    try:
        with engine.connect() as connection, stop.interrupted_by(raw[-1].interrupt):
            yield connection
    except DBAPIError as error:
        raise told(error, settings) from error
