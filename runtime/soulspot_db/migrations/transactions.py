"""The transactions of a run: where one ends and the next begins, another process may have gone on in between."""

from sqlalchemy import Connection

from soulspot_db.errors import MigrationError
from soulspot_db.migrations.version import REVISION, VERSION_TABLE

__all__ = ["OvertakenError", "next_transaction", "read_version"]


_IS_THERE = {
    "sqlite": f"SELECT 1 FROM sqlite_master WHERE name = '{VERSION_TABLE}'",  # noqa: S608
    "postgresql": f"SELECT to_regclass('{VERSION_TABLE}')::text",
}


class OvertakenError(MigrationError):
    """Another process has applied the revision that this one was at. The runner looks anew; nobody else meets it."""


def read_version(connection: Connection) -> str | None:
    """The revision that the database says it is at; None before the first."""
    known = connection.exec_driver_sql(_IS_THERE[connection.dialect.name]).scalar()
    found = connection.exec_driver_sql(REVISION).first() if known else None
    return None if found is None else str(found[0])


def next_transaction(connection: Connection, *, foreign_keys: bool) -> None:
    """Commit, and go on in a new transaction, which has the write lock on SQLite.

    Args:
        connection: in a transaction.
        foreign_keys: whether SQLite enforces them from now on: they must be where rows change, and must not be where
            tables do. Inside a transaction the pragma is ignored.

    Raises:
        OvertakenError: another process applied a revision before the lock was had again.
    """
    version = read_version(connection)
    connection.exec_driver_sql("COMMIT")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    now = read_version(connection)
    if now != version:
        raise OvertakenError(
            f"another process has brought the database from revision {version or 'none'} to {now or 'none'}",
            "Run the command again: it goes on from there.",
            operation="migrate",
        )
