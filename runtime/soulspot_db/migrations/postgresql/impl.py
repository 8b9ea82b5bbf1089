"""Alembic's operations on PostgreSQL, where they must differ from what it does by itself."""

from typing import Any

import sqlalchemy as sa
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.runtime.migration import MigrationContext
from sqlalchemy.schema import CreateIndex

from soulspot_db import ddl
from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.language.indexes import constraint_name
from soulspot_db.migrations.postgresql.catalog import is_there
from soulspot_db.migrations.postgresql.later import has_rows, make_later
from soulspot_db.migrations.postgresql.referring import Referring, referring
from soulspot_db.migrations.run import Run

__all__ = ["Impl", "foreign_key", "use"]

_PRIMARY_KEY = "SELECT conname::text FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'"


class Impl(PostgresqlImpl):
    """Foreign keys come at the end of a revision, because they may go in circles; indexes of full tables after it.

    `bereft` are foreign keys of tables that stay, each after the name of the table that it referred to, which is gone.
    """

    run: Run
    bereft: list[tuple[str, Referring]]

    def create_table(self, table: sa.Table, **options: Any) -> None:
        """Make a table."""
        super().create_table(table, include_foreign_key_constraints=[], **options)
        for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
            self.run.keys[quoted(table.name), str(key.name)] = foreign_key(key)

    def drop_table(self, table: sa.Table, **options: Any) -> None:
        """Drop a table, and the foreign keys of others that refer to it: the end of the revision looks at their columns."""
        if self.connection is not None and not self.as_sql:
            for key in referring(self.connection, table.name):
                key.drop(self.connection)
                self.bereft.append((table.name, key))
        super().drop_table(table, **options)

    def rename_table(self, old_table_name: str, new_table_name: Any, schema: Any = None) -> None:
        """Rename a table and the index of its primary key, whose name another table may want."""
        key: str | None = constraint_name("pk", old_table_name)
        if self.connection is not None and not self.as_sql:
            key = self.connection.exec_driver_sql(_PRIMARY_KEY, (quoted(old_table_name),)).scalar()
        super().rename_table(old_table_name, new_table_name, schema)
        if key is not None:
            to = constraint_name("pk", str(new_table_name))
            self.execute(
                ddl.sql(f"ALTER TABLE {quoted(new_table_name)} RENAME CONSTRAINT {quoted(key)} TO {quoted(to)}")
            )

    def create_index(self, index: sa.Index, **options: Any) -> None:
        """Make an index.

        That of a table with rows is made after the COMMIT, unless it is unique: rows must never be without such a one.
        """
        table, name = str(index.table.name if index.table is not None else ""), str(index.name)
        if self.connection is None or self.as_sql:
            super().create_index(index, **options)
        elif is_there(self.connection, name):
            if table not in self.run.altered:  # SQLite makes the indexes of a table anew with the table
                raise _taken(name, self.run)
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
    impl.run, impl.bereft = run, []
    context.impl = impl


def foreign_key(key: sa.ForeignKeyConstraint) -> str:
    """A foreign key as SQL, without its name."""
    target, _, column = key.elements[0].target_fullname.rpartition(".")
    action = f" ON DELETE {key.ondelete}" if key.ondelete else ""
    return f"FOREIGN KEY ({quoted(key.column_keys[0])}) REFERENCES {quoted(target)} ({quoted(column)}){action}"


def _taken(name: str, run: Run) -> MigrationError:
    return MigrationError(
        f"there is an index {name} already, which no revision has made",
        f"{run.outcome} Drop it: DROP INDEX {quoted(name)};",
        "Run `soulspot-db migrate` again.",
        operation="migrate",
        revision=run.revision,
    )
