"""What is done after the COMMIT, because it takes long and then keeps nobody waiting: indexes of tables that have rows,
and the look at rows that were there before a constraint.

It is written down in the transaction that needs it, so that the next run goes on after one that was stopped.
"""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.version import LATER_TABLE

__all__ = ["add_constraint", "catch_up", "has_rows", "make_later", "work_off"]

_CREATE = f"""
CREATE TABLE IF NOT EXISTS {LATER_TABLE}
(number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, statement text NOT NULL)
"""
_INVALID = """
SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.oid = to_regclass($1)
"""


def has_rows(connection: Connection, table: str) -> bool:
    """Whether there are any; a table without is not worth a second step."""
    return connection.exec_driver_sql(f"SELECT 1 FROM {quoted(table)} LIMIT 1").first() is not None  # noqa: S608


def make_later(connection: Connection, name: str, statement: str) -> None:
    """Have a statement run after the COMMIT.

    Args:
        connection: in the transaction.
        name: of the index or constraint.
        statement: `CREATE INDEX ...` or `ALTER TABLE ... VALIDATE CONSTRAINT ...`.
    """
    connection.exec_driver_sql(_CREATE)
    connection.exec_driver_sql(f"INSERT INTO {LATER_TABLE} (name, statement) VALUES ($1, $2)", (name, statement))  # noqa: S608


def add_constraint(connection: Connection, table: str, name: str, definition: str) -> None:
    """Add a CHECK or foreign key; rows that are there already are looked at after the COMMIT."""
    add = f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} {definition}"
    if has_rows(connection, table):
        connection.exec_driver_sql(f"{add} NOT VALID")
        make_later(connection, name, f"ALTER TABLE {quoted(table)} VALIDATE CONSTRAINT {quoted(name)}")
    else:
        connection.exec_driver_sql(add)


def catch_up(connection: Connection) -> None:
    """Do now what was put off: the next revision may rename or drop what it is about."""
    if not _is_there(connection):
        return
    for _number, name, statement in _waiting(connection):
        if _needs_making(connection, name, statement, "DROP INDEX"):
            connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"DROP TABLE {LATER_TABLE}")


def work_off(connection: Connection, patience: float) -> None:
    """Do what was put off, each on its own.

    Args:
        connection: in no transaction.
        patience: seconds that other transactions are waited for; they are not kept waiting.

    Raises:
        MigrationError: something failed; what is left is done by the next run.
    """
    if not _is_there(connection):
        return
    connection.exec_driver_sql(f"SET lock_timeout = {round(1000 * patience)}")
    for number, name, statement in _waiting(connection):
        try:
            if _needs_making(connection, name, statement, "DROP INDEX CONCURRENTLY"):
                connection.exec_driver_sql(statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1))
        except DBAPIError as error:
            code = getattr(getattr(error.orig, "__cause__", None), "sqlstate", "")
            raise MigrationError(
                f"the revisions are applied, and {name} is not finished: {_reason(code)}",
                "Run `soulspot-db migrate` again: it goes on there.",
                operation="migrate",
                query=statement,
            ) from error
        connection.exec_driver_sql(f"DELETE FROM {LATER_TABLE} WHERE number = {number}")  # noqa: S608
    connection.exec_driver_sql(f"DROP TABLE {LATER_TABLE}")


def _is_there(connection: Connection) -> bool:
    return connection.exec_driver_sql(f"SELECT to_regclass('{LATER_TABLE}')::text").scalar() is not None


def _waiting(connection: Connection) -> list[tuple[int, str, str]]:
    rows = connection.exec_driver_sql(f"SELECT number, name, statement FROM {LATER_TABLE} ORDER BY number")  # noqa: S608
    return [(number, name, statement) for number, name, statement in rows]


def _needs_making(connection: Connection, name: str, statement: str, drop: str) -> bool:
    """False for an index that is there; one that a run has left unfinished is removed."""
    if not statement.startswith("CREATE"):
        return True
    is_valid = connection.exec_driver_sql(_INVALID, (quoted(name),)).scalar()
    if is_valid is False:
        connection.exec_driver_sql(f"{drop} {quoted(name)}")
    return not is_valid


def _reason(code: str) -> str:
    return {
        "55P03": "another transaction kept it waiting",
        "23503": "rows refer to rows that do not exist, which were written meanwhile",
        "23514": "rows do not fulfil it, which were written meanwhile",
    }.get(code, f"PostgreSQL's error {code}")
