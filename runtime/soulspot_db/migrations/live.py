"""The tables that a database has, and those that it should have, read in the same way."""

import json
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from soulspot_db.migrations import sqlite_catalog
from soulspot_db.migrations.postgresql import catalog as postgresql_catalog
from soulspot_db.migrations.structure import Structure
from soulspot_db.migrations.version import LATER_TABLE, PROGRESS_TABLE, VERSION_TABLE
from soulspot_db.sql.tables import make_table

__all__ = ["expected_structure", "read_structure"]


def read_structure(connection: Connection) -> Structure:
    """The tables of a database, but for SQLite's own, ours, and archives."""
    catalog = postgresql_catalog if connection.dialect.name == "postgresql" else sqlite_catalog
    names = [name for name in catalog.table_names(connection) if not _is_ours(name)]
    return {name: catalog.read_table(connection, name) for name in names}


def expected_structure(snapshot: Path, server: Connection | None = None) -> Structure:
    """The tables that a snapshot describes: made elsewhere, and read back as any others.

    Args:
        snapshot: the folder with a JSON file for each entity.
        server: in no transaction; a PostgreSQL server on which they are made and undone. By default they are made in
            SQLite's memory.
    """
    metadata = sa.MetaData()
    tables = [make_table(json.loads(path.read_bytes()), metadata) for path in sorted(snapshot.rglob("*.json"))]
    if server is not None:
        with postgresql_catalog.scratch_schema(server):
            postgresql_catalog.create(server, tables)
            return read_structure(server)
    engine = sa.create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            for table in tables:
                connection.execute(CreateTable(table))
                for index in table.indexes:
                    connection.execute(CreateIndex(index))
            return read_structure(connection)
    finally:
        engine.dispose()


def _is_ours(name: str) -> bool:
    return name in {VERSION_TABLE, PROGRESS_TABLE, LATER_TABLE} or name.startswith("archived_")
