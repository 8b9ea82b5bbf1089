"""Views and triggers that SQLite cannot make sense of, because of what they name."""

from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.language.conditions import quoted

__all__ = ["broken"]


def broken(connection: Connection) -> Iterator[tuple[str, str]]:
    """Each of them, such as `the view titles`, with the reason."""
    made = connection.exec_driver_sql("SELECT type, name, tbl_name FROM sqlite_master ORDER BY name").fetchall()
    for kind, name, _table in made:
        if kind == "view" and (reason := _reason(connection, f"SELECT * FROM {quoted(name)} LIMIT 0")):  # noqa: S608
            yield f"the view {name}", reason
    tables = {name for kind, name, _table in made if kind == "table"}
    for kind, name, table in made:
        if kind == "trigger" and table in tables and (reason := _reason_of_trigger(connection, table)):
            yield f"the trigger {name}", reason


def _reason_of_trigger(connection: Connection, table: str) -> str | None:
    # What a trigger does is looked at when a statement that fires it is prepared, which EXPLAIN does and no more.
    names = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    assignments = ", ".join(f"{quoted(row[1])} = {quoted(row[1])}" for row in names if not row[6])
    target = quoted(table)
    statements = (
        f"INSERT INTO {target} DEFAULT VALUES",
        f"UPDATE {target} SET {assignments}",  # noqa: S608
        f"DELETE FROM {target}",  # noqa: S608
    )
    return next((found for sql in statements if (found := _reason(connection, f"EXPLAIN {sql}"))), None)


def _reason(connection: Connection, sql: str) -> str | None:
    try:
        connection.exec_driver_sql(sql).close()
    except DBAPIError as error:
        return str(error.orig)
    return None
