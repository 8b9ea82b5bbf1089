"""A look into a PostgreSQL database without opening a pool."""

from typing import cast

import asyncpg

from soulspot_db.engine.base import Rows
from soulspot_db.engine.postgresql.connecting import not_connected
from soulspot_db.engine.postgresql.connection import connect, connect_options
from soulspot_db.engine.postgresql.errors import DRIVER_ERRORS, translate
from soulspot_db.settings import DatabaseSettings

__all__ = ["peek_server"]


async def peek_server(settings: DatabaseSettings, sql: str) -> Rows:
    """The rows that `sql` finds; none where there is no such table.

    Raises:
        ConnectionFailedError: the server cannot be reached.
    """
    try:
        connection = await connect(**connect_options(settings))
    except DRIVER_ERRORS as error:
        raise not_connected(error, settings) from error
    try:
        try:
            return cast("Rows", await connection.fetch(sql))
        finally:
            await connection.close()
    except asyncpg.UndefinedTableError:
        return []
    except DRIVER_ERRORS as error:
        raise translate(error, sql, settings) from error
