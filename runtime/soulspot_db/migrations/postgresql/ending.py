"""The end of a revision: foreign keys when all tables are there, and indexes that somebody made by hand."""

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db import ddl
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.later import add_constraint
from soulspot_db.migrations.run import Run

__all__ = ["end_revision"]


def end_revision(context: MigrationContext, connection: Connection | None, run: Run) -> None:
    """Add what its tables need.

    Args:
        context: Alembic's.
        connection: in the revision's transaction; None where SQL is printed.
        run: knows what is missing.
    """
    for (table, name), definition in run.keys.items():
        if connection is None:
            context.impl.execute(ddl.sql(f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} {definition}"))
        else:
            add_constraint(connection, table, name, definition)
    run.keys.clear()
    if connection is not None:
        _put_back_indexes(connection, run)


def _put_back_indexes(connection: Connection, run: Run) -> None:
    for name, sql in run.indexes.items():
        if connection.exec_driver_sql("SELECT to_regclass($1)::text", (quoted(name),)).scalar() is not None:
            continue
        connection.exec_driver_sql("SAVEPOINT soulspot_db_index")
        try:
            connection.exec_driver_sql(sql)
        except DBAPIError:
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT soulspot_db_index")
            run.report(f"left out the index {name}, which does not fit its table any more: {sql}")
        connection.exec_driver_sql("RELEASE SAVEPOINT soulspot_db_index")
    run.indexes.clear()
