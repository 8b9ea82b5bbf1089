"""The driver is an extra: who uses SQLite alone does not install it."""

from soulspot_db.errors import ConfigurationError

__all__ = ["driver_missing"]


def driver_missing() -> ConfigurationError:
    """The error for an address of a PostgreSQL server where nothing can talk to one."""
    return ConfigurationError(
        "the driver for PostgreSQL is not installed", "Install it: pip install 'soulspot-db[postgresql]'"
    )
