"""Alembic's operations on PostgreSQL, where they must differ from what it does by itself."""

from typing import Any

import sqlalchemy as sa
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.later import has_rows, make_later
from soulspot_db.migrations.run import Run

__all__ = ["Impl", "foreign_key", "use"]

_REFERRING = """
SELECT c.relname::text, k.conname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND k.confrelid = to_regclass($1) AND k.conrelid <> k.confrelid
"""


class Impl(PostgresqlImpl):
    """Foreign keys come at the end of a revision, because they may go in circles; indexes of full tables after it."""

    run: Run

    def create_table(self, table: sa.Table, **options: Any) -> None:
        """Make a table."""
        super().create_table(table, include_foreign_key_constraints=[], **options)
        for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
            self.run.keys[table.name, str(key.name)] = foreign_key(key)

    def drop_table(self, table: sa.Table, **options: Any) -> None:
        """Drop a table, and the foreign keys of others that refer to it: their columns go with this revision, too."""
        if self.connection is not None and not self.as_sql:
            referring = self.connection.exec_driver_sql(_REFERRING, (quoted(table.name),)).fetchall()
            for other, name in referring:
                self.connection.exec_driver_sql(f"ALTER TABLE {quoted(other)} DROP CONSTRAINT {quoted(name)}")
        super().drop_table(table, **options)

    def create_index(self, index: sa.Index, **options: Any) -> None:
        """Make an index.

        That of a table with rows is made after the COMMIT, unless it is unique: rows must never be without such a one.
        """
        table, name = str(index.table.name if index.table is not None else ""), str(index.name)
        if self.connection is None or self.as_sql:
            super().create_index(index, **options)
        elif table in self.run.altered and _exists(self.connection, name):
            return  # SQLite makes the indexes of a table anew with the table
        elif index.unique or not has_rows(self.connection, table):
            super().create_index(index, **options)
        else:
            make_later(self.connection, name, str(CreateIndex(index, **options).compile(dialect=self.dialect)))


def use(context: MigrationContext, run: Run) -> None:
    """Have the operations of a run done by an `Impl`."""
    other = context.impl
    impl = Impl(
        other.dialect,
        other.connection,
        other.as_sql,
        context.transactional_ddl,
        other.output_buffer,
        other.context_opts,
    )
    impl.run = run
    context.impl = impl


def foreign_key(key: sa.ForeignKeyConstraint) -> str:
    """A foreign key as SQL, without its name."""
    target, _, column = key.elements[0].target_fullname.rpartition(".")
    action = f" ON DELETE {key.ondelete}" if key.ondelete else ""
    return f"FOREIGN KEY ({quoted(key.column_keys[0])}) REFERENCES {quoted(target)} ({quoted(column)}){action}"


def _exists(connection: Connection, name: str) -> bool:
    return connection.exec_driver_sql("SELECT to_regclass($1)::text", (quoted(name),)).scalar() is not None
