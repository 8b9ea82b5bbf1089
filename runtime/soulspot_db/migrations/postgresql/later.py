"""What is put off until after the COMMIT, because it takes long and then keeps nobody waiting: indexes of tables that have
rows, and the look at rows that were there before a column with a constraint.

It is written down in the transaction that needs it, so that the next run goes on after one that was stopped.
"""

from sqlalchemy import Connection

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.postgresql.catalog import is_there
from soulspot_db.migrations.version import LATER_TABLE

__all__ = ["add_constraint", "has_rows", "make_later", "put_off"]

_CREATE = f"""
CREATE TABLE IF NOT EXISTS {LATER_TABLE}
(number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, statement text NOT NULL)
"""


def has_rows(connection: Connection, table: str) -> bool:
    """Whether there are any; a table without is not worth a second step.

    Args:
        connection: any.
        table: the table in SQL, quoted where it must be.
    """
    return connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1").first() is not None  # noqa: S608


def make_later(connection: Connection, name: str, statement: str) -> None:
    """Have a statement run after the COMMIT.

    Args:
        connection: in the transaction.
        name: of the index or constraint.
        statement: `CREATE INDEX ...` or `ALTER TABLE ... VALIDATE CONSTRAINT ...`.
    """
    connection.exec_driver_sql(_CREATE)
    connection.exec_driver_sql(f"INSERT INTO {LATER_TABLE} (name, statement) VALUES ($1, $2)", (name, statement))  # noqa: S608


def add_constraint(connection: Connection, table: str, name: str, definition: str, *, now: bool) -> None:
    """Add a CHECK or foreign key.

    Args:
        connection: in the transaction.
        table: the table in SQL, quoted where it must be.
        name: of the constraint.
        definition: its SQL, without the name.
        now: whether rows that are there already are looked at in the transaction, so that they may still refuse it;
            else after the COMMIT, for a table that others go on to use.
    """
    add = f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}"
    if now or not has_rows(connection, table):
        connection.exec_driver_sql(add)
    else:
        connection.exec_driver_sql(f"{add} NOT VALID")
        make_later(connection, name, f"ALTER TABLE {table} VALIDATE CONSTRAINT {quoted(name)}")


def put_off(connection: Connection) -> list[tuple[int, str, str]]:
    """What is still to be done, in order: a number, the name of an index or constraint, and the statement."""
    if not is_there(connection, LATER_TABLE):
        return []
    rows = connection.exec_driver_sql(f"SELECT number, name, statement FROM {LATER_TABLE} ORDER BY number")  # noqa: S608
    return [(number, name, statement) for number, name, statement in rows]
