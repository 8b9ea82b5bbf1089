"""Where a run takes place: one SQLite file or one PostgreSQL database, and who looks after it between two turns."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from data import SAVED, TABLE
from servers import Address

__all__ = ["Place", "PostgresqlPlace", "SqlitePlace"]

ADDED = f"SELECT count(*) FROM {TABLE} WHERE entity_type = '{SAVED}'"
REMOVE = f"DELETE FROM {TABLE} WHERE entity_type = '{SAVED}'"


class Place(Protocol):
    """A database for all contestants."""

    kind: str
    url: str  # SQLAlchemy's
    settings: Mapping[str, Any]  # soulspot-db's

    def version(self) -> str:
        """What it is, for the report."""

    def clear(self) -> int:
        """Remove the rows that a workload added and leave no work behind for the next contestant: how many they were."""


@dataclass(frozen=True)
class SqlitePlace:
    """One file."""

    path: Path
    kind = "sqlite"

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.path}"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"database_path": self.path}

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def clear(self) -> int:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=30)) as connection:
            (added,) = connection.execute(ADDED).fetchone()
            if added:
                connection.execute(REMOVE)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(added)


@dataclass(frozen=True)
class PostgresqlPlace:
    """One database of a server."""

    server: Address
    database: str
    kind = "postgresql"

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://{self.server.user}@{self.server.host}:{self.server.port}/{self.database}"

    @property
    def settings(self) -> Mapping[str, Any]:
        server = self.server
        # The others write through the same server, but none of what is asked from memory.
        return {
            "database": f"{server.host}:{server.port}/{self.database}",
            "user": server.user,
            "single_instance": True,
        }

    def version(self) -> str:
        return f"PostgreSQL {self.server.psql('SHOW server_version', self.database)}"

    def clear(self) -> int:
        added = int(self.server.psql(ADDED, self.database))
        if added:
            self.server.psql(REMOVE, self.database)
            self.server.psql(f"VACUUM {TABLE}", self.database)
        return added
