"""What must not change while tables change: counted before, compared before COMMIT."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.version import PROGRESS_TABLE, VERSION_TABLE

__all__ = ["Witness"]

_NAME = r'("(?:[^"]|"")*"|\w+)'
_RENAME = re.compile(rf"\s*ALTER\s+TABLE\s+{_NAME}\s+RENAME\s+TO\s+{_NAME}[\s;]*", re.IGNORECASE)
_DROP = re.compile(rf"\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}[\s;]*", re.IGNORECASE)


class Witness:
    """Knows how many rows each table has, under whatever name, and which views and triggers work.

    Args:
        connection: in the transaction in which tables are about to change.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows = _counts(connection)
        self._broken = dict(_broken(connection))
        event.listen(connection, "before_cursor_execute", self._follow)

    def _follow(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # A table that is dropped on purpose has been asked about by its revision; one that is renamed is the same.
        if match := _RENAME.fullmatch(statement):
            old, new = map(_plain, match.groups())
            if old in self._rows:
                self._rows[new] = self._rows.pop(old)
        elif match := _DROP.fullmatch(statement):
            self._rows.pop(_plain(match[1]), None)

    def leave(self) -> None:
        """Look no longer."""
        event.remove(self._connection, "before_cursor_execute", self._follow)

    def verify(self, outcome: str) -> None:
        """Compare.

        Args:
            outcome: what a refusal leaves, in a sentence.

        Raises:
            MigrationError: rows are gone, or refer to nothing, or a view or trigger does not work any more.
        """
        for look in (self._lost, self._orphans, self._stopped):
            look(outcome)

    def _lost(self, outcome: str) -> None:
        after = _counts(self._connection)
        lost = {table: rows - after.get(table, 0) for table, rows in self._rows.items() if after.get(table, 0) < rows}
        if lost:
            raise _refusal(
                f"rows would be lost that no revision says it loses: {', '.join(f'{n} of {t}' for t, n in lost.items())}",
                outcome,
                "Report this: revisions that change tables keep their rows.",
            )

    def _orphans(self, outcome: str) -> None:
        broken = self._connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            tables = Counter(str(row[0]) for row in broken)
            raise _refusal(
                f"rows refer to rows that do not exist: {', '.join(f'{n} of {t}' for t, n in sorted(tables.items()))}",
                f"{outcome} Correct or delete these rows, then run `soulspot-db migrate` again.",
                "List them with: PRAGMA foreign_key_check;",
            )

    def _stopped(self, outcome: str) -> None:
        for what, reason in _broken(self._connection):
            if what not in self._broken:
                raise _refusal(
                    f"{what} was made by hand and would stop working: {reason}",
                    f"{outcome} Keep its text, then drop it: {_drop(what)}",
                    "Run `soulspot-db migrate` again, and make it anew for the tables as they are then.",
                )


def _refusal(message: str, *steps: str) -> MigrationError:
    return MigrationError(message, *steps, operation="migrate")


def _counts(connection: Connection) -> dict[str, int]:
    names = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%'"
    ).scalars()
    count = "SELECT count(*) FROM "
    others = [name for name in names.all() if name not in {VERSION_TABLE, PROGRESS_TABLE}]
    return {name: connection.exec_driver_sql(count + quoted(name)).scalar_one() for name in others}


def _broken(connection: Connection) -> Iterator[tuple[str, str]]:
    """Views and triggers that SQLite cannot make sense of, each with the reason."""
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


def _drop(what: str) -> str:
    _the, kind, name = what.split(" ", 2)
    return f"DROP {kind.upper()} {quoted(name)};"


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
