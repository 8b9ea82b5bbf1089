"""How connections to PostgreSQL are made: where to, as whom, and what the server sees to."""

import contextlib
import getpass
import os
from typing import Any

import asyncpg

from soulspot_db.errors import ConfigurationError
from soulspot_db.language.conditions import quoted
from soulspot_db.settings import DatabaseSettings

__all__ = ["PooledConnection", "connect", "connect_options", "is_closed", "named", "terminate", "user_of"]

_CONNECT = 5.0  # seconds that each host has
_PATIENCE = 5.0  # seconds that the server has to say that it has stopped a statement, before the connection is given up


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is given back as it was taken: nothing here leaves settings, locks or cursors behind."""

    def get_reset_query(self) -> str:
        """Nothing: asyncpg's own would be a second round trip after every statement."""
        return ""


def is_closed(connection: Any) -> bool:
    """Whether a connection of the pool is lost, or was given up already."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def terminate(connection: Any) -> None:
    """Give a connection of the pool up without waiting for the server."""
    with contextlib.suppress(asyncpg.InterfaceError):  # it was given up already
        connection.terminate()


async def connect(_dsn: None = None, *, host: list[str], port: list[int], **options: Any) -> Any:
    """A connection to the first host that has one; a pool of asyncpg calls it, too, and then gives no DSN.

    asyncpg tries several by itself, but has one time-out for all of them: a host that does not answer would use it up, and
    the others would never be asked.

    Raises:
        OSError, asyncpg.PostgresError, TimeoutError: what the last of them said.
    """
    for at, each in zip(host[:-1], port[:-1], strict=True):
        try:
            return await asyncpg.connect(host=at, port=each, **options)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError):
            continue  # of all that say no the last is told
    return await asyncpg.connect(host=host[-1], port=port[-1], **options)


def connect_options(settings: DatabaseSettings) -> dict[str, Any]:
    """What asyncpg is told to connect with. All times are the server's to keep, in milliseconds."""
    hosts, ports, database = settings.servers
    return {
        "host": hosts,
        "port": ports,
        "database": database,
        "user": user_of(settings),
        "password": settings.password.get_secret_value() if settings.password else None,
        "timeout": _CONNECT,
        "command_timeout": settings.query_timeout + _PATIENCE,
        "statement_cache_size": 512,
        "max_cached_statement_lifetime": 0,
        # Of several, the one that takes writes, whichever that is at the moment.
        "target_session_attrs": "read-write" if len(hosts) > 1 else "any",
        "server_settings": {
            "application_name": "soulspot-db",
            "timezone": "UTC",
            "statement_timeout": _milliseconds(settings.query_timeout),
            "lock_timeout": _milliseconds(settings.pool_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(settings.idle_transaction_timeout),
        },
    }


def user_of(settings: DatabaseSettings) -> str:
    """As whom: DATABASE_USER, or as every program of PostgreSQL has it, PGUSER or the user that runs this process.

    Raises:
        ConfigurationError: neither is set, and that user has no name, as in a container under a number.
    """
    try:
        return settings.user or os.environ.get("PGUSER") or getpass.getuser()
    except (KeyError, OSError) as error:
        raise ConfigurationError(
            "nothing says as whom to connect: DATABASE_USER is unset, and the user of this process has no name",
            "Set DATABASE_USER.",
        ) from error


def named(name: str) -> str:
    """The name of a role or a database as a statement has it."""
    return quoted(name.replace('"', '""'))


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
