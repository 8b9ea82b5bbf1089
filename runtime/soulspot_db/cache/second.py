"""Makes the second tier that `CACHE=host:6379/0` asks for; without it nothing of Redis is imported."""

from typing import TYPE_CHECKING

from soulspot_db.errors import ConfigurationError
from soulspot_db.settings import DatabaseSettings

if TYPE_CHECKING:
    from soulspot_db.cache.redis import RedisConnection
    from soulspot_db.cache.tier import SecondTier

__all__ = ["make_connection", "make_second_tier"]


def make_second_tier(settings: DatabaseSettings, address: str) -> "SecondTier":
    """The second tier at this address, which nobody has connected to yet.

    Raises:
        ConfigurationError: the libraries for it are not installed.
    """
    connection = make_connection(settings)
    from soulspot_db.cache.tier import SecondTier  # noqa: PLC0415 - only who uses Redis needs it

    return SecondTier(connection, address)


def make_connection(settings: DatabaseSettings) -> "RedisConnection":
    """The connection to Redis that a second tier would have, not made yet.

    Raises:
        ConfigurationError: the libraries for it are not installed.
    """
    try:
        # Only who uses Redis has its libraries. All are asked for now, so that none is missed at the first read.
        from soulspot_db.cache import shared as _shared  # noqa: F401, PLC0415
        from soulspot_db.cache.redis import RedisConnection  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"redis", "msgpack"}:
            raise
        raise ConfigurationError(
            f"the cache in Redis needs more ({error.name})", "Install it: pip install 'soulspot-db[redis]'"
        ) from error
    return RedisConnection(settings)
