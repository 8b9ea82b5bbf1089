"""A new column of a PostgreSQL table, with its constraints."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateColumn

from soulspot_db import ddl
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.impl import foreign_key
from soulspot_db.migrations.postgresql.later import add_constraint
from soulspot_db.migrations.run import Run, is_offline

__all__ = ["add_column_on_server"]


def add_column_on_server(table: str, column: sa.Column[object], constraints: Sequence[sa.Constraint], run: Run) -> None:
    """Add it; rows that exist are looked at after the COMMIT, and foreign keys come at the end of the revision.

    Args:
        table: the table.
        column: in a `sa.Table` of its own.
        constraints: CHECKs and foreign keys about this column.
        run: told of the foreign keys.
    """
    dialect = op.get_context().dialect
    op.execute(ddl.sql(f"ALTER TABLE {quoted(table)} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"))
    for constraint in constraints:
        name = str(constraint.name)
        if isinstance(constraint, sa.ForeignKeyConstraint):
            run.keys[quoted(table), name] = foreign_key(constraint)
        elif definition := _check(column, constraint, dialect):
            if is_offline():
                op.execute(ddl.sql(f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} {definition}"))
            else:
                add_constraint(op.get_bind(), quoted(table), name, definition, now=False)


def _check(column: sa.Column[object], constraint: sa.Constraint, dialect: Any) -> str:
    """A CHECK without its name; nothing where it is meant for another database."""
    # In a table of its own, because it is there that `ddl_if` is looked at.
    holder = sa.Table("holder", sa.MetaData(), sa.Column(column.name, sa.Text()), constraint)
    text: str = dialect.ddl_compiler(dialect, None).create_table_constraints(holder)
    return text[text.index("CHECK") :] if text else ""
