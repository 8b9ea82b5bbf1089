"""The migration runner for SQLite: one migrates, who comes second waits and finds it done."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from soulspot_db.engine.sqlite_errors import translate
from soulspot_db.engine.sqlite_peek import require_usable
from soulspot_db.errors import MigrationError, SchemaAheadError
from soulspot_db.migrations.version import VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["Status", "migrate", "status"]

# Alembic keeps the running environment in module globals, so two threads must not migrate at once.
_alembic = threading.Lock()


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database is in the history: `current` is None before the first revision."""

    current: str | None
    head: str | None
    pending: tuple[tuple[str, str], ...]
    ahead: bool = False


def _config(folder: Path) -> Config:
    config = Config()
    # Alembic reads its options with %-interpolation.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _script(folder: Path) -> ScriptDirectory:
    if not (folder / "env.py").is_file():
        raise MigrationError(
            f"{folder} is not a migrations folder",
            "Check `migrations` in the [tool.soulspot-db] section of pyproject.toml.",
            operation="migrate",
        )
    return ScriptDirectory.from_config(_config(folder))


async def status(settings: DatabaseSettings, folder: Path) -> Status:
    """Compare the database with the revisions in `folder`; a file that does not exist is not created."""
    script = _script(folder)
    current = None
    if settings.database_path.exists():
        async with _connect(settings) as connection:
            current = await connection.run_sync(_current)
    return _compare(script, current)


async def migrate(
    settings: DatabaseSettings, folder: Path, report: Callable[[str], None] = lambda _line: None
) -> Status:
    """Bring the database to the newest revision; all pending revisions, or none.

    Args:
        settings: which database.
        folder: the migrations folder.
        report: told of every revision before it runs.

    Returns:
        The state afterwards.

    Raises:
        SchemaAheadError: the database has a revision that `folder` does not know.
        MigrationError: a revision failed; the database is as it was.
    """
    script = _script(folder)
    async with _connect(settings) as connection:
        # Inside a transaction this pragma is ignored, and rebuilding a table would then delete its children.
        await connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        # The lock: a second starter waits here, and reads the version only when the first is done.
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            await connection.run_sync(_upgrade, script, folder, report)
            await connection.exec_driver_sql("COMMIT")
        except BaseException:
            await connection.exec_driver_sql("ROLLBACK")
            raise
        return _compare(script, await connection.run_sync(_current))


def _upgrade(connection: Connection, script: ScriptDirectory, folder: Path, report: Callable[[str], None]) -> None:
    state = _compare(script, _current(connection))
    if state.ahead:
        raise ahead(state)
    if not state.pending:
        return
    for revision, title in state.pending:
        report(f"{revision}  {title}")
    config = _config(folder)
    config.attributes["connection"] = connection
    try:
        with _alembic:
            command.upgrade(config, "head")
    except (DBAPIError, CommandError) as error:
        raise MigrationError(
            f"the migration failed: {getattr(error, 'orig', None) or error}",
            "Nothing was changed. Correct what the message names and run `soulspot-db migrate` again.",
            operation="migrate",
        ) from error
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise MigrationError(
            f"{len(broken)} rows would refer to rows that do not exist, in {tables}",
            "Nothing was changed. Correct or delete these rows and run `soulspot-db migrate` again.",
            operation="migrate",
        )


def ahead(state: Status) -> SchemaAheadError:
    """The error for a database whose revision these migrations do not know."""
    return SchemaAheadError(
        f"the database is at revision {state.current}, which this version of the code does not know",
        "Start the version that wrote it, or a newer one.",
        "Or restore a backup from before the upgrade.",
        current=state.current,
        head=state.head,
    )


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def _compare(script: ScriptDirectory, current: str | None) -> Status:
    revisions = list(reversed(list(script.walk_revisions())))
    known = [revision.revision for revision in revisions]
    head = known[-1] if known else None
    if current is not None and current not in known:
        return Status(current, head, (), ahead=True)
    start = known.index(current) + 1 if current is not None else 0
    pending = tuple((revision.revision, _title(revision.doc)) for revision in revisions[start:])
    return Status(current, head, pending)


def _title(doc: Any) -> str:
    return str(doc or "").strip().partition("\n")[0]


@asynccontextmanager
async def _connect(settings: DatabaseSettings) -> AsyncIterator[Any]:
    # SQLAlchemy's driver leaves a thread behind where it cannot connect, so that is found out without it.
    require_usable(settings.database_path, timeout=settings.pool_timeout)
    engine = create_async_engine(
        settings.database_url, isolation_level="AUTOCOMMIT", connect_args={"timeout": settings.pool_timeout}
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1 FROM sqlite_master"))
            yield connection
    except DBAPIError as error:
        raise translate(error.orig or error, error.statement or "", str(settings.database_path)) from error
    finally:
        await engine.dispose()
