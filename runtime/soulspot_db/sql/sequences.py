"""Sequences: they give a table's keys, and do not know which keys were given by somebody else."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ColumnElement

from soulspot_db.language.conditions import sql_text
from soulspot_db.sql.dialects import Dialect

__all__ = ["moved_to"]

_NONE = sa.literal_column("0", sa.Integer())


def moved_to(key: ColumnElement[Any], column: sa.Column[Any], dialect: Dialect) -> ColumnElement[Any]:
    """Moves the sequence of `column` to `key` if it is behind; this is `key` then, else null.

    Evaluated before the row is inserted, so that nobody is given its key meanwhile. Between the comparison and the move,
    which take a microsecond, others can be given keys beyond: that moves the sequence back, and the next key is refused
    because it is there. A lock against that would keep all who insert waiting.
    """
    key = sa.cast(key, sa.BigInteger())
    names = (dialect.compiler.identifier_preparer.format_table(column.table), column.name)
    found = sa.func.pg_get_serial_sequence(*(sa.literal_column(sql_text(name)) for name in names))
    sequence = sa.select(sa.cast(found, postgresql.REGCLASS()).label("name")).subquery("sequence")
    last = sa.func.coalesce(sa.func.pg_sequence_last_value(sequence.c.name), _NONE)
    return sa.select(sa.func.setval(sequence.c.name, key)).where(last < key).scalar_subquery()
