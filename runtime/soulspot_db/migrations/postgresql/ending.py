"""The end of a revision: foreign keys when all tables are there, and indexes that somebody made by hand."""

from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db import ddl
from soulspot_db.engine.postgresql.errors import is_lost
from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.catalog import is_there
from soulspot_db.migrations.postgresql.errors import cause_of
from soulspot_db.migrations.postgresql.later import add_constraint
from soulspot_db.migrations.run import Run

__all__ = ["end_revision"]

_IS_LEFT = """
SELECT 1 FROM pg_attribute WHERE attrelid = $1::bigint::oid AND attnum = ANY ($2::int2[]) AND NOT attisdropped
AND NOT EXISTS (SELECT 1 FROM unnest($3::text[]) AS name WHERE to_regclass(name) = attrelid)
"""


def end_revision(context: MigrationContext, connection: Connection | None, run: Run) -> None:
    """Add what its tables need.

    Args:
        context: Alembic's.
        connection: in the revision's transaction; None where SQL is printed.
        run: knows what is missing.
    """
    altered = set(map(quoted, run.altered))
    for (table, name), definition in run.keys.items():
        if connection is None:
            context.impl.execute(ddl.sql(f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}"))
        else:
            # Nobody can use an altered table before the COMMIT, and its rows may still refuse to be.
            add_constraint(connection, table, name, definition, now=table in altered)
    run.keys.clear()
    if connection is not None:
        _put_back_indexes(connection, run)
        _refuse_bereft(connection, context.impl, run)


def _put_back_indexes(connection: Connection, run: Run) -> None:
    for name, sql in run.indexes.items():
        if is_there(connection, name):
            continue
        try:
            with connection.begin_nested():  # a failure must not end the transaction
                connection.exec_driver_sql(sql)
        except DBAPIError as error:
            if is_lost(cause_of(error)):
                raise
            run.report(f"left out the index {name}, which does not fit its table any more: {sql}")
    run.indexes.clear()


def _refuse_bereft(connection: Connection, impl: Any, run: Run) -> None:
    """What referred to a table that is gone must be gone, too, or belong to a table that took another form."""
    altered = [quoted(name) for name in run.altered]
    for table, key in impl.bereft:
        if connection.exec_driver_sql(_IS_LEFT, (key.number, list(key.columns), altered)).first() is not None:
            raise MigrationError(
                f"{key.table} refers to {table}, which revision {run.revision} drops, and no schema knows of that",
                f"{run.outcome} If its rows may stay without: ALTER TABLE {key.table} DROP CONSTRAINT {quoted(key.name)};",
                "Run `soulspot-db migrate` again.",
                operation="migrate",
                revision=run.revision,
            )
    impl.bereft.clear()
