"""What hangs on a table and goes with it when it is dropped: triggers, indexes, the last key it gave."""

import re
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import MigrationError
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.run import Run

__all__ = ["Leftovers", "put_back_indexes"]

_HIDDEN_KEYS = ("rowid", "_rowid_", "oid")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Taken from a table before it is dropped.

    `counts_keys` says that it is AUTOINCREMENT, `sequence` is the last key it gave, `rowid` the name under which its
    hidden row ids can be had.
    """

    connection: Connection
    table: str
    triggers: dict[str, str]
    indexes: dict[str, str]
    columns: frozenset[str]
    counts_keys: bool
    sequence: int | None
    rowid: str | None

    @classmethod
    def of(cls, connection: Connection, table: str) -> "Leftovers":
        """Read them."""
        made = connection.exec_driver_sql(
            "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid",
            (table,),
        ).fetchall()
        texts = {kind: {name: sql for of, name, sql in made if of == kind} for kind in ("table", "trigger", "index")}
        counts_keys = any(re.search(r"\bAUTOINCREMENT\b", sql, re.IGNORECASE) for sql in texts["table"].values())
        sequence = None
        if counts_keys:
            sequence = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).scalar()
        return cls(
            connection,
            table,
            texts["trigger"],
            texts["index"],
            frozenset(row[1] for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})")),
            counts_keys,
            sequence,
            cls.rowid_of(connection, table),
        )

    @staticmethod
    def rowid_of(connection: Connection, table: str) -> str | None:
        """A name for the row ids that no column has taken; None where there are none."""
        listed = connection.exec_driver_sql("PRAGMA table_list").fetchall()
        if any(row[1] == table and row[4] for row in listed):
            return None
        taken = {str(row[1]).lower() for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})")}
        return next((name for name in _HIDDEN_KEYS if name not in taken), None)

    def put_back(self, run: Run) -> None:
        """Make triggers anew, and let no key be given twice. Indexes wait until the revision has made its own.

        Raises:
            MigrationError: a trigger cannot be made any more.
        """
        for name, sql in self.triggers.items():
            self._make(name, sql, run)
        run.indexes.update(self.indexes)
        if self.sequence is not None:
            # A table that was empty has no row there.
            self.connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (self.table,))
            self.connection.exec_driver_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", (self.table, self.sequence))

    def _make(self, name: str, sql: str, run: Run) -> None:
        try:
            self.connection.exec_driver_sql(sql)
        except DBAPIError as error:
            raise MigrationError(
                f"the trigger {name} of {self.table} cannot be made for the table's new form: {error.orig}",
                f"{run.outcome} Keep its text, then drop it: DROP TRIGGER {quoted(name)};",
                "Run `soulspot-db migrate` again, and make it anew for the table as it is then.",
                operation="migrate",
            ) from error


def put_back_indexes(connection: Connection, run: Run) -> None:
    """Make the indexes of rebuilt tables anew that the revision did not make: somebody made them by hand.

    Those that the revision removes it has dropped before. One that does not fit any more is reported and left out: no
    data are lost with it.
    """
    for name, sql in run.indexes.items():
        if connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).first() is None:
            try:
                connection.exec_driver_sql(sql)
            except DBAPIError as error:
                run.report(f"left out the index {name}, which was made by hand: {error.orig}")
    run.indexes.clear()
