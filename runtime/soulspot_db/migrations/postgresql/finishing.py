"""Doing what was put off: each on its own after the COMMIT, or in the transaction of the next revision."""

import logging
from contextlib import nullcontext

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.catalog import is_there
from soulspot_db.migrations.postgresql.errors import code_of, told
from soulspot_db.migrations.postgresql.later import put_off
from soulspot_db.migrations.version import LATER_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["catch_up", "work_off"]

_log = logging.getLogger("soulspot_db.migrations")

# The table, the column, the constraint: somebody has dropped it by hand.
_GONE = {"42P01", "42703", "42704"}
_FALSE = {"23503": "rows refer to rows that do not exist", "23514": "rows do not fulfil it"}
_REASONS = {**_FALSE, "55P03": "another transaction kept it waiting"}
_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"


def catch_up(connection: Connection) -> None:
    """Do it in the transaction: the next revision may rename or drop what it is about.

    What rows do not fulfil is left for `work_off`, because that revision may remove it.
    """
    if is_there(connection, LATER_TABLE):
        _finish(connection, None)


def work_off(connection: Connection, settings: DatabaseSettings) -> None:
    """Do it beside those who use the tables; they are waited for, and not kept waiting.

    Args:
        connection: in no transaction.
        settings: how long to wait.

    Raises:
        MigrationError: something failed; what is left is done by the next run.
    """
    if is_there(connection, LATER_TABLE):
        connection.exec_driver_sql(f"SET lock_timeout = {max(1, round(1000 * settings.pool_timeout))}")
        _finish(connection, settings)


def _finish(connection: Connection, beside: DatabaseSettings | None) -> None:
    for number, name, statement in put_off(connection):
        try:
            # A failure must not end the transaction.
            with nullcontext() if beside else connection.begin_nested():
                _do(connection, name, statement, " CONCURRENTLY" if beside else "")
        except DBAPIError as error:
            code = code_of(error)
            if code in _GONE:
                _log.warning("what %s needs is not there any more, and is left out: %s", name, statement)
            elif beside:
                raise _unfinished(error, name, statement, beside) from error
            elif code in _FALSE:
                continue
            else:
                raise
        connection.exec_driver_sql(f"DELETE FROM {LATER_TABLE} WHERE number = {number}")  # noqa: S608
    if not put_off(connection):
        connection.exec_driver_sql(f"DROP TABLE {LATER_TABLE}")


def _do(connection: Connection, name: str, statement: str, beside: str) -> None:
    if statement.startswith("CREATE INDEX"):
        is_valid = connection.exec_driver_sql(_IS_VALID, (quoted(name),)).scalar()
        if is_valid:
            return
        if is_valid is False:  # a run has left it unfinished
            connection.exec_driver_sql(f"DROP INDEX{beside} {quoted(name)}")
        statement = statement.replace("CREATE INDEX", f"CREATE INDEX{beside}", 1)
    connection.exec_driver_sql(statement)


def _unfinished(error: DBAPIError, name: str, statement: str, settings: DatabaseSettings) -> MigrationError:
    found = told(error, settings)
    return MigrationError(
        f"the revisions are applied, and {name} is not finished: {_REASONS.get(code_of(error), found.message)}",
        "Run `soulspot-db migrate` again: it goes on there.",
        operation="migrate",
        query=statement,
    )
