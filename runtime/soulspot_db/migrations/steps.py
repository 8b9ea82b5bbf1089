"""What revisions are written with, beside Alembic's own operations. They are frozen: applied revisions call them."""

from collections.abc import Sequence
from typing import Any, NoReturn

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateColumn

from soulspot_db import ddl
from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.batches import batches
from soulspot_db.migrations.first import first
from soulspot_db.migrations.postgresql.columns import add_column_on_server
from soulspot_db.migrations.rebuild import rebuild_table
from soulspot_db.migrations.run import current_run, is_offline

__all__ = ["add_column", "archive", "batches", "first", "rebuild_table", "refuse_to_go_back", "to_be_encrypted"]


def archive(table: str, select: str) -> None:
    """Keep what is about to be dropped in a table that nothing but a person reads.

    Args:
        table: its name, `archived_...`; it is not made where there is nothing to keep.
        select: what to keep.

    Raises:
        MigrationError: there is a table of this name.
    """
    if not is_offline():
        bind = op.get_bind()
        if sa.inspect(bind).has_table(table):
            raise MigrationError(
                f"there is a table {table} already, and what is archived must not be mixed with it",
                f"Rename it: ALTER TABLE {quoted(table)} RENAME TO {quoted(table + '_old')};",
                current_run().outcome,
                operation="migrate",
            )
        if bind.exec_driver_sql(f"SELECT 1 FROM ({select}) AS found LIMIT 1").first() is None:  # noqa: S608
            return
    op.execute(ddl.sql(f"CREATE TABLE {quoted(table)} AS {select}"))


def add_column(table: str, column: sa.Column[object], *constraints: sa.Constraint) -> None:
    """Add a column together with its CHECKs and its foreign key, which SQLite takes with the column or never.

    Args:
        table: the table.
        column: nullable, or with a server default.
        constraints: `ddl.check(...)` and `sa.ForeignKeyConstraint`, about this column alone.
    """
    dialect = op.get_context().dialect
    sa.Table(table, sa.MetaData(), column)
    if dialect.name == "postgresql":
        add_column_on_server(table, column, constraints, current_run())
        return
    parts = [str(CreateColumn(column).compile(dialect=dialect))]
    for constraint in constraints:
        if isinstance(constraint, sa.ForeignKeyConstraint):
            parts.append(_reference(constraint))
        else:
            # In a table of its own, because it is there that `ddl_if` is looked at.
            holder = sa.Table(table, sa.MetaData(), sa.Column(column.name, sa.Text()), constraint)
            compiler: Any = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]
            parts.append(compiler.create_table_constraints(holder))
    op.execute(ddl.sql(f"ALTER TABLE {quoted(table)} ADD COLUMN {' '.join(part for part in parts if part)}"))


def to_be_encrypted(table: str, columns: Sequence[str]) -> None:
    """Say what is left to do where there are values that are still plain: a migration has no keys.

    Args:
        table: the table.
        columns: the columns whose values are encrypted from this revision on.
    """
    if is_offline():
        return
    any_value = " OR ".join(f"{quoted(column)} IS NOT NULL" for column in columns)
    found = f"SELECT 1 FROM {quoted(table)} WHERE {any_value} LIMIT 1"  # noqa: S608
    if op.get_bind().exec_driver_sql(found).first() is not None:
        current_run().report(f"{', '.join(columns)} of {table} are still plain: run `soulspot-db keys rotate` next")


def _reference(constraint: sa.ForeignKeyConstraint) -> str:
    target, _, key = constraint.elements[0].target_fullname.rpartition(".")
    action = f" ON DELETE {constraint.ondelete}" if constraint.ondelete else ""
    return f"CONSTRAINT {quoted(str(constraint.name))} REFERENCES {quoted(target)} ({quoted(key)}){action}"


def refuse_to_go_back(why: str) -> NoReturn:
    """End a downgrade that would have to make up what is gone.

    Args:
        why: in words, such as "it dropped old of tracks".

    Raises:
        MigrationError: always.
    """
    run = current_run()
    backup = (
        "a backup of your own from before it, because alembic makes none"
        if run.by_alembic
        else "the backup that was made before it"
    )
    raise MigrationError(
        f"revision {run.revision} cannot be undone: {why}",
        f"Restore {backup}; what was written since is not in it.",
        run.outcome,
        operation="migrate",
        revision=run.revision,
    )
