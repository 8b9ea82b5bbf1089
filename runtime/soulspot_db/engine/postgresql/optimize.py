"""What the tables of a PostgreSQL database are given now and then: dead rows cleared away, and statistics for the planner."""

from collections.abc import Callable

from soulspot_db.copies.files import megabytes
from soulspot_db.engine.postgresql.connecting import not_connected
from soulspot_db.engine.postgresql.connection import connect, connect_options
from soulspot_db.engine.postgresql.errors import DRIVER_ERRORS, translate
from soulspot_db.settings import DatabaseSettings

__all__ = ["optimize_server"]

_SIZE = "SELECT pg_database_size(current_database())"
_OWN = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname = current_schema() AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1
"""


async def optimize_server(settings: DatabaseSettings, *, full: bool, tell: Callable[[str], None]) -> None:
    """VACUUM and ANALYZE each table that DATABASE_USER owns, while others go on using them.

    Args:
        settings: which database.
        full: write the tables anew, without free room; others cannot even read one meanwhile.
        tell: told of each step, in a line.

    Raises:
        ConnectionFailedError: the server cannot be reached.
        LockedError: another session kept a table locked for `pool_timeout`.
    """
    options = connect_options(settings)
    # A large table takes longer than any query may.
    options |= {"command_timeout": None, "server_settings": {**options["server_settings"], "statement_timeout": "0"}}
    try:
        connection = await connect(**options)
    except DRIVER_ERRORS as error:
        raise not_connected(error, settings) from error
    statement = _SIZE
    try:
        before = await connection.fetchval(_SIZE)
        tables = [table for (table,) in await connection.fetch(_OWN)]
        for table in tables:
            statement = f"VACUUM ({'FULL, ' if full else ''}ANALYZE) {table}"
            await connection.execute(statement)
        tell(f"statistics and room: {', '.join(tables) if tables else 'no table here is of this user'}")
        tell(f"{settings.address}: {megabytes(await connection.fetchval(_SIZE))}, before {megabytes(before)}")
    except DRIVER_ERRORS as error:
        raise translate(error, statement, settings) from error
    finally:
        await connection.close()
