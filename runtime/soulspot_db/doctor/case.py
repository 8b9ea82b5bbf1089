"""What every check is given: which database, what it should have, and a connection that only reads."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from soulspot_db.copies.files import files_of
from soulspot_db.engine.base import Rows
from soulspot_db.migrations import sqlite_catalog
from soulspot_db.migrations.live import expected_structure, read_structure
from soulspot_db.migrations.postgresql import catalog
from soulspot_db.migrations.structure import Structure
from soulspot_db.settings import DatabaseSettings

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """One database.

    Args:
        settings: which it is.
        migrations: the folder that says what it should have; None where there is none.
        link: a connection that changes nothing; None for who looks from outside.
    """

    settings: DatabaseSettings
    migrations: Path | None
    link: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection, for the checks that have one."""
        if self.link is None:
            raise TypeError("this check is in the table of those that have no connection")
        return self.link

    def ask(self, sql: str, *values: Any) -> Rows:
        """The rows of a statement that only reads."""
        return [tuple(row) for row in self.connection.exec_driver_sql(sql, values or None)]

    @property
    def files(self) -> list[Path]:
        """The SQLite file and those that SQLite keeps beside it, of which there are any."""
        return files_of(self.settings.database_path)

    @cached_property
    def tables(self) -> list[str]:
        """All tables that there are."""
        if self.settings.database_type == "postgresql":
            return catalog.table_names(self.connection)
        return sqlite_catalog.table_names(self.connection)

    @cached_property
    def found(self) -> Structure:
        """The tables as they are, but for those of migrations. Of a file with other programs' tables too, ours alone."""
        found = read_structure(self.connection)
        return {name: table for name, table in found.items() if name in self.expected or not self.expected}

    @cached_property
    def expected(self) -> Structure:
        """The tables as the newest revision leaves them, in SQLite's spelling; none where nobody knows."""
        return {} if self.migrations is None else expected_structure(self.migrations / "snapshot")
