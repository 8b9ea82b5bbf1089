"""What `Database` does before it opens: compare the database's revision with the one the code needs."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing

from soulspot_db.errors import MigrationRequiredError
from soulspot_db.settings import DatabaseSettings

__all__ = ["require_heads"]


async def require_heads(settings: DatabaseSettings, heads: Mapping[str, str]) -> None:
    """Return if the database is at a revision that the code was generated for, or can be brought there.

    Raises:
        MigrationRequiredError: it is behind, and `auto_migrate` is off.
        SchemaAheadError: it is ahead.
    """
    current = _current(settings)
    if current in heads.values():
        return
    from soulspot_db.migrations.locate import locate_migrations  # noqa: PLC0415 - Alembic is needed only now
    from soulspot_db.migrations.runner import ahead, migrate, status  # noqa: PLC0415

    folder = locate_migrations()
    if settings.auto_migrate:
        await migrate(settings, folder)
        return
    state = await status(settings, folder)
    if state.ahead:
        raise ahead(state)
    raise MigrationRequiredError(
        f"the database {settings.database_path} is at revision {current or 'none'}; "
        f"the code needs {', '.join(sorted(heads.values()))}",
        f"Run: DATABASE={settings.database_path} soulspot-db migrate",
        "Or set DATABASE_AUTO_MIGRATE=true to have it done at every start.",
        current=current,
        head=state.head,
    )


def _current(settings: DatabaseSettings) -> str | None:
    """The revision, read with the plain driver, so that the usual start imports no Alembic."""
    path = settings.database_path.absolute()
    if not path.is_file():
        return None
    try:
        with closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=settings.pool_timeout)
        ) as connection:
            row = connection.execute("SELECT version_num FROM soulspot_db_version").fetchone()
    except sqlite3.Error:
        # No such table, or no database at all: whoever opens it next says which.
        return None
    return str(row[0]) if row else None
