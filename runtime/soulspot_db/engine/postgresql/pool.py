"""The connections to a PostgreSQL server: made when they are needed, taken, given back, closed."""

import asyncio
from typing import Any

import asyncpg

from soulspot_db.engine.base import Connections
from soulspot_db.engine.errors import in_another_loop, not_open
from soulspot_db.engine.postgresql.connecting import not_connected
from soulspot_db.engine.postgresql.connection import PooledConnection, connect, connect_options
from soulspot_db.engine.postgresql.errors import DRIVER_ERRORS
from soulspot_db.errors import PoolExhaustedError
from soulspot_db.settings import DatabaseSettings

__all__ = ["ConnectionPool"]


class ConnectionPool:
    """asyncpg's pool, with our settings and errors.

    Args:
        settings: where the server is, how many connections there may be and how long to wait for one.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._maximum = settings.connection_pool_size + settings.max_overflow
        self._pool: asyncpg.Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = 0
        self.is_open = False

    async def open(self) -> None:
        """Connect once, to see that it works; the other connections are made when they are needed.

        Raises:
            ConnectionFailedError: the server cannot be reached, or refuses the user.
        """
        self._loop = asyncio.get_running_loop()
        pool = asyncpg.create_pool(
            min_size=1,
            max_size=self._maximum,
            max_inactive_connection_lifetime=60.0,
            connection_class=PooledConnection,
            connect=connect,
            **connect_options(self._settings),
        )
        try:
            await pool
        except DRIVER_ERRORS as error:
            raise not_connected(error, self._settings) from error
        self._pool, self.is_open = pool, True

    async def close(self) -> None:
        """From now on none is taken; whoever waits for one already gets it, and all that are taken are waited for."""
        self.is_open = False
        pool = self._pool
        if pool is None:
            return
        if self._loop is not asyncio.get_running_loop():
            # The loop of the connections has ended, so there is nothing to say goodbye with; this one cannot wait for them.
            self._pool = None
            if self._loop is not None and not self._loop.is_closed():
                pool.terminate()
            return
        try:
            async with asyncio.timeout(self._settings.query_timeout):
                while self._waiting:  # noqa: ASYNC110 - once in the life of a pool
                    await asyncio.sleep(0.005)
                await pool.close()
        except DRIVER_ERRORS:  # the time is over, or nobody is there to say goodbye to
            pool.terminate()
        self._pool = None

    async def take(self) -> Any:
        """A connection that nobody else uses.

        Raises:
            PoolExhaustedError: none was free in time.
            ConnectionFailedError: the database is closed, or the server cannot be reached.
        """
        pool = self._pool
        if pool is None or not self.is_open:
            raise not_open(database_path=self._settings.address)
        if asyncio.get_running_loop() is not self._loop:
            raise in_another_loop(database_path=self._settings.address)
        self._waiting += 1
        try:
            # Where one is free it is had at once; a time-out would cost a task.
            return await pool.acquire(timeout=None if pool.get_idle_size() else self._settings.pool_timeout)
        except DRIVER_ERRORS as error:
            if isinstance(error, TimeoutError) and self.figures().total == self._maximum:
                raise self._exhausted() from None
            raise not_connected(error, self._settings) from error
        finally:
            self._waiting -= 1

    async def give_back(self, connection: Any) -> None:
        """Take a connection back, and roll back what is open in it; of one that is lost, only its place."""
        if self._pool is None:
            return
        try:
            await self._pool.release(connection)
        except DRIVER_ERRORS:
            return  # whoever used it has been told, and asyncpg has given it up

    async def expire(self) -> None:
        """Have every connection replaced before it is taken the next time."""
        if self._pool is not None:
            await self._pool.expire_connections()

    def figures(self) -> Connections:
        """How busy the connections are."""
        pool = self._pool
        total, idle = (pool.get_size(), pool.get_idle_size()) if pool is not None else (0, 0)
        return Connections(total - idle, total, self._maximum)

    def _exhausted(self) -> PoolExhaustedError:
        timeout = self._settings.pool_timeout
        return PoolExhaustedError(
            f"none of {self._maximum} connections was free within {timeout:g} s",
            "End transactions sooner: no network calls inside `async with db.transaction()`.",
            "Raise DATABASE_CONNECTION_POOL_SIZE, DATABASE_MAX_OVERFLOW or DATABASE_POOL_TIMEOUT.",
            timeout=timeout,
        )
