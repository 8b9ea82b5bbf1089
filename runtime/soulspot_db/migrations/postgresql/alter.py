"""A table in another form, on PostgreSQL: altered where it is, from what it is to what it should be."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations.ops import CreateTableOp
from sqlalchemy import Connection
from sqlalchemy.schema import CreateTable

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.catalog import is_there, read_table
from soulspot_db.migrations.postgresql.constraints import Constraints
from soulspot_db.migrations.run import Run
from soulspot_db.migrations.structure import SERIAL, Column, TableStructure

__all__ = ["alter_table"]

_SCRATCH = "_soulspot_rebuild"
# Indexes that mention columns: through an expression or a condition, or in any way.
_INDEXES = """
SELECT DISTINCT c.relname::text, pg_get_indexdef(i.indexrelid),
       i.indexprs IS NOT NULL OR i.indpred IS NOT NULL, a.attname::text
FROM pg_depend d JOIN pg_index i ON i.indexrelid = d.objid JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refobjid = to_regclass($1) AND NOT i.indisprimary
ORDER BY 1
"""


def alter_table(
    name: str,
    items: Sequence[sa.schema.SchemaItem],
    values: Mapping[str, str],
    without: Collection[str] | None,
    run: Run,
) -> None:
    """Give a table a new form.

    Args:
        name: the table.
        items: all columns and constraints that it is to have.
        values: SQL over the old columns, for those that are not taken over as they are.
        without: the columns that are dropped; None for all that are not among the items.
        run: told of what is put back at the end of the revision.
    """
    bind = op.get_bind()
    change = _Change(bind, name, read_table(bind, name), _as_the_server_writes_it(bind, items), values)
    wanted = CreateTableOp(name, list(items)).to_table(op.get_context())
    left = [column for column in change.before.columns if column not in change.after.columns]
    gone = left if without is None else [column for column in left if column in without]
    _set_indexes_aside(bind, name, gone, change.retyped, run)
    constraints = Constraints(bind, wanted, change.before, change.after.checks, change.retyped, run=run)
    constraints.drop()
    for column in gone:
        change.alter(f"DROP COLUMN {quoted(column)}")
    change.retype(wanted)
    change.add(wanted)
    change.fill()
    change.settle(wanted.autoincrement_column)
    constraints.add()
    run.altered.add(name)


def _as_the_server_writes_it(bind: Connection, items: Sequence[sa.schema.SchemaItem]) -> TableStructure:
    """The columns and checks of a table, read back from one that is made and dropped."""
    kept = [item for item in items if isinstance(item, (sa.Column, sa.CheckConstraint))]
    bind.execute(CreateTable(sa.Table(_SCRATCH, sa.MetaData(), *kept)))
    found = read_table(bind, _SCRATCH)
    bind.exec_driver_sql(f"DROP TABLE {_SCRATCH}")
    return found


def _set_indexes_aside(bind: Connection, table: str, gone: Collection[str], retyped: Collection[str], run: Run) -> None:
    """Drop indexes that would go with a column, or whose SQL may not fit its new type; the end of the revision sees to them."""
    found = bind.exec_driver_sql(_INDEXES, (quoted(table),)).fetchall()
    aside = {index: sql for index, sql, is_sql, column in found if column in gone or (is_sql and column in retyped)}
    for index, sql in aside.items():
        bind.exec_driver_sql(f"DROP INDEX {quoted(index)}")
        run.indexes[index] = sql


class _Change:
    """The columns of a table, on their way."""

    def __init__(
        self, bind: Connection, name: str, before: TableStructure, after: TableStructure, values: Mapping[str, str]
    ) -> None:
        self._bind = bind
        self._name = name
        self.before = before
        self.after = after
        self._values = values
        self._now: dict[str, Column] = dict(before.columns)
        both = before.columns.keys() & after.columns.keys()
        self.retyped = {name for name in both if _kind(before.columns[name]) != _kind(after.columns[name])}

    def alter(self, *parts: str) -> None:
        """Run one ALTER TABLE."""
        if parts:
            self._bind.exec_driver_sql(f"ALTER TABLE {quoted(self._name)} {', '.join(parts)}")

    def retype(self, wanted: sa.Table) -> None:
        """Give columns their new types, all in one pass over the table."""
        columns = [name for name in self.after.columns if name in self.retyped]
        self.alter(*(f"ALTER {quoted(name)} DROP DEFAULT" for name in columns))
        self.alter(*(f"ALTER {quoted(name)} TYPE {self._type(wanted, name)}{self._using(name)}" for name in columns))

    def add(self, wanted: sa.Table) -> None:
        """Add new columns, empty."""
        new = [name for name in self.after.columns if name not in self.before.columns]
        self.alter(*(f"ADD {quoted(name)} {self._type(wanted, name)}" for name in new))

    def fill(self) -> None:
        """Give rows the values that they lack."""
        filled = {
            name: sql
            for name, sql in self._values.items()
            if name in self.after.columns and name not in self.retyped and sql not in {"NULL", quoted(name)}
        }
        if filled:
            sets = ", ".join(f"{quoted(name)} = {sql}" for name, sql in filled.items())
            where = " OR ".join(f"{quoted(name)} IS DISTINCT FROM ({sql})" for name, sql in filled.items())
            self._bind.exec_driver_sql(f"UPDATE {quoted(self._name)} SET {sets} WHERE {where}")  # noqa: S608

    def settle(self, serial: Any) -> None:
        """Set defaults, and whether columns may be null."""
        parts = []
        for name, after in self.after.columns.items():
            was = self.before.columns.get(name)
            default = None if was is None or name in self.retyped else was.default
            if serial is not None and serial.name == name:
                if default != SERIAL:
                    self._count(name)
            elif default != after.default:
                parts.append(
                    f"ALTER {quoted(name)} {f'SET DEFAULT {after.default}' if after.default else 'DROP DEFAULT'}"
                )
            if after.nullable != (was is None or was.nullable):
                parts.append(f"ALTER {quoted(name)} {'DROP' if after.nullable else 'SET'} NOT NULL")
        self.alter(*parts)

    def _count(self, column: str) -> None:
        """Let the server give a key its numbers, from the next one on."""
        table, name = quoted(self._name), quoted(column)

        def ask(sql: str, *values: str) -> Any:
            return self._bind.exec_driver_sql(sql, values).scalar()

        sequence = ask("SELECT pg_get_serial_sequence($1, $2)", table, column)
        if sequence is None:
            stem = f"{self._name}_{column}"[:50]
            names = (f"{stem}_seq{number or ''}" for number in range(1000))
            sequence = quoted(next(name for name in names if not is_there(self._bind, name)))
            self._bind.exec_driver_sql(f"CREATE SEQUENCE {sequence} OWNED BY {table}.{name}")
        # The next is the one behind `last`, or 1 where there is no key or only negative ones.
        last = f"coalesce(max({name}), 0)"
        self._bind.exec_driver_sql(f"SELECT setval('{sequence}', greatest({last}, 1), {last} > 0) FROM {table}")  # noqa: S608
        self.alter(f"ALTER {name} SET DEFAULT nextval('{sequence}')")

    def _type(self, wanted: sa.Table, name: str) -> str:
        return str(wanted.c[name].type.compile(self._bind.dialect))

    def _using(self, name: str) -> str:
        return f" USING {self._values[name]}" if name in self._values else ""


def _kind(column: Column) -> tuple[str, str]:
    return column.type, column.collation
