"""What must not change while tables change: counted before, compared before COMMIT."""

import re
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.broken import broken
from soulspot_db.migrations.rebuild import PREFIX
from soulspot_db.migrations.version import PROGRESS_TABLE, VERSION_TABLE

__all__ = ["Witness"]

_NAME = r'("(?:[^"]|"")*"|\w+)'
_RENAME = re.compile(rf"\s*ALTER\s+TABLE\s+{_NAME}\s+RENAME\s+TO\s+{_NAME}[\s;]*", re.IGNORECASE)
_DROP = re.compile(rf"\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}[\s;]*", re.IGNORECASE)


class Witness:
    """Knows how many rows each table has, under whatever name, how many of them refer to nothing, and which views and
    triggers work.

    Args:
        connection: in the transaction in which tables are about to change.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows = _counts(connection)
        self._orphans = {table: _orphans_of(connection, table) for table in self._rows}
        self._gone: dict[str, str] = {}
        self._broken = dict(broken(connection))
        event.listen(connection, "before_cursor_execute", self._follow)

    def _follow(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if match := _RENAME.fullmatch(statement):
            old, new = map(_plain, match.groups())
            if old in self._rows:
                self._rows[new], self._orphans[new] = self._rows.pop(old), self._orphans.pop(old)
        elif match := _DROP.fullmatch(statement):
            self._drop(_plain(match[1]))

    def _drop(self, table: str) -> None:
        made = (
            "SELECT type, name FROM sqlite_master WHERE name = ? OR (type = 'trigger' AND tbl_name = ? COLLATE NOCASE)"
        )
        found = self._connection.exec_driver_sql(made, (PREFIX + table, table)).fetchall()
        if ("table", PREFIX + table) in map(tuple, found):
            return  # it is made anew: what has its name afterwards is the same, and its triggers are put back
        # A table that is dropped on purpose has been asked about by its revision.
        self._rows.pop(table, None)
        self._orphans.pop(table, None)
        self._gone |= {name: table for _kind, name in found}

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
        for look in (self._lost, self._torn, self._dropped, self._stopped):
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

    def _torn(self, outcome: str) -> None:
        # Another program's rows may have referred to nothing before, or in a way that SQLite cannot check.
        torn = []
        for table in _tables(self._connection):
            before, after = self._orphans.get(table, 0), _orphans_of(self._connection, table)
            if before is not None and (after is None or after > before):
                torn.append(f"{'some' if after is None else after - before} of {table}")
        if torn:
            raise _refusal(
                f"rows refer to rows that do not exist: {', '.join(sorted(torn))}",
                f"{outcome} Correct or delete these rows, then run `soulspot-db migrate` again.",
                "List them with: PRAGMA foreign_key_check;",
            )

    def _dropped(self, outcome: str) -> None:
        there = set(self._connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars())
        for name, table in self._gone.items():
            if name not in there:
                raise _refusal(
                    f"the trigger {name} was made by hand and would go with {table}, which is dropped",
                    f"{outcome} Keep its text, then drop it: {_drop(f'the trigger {name}')}",
                    "Run `soulspot-db migrate` again.",
                )

    def _stopped(self, outcome: str) -> None:
        for what, reason in broken(self._connection):
            if what not in self._broken:
                raise _refusal(
                    f"{what} was made by hand and would stop working: {reason}",
                    f"{outcome} Keep its text, then drop it: {_drop(what)}",
                    "Run `soulspot-db migrate` again, and make it anew for the tables as they are then.",
                )


def _refusal(message: str, *steps: str) -> MigrationError:
    return MigrationError(message, *steps, operation="migrate")


def _tables(connection: Connection) -> list[str]:
    names = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%'"
    ).scalars()
    return [name for name in names.all() if name not in {VERSION_TABLE, PROGRESS_TABLE}]


def _counts(connection: Connection) -> dict[str, int]:
    count = "SELECT count(*) FROM "
    return {name: connection.exec_driver_sql(count + quoted(name)).scalar_one() for name in _tables(connection)}


def _orphans_of(connection: Connection, table: str) -> int | None:
    try:
        return len(connection.exec_driver_sql(f"PRAGMA foreign_key_check({quoted(table)})").fetchall())
    except DBAPIError:
        return None  # it refers to something that is not unique


def _drop(what: str) -> str:
    _the, kind, name = what.split(" ", 2)
    return f"DROP {kind.upper()} {quoted(name)};"


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
