"""A database brought in order by the person who runs SoulSpot, while it runs."""

from collections.abc import Callable

from soulspot_db.engine.postgresql.driver import driver_missing
from soulspot_db.engine.sqlite.optimize import optimize_file
from soulspot_db.errors import ConnectionFailedError
from soulspot_db.settings import DatabaseSettings

__all__ = ["optimize_database"]


async def optimize_database(settings: DatabaseSettings, *, vacuum: bool, tell: Callable[[str], None]) -> None:
    """Renew what the planner knows, shorten the log, and give free pages back.

    Args:
        settings: which database.
        vacuum: write it anew, without what is free in it; others cannot write meanwhile.
        tell: told of each step, in a line.

    Raises:
        ConnectionFailedError: there is no such database, or it cannot be used.
        LockedError: another process kept it locked.
        DiskFullError: there is no room to write it anew.
    """
    if settings.database_type == "sqlite":
        path = settings.database_path
        if not path.is_file():
            raise ConnectionFailedError(
                f"there is no database {path}", "Set DATABASE to the file that SoulSpot uses.", operation="optimize"
            )
        optimize_file(path, patience=settings.pool_timeout, vacuum=vacuum, tell=tell)
        return
    try:
        from soulspot_db.engine.postgresql.optimize import optimize_server  # noqa: PLC0415 - only who uses it has its driver
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise driver_missing() from error
    await optimize_server(settings, full=vacuum, tell=tell)
