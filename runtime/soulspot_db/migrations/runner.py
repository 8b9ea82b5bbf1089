"""The migration runner for SQLite: one migrates, who comes second waits and finds it done."""

import asyncio
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import MigrationError, SchemaAheadError
from soulspot_db.migrations.connection import reading, writing
from soulspot_db.migrations.version import VERSION_TABLE
from soulspot_db.settings import DatabaseSettings

__all__ = ["Status", "ahead", "migrate", "status"]

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
    return await asyncio.to_thread(_status, settings, folder)


def _status(settings: DatabaseSettings, folder: Path) -> Status:
    settings.require_sqlite()
    script = _script(folder)
    current = None
    if settings.database_path.exists():
        with reading(settings) as connection:
            current = _current(connection)
    return _compare(script, current)


async def migrate(
    settings: DatabaseSettings, folder: Path, report: Callable[[str], None] = lambda _line: None
) -> Status:
    """Bring the database to the newest revision; all pending revisions, or none.

    Runs in a thread, which a cancelled caller leaves to finish.

    Args:
        settings: which database.
        folder: the migrations folder.
        report: told of every revision before it runs, in that thread.

    Returns:
        The state afterwards.

    Raises:
        SchemaAheadError: the database has a revision that `folder` does not know.
        MigrationError: a revision failed; the database is as it was.
        LockedError: another process kept the database locked.
    """
    return await asyncio.to_thread(_migrate, settings, folder, report)


def _migrate(settings: DatabaseSettings, folder: Path, report: Callable[[str], None]) -> Status:
    script = _script(folder)
    # The lock: a second starter waits here, and reads the version only when the first is done.
    with writing(settings) as connection:
        _upgrade(connection, script, folder, report)
        return _compare(script, _current(connection))


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Alembic says the same; the error below says what to do
            revisions = list(reversed(list(script.walk_revisions())))
    except (CommandError, KeyError) as error:
        raise MigrationError(
            f"the revisions in {script.versions} do not follow from one another: {error} is missing or wrong",
            "Restore the folder from version control, or install the package anew.",
            operation="migrate",
        ) from error
    known = [revision.revision for revision in revisions]
    head = known[-1] if known else None
    if current is not None and current not in known:
        return Status(current, head, (), ahead=True)
    start = known.index(current) + 1 if current is not None else 0
    pending = tuple((revision.revision, _title(revision.doc)) for revision in revisions[start:])
    return Status(current, head, pending)


def _title(doc: Any) -> str:
    return str(doc or "").strip().partition("\n")[0]
