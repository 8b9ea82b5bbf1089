"""The migration runner: one migrates, who comes second waits and finds it done."""

import random
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from alembic import command
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import (
    ConstraintViolationError,
    DatabaseError,
    LockedError,
    MigrationError,
    QueryFailedError,
    ValidationFailedError,
)
from soulspot_db.migrations.backup import back_up, has_tables
from soulspot_db.migrations.connection import in_thread, told, writing
from soulspot_db.migrations.consent import require_consent
from soulspot_db.migrations.names import allowed_ids, target_of
from soulspot_db.migrations.revisions import Status, ahead, compare, config_of, open_revisions
from soulspot_db.migrations.run import Progress, Run, enter, in_turn
from soulspot_db.migrations.status import status
from soulspot_db.migrations.transactions import OvertakenError, read_version
from soulspot_db.migrations.way_back import require_way_back
from soulspot_db.settings import DatabaseSettings

__all__ = ["Status", "ahead", "migrate", "status"]

_NO_BACKUP = "no backup is made of a PostgreSQL database: have one by pg_dump, before this"


@dataclass(frozen=True, slots=True)
class _Order:
    """What a caller wants."""

    settings: DatabaseSettings
    folder: Path
    report: Callable[[str], None]
    to: str | None
    allowed: frozenset[str]
    backup: bool
    progress: Progress


def _silent(_line: str) -> None:
    pass


def _still(_what: str, _done: int, _total: int) -> None:
    pass


async def migrate(
    settings: DatabaseSettings,
    folder: Path,
    report: Callable[[str], None] = _silent,
    *,
    to: str | None = None,
    allow_destructive: Collection[str] = (),
    backup: bool = True,
    progress: Progress = _still,
) -> Status:
    """Bring the database to a revision.

    Revisions that change tables are all applied or none, up to the next that changes rows; that one commits as it goes.
    Runs in a thread, which a cancelled caller leaves to finish.

    Args:
        settings: which database.
        folder: the migrations folder.
        report: told, in that thread, where the backup is, and of every revision before it runs.
        to: the revision, or how it begins, or "none"; default: the newest.
        allow_destructive: revisions that may lose data, or how they begin.
        backup: whether to copy the database before anything is changed, if there are tables in it; SQLite alone.
        progress: told, in that thread, how far a long step is.

    Returns:
        The state afterwards, and where the backup is.

    Raises:
        SchemaAheadError: the database has a revision that `folder` does not know.
        MigrationError: a revision failed, or was refused; the resolution says what stays.
        DiskFullError: there is no room for the backup.
        LockedError: another process kept the database locked.
    """
    order = _Order(settings, folder, report, to, frozenset(allow_destructive), backup, progress)
    return await in_thread(settings, _migrate, order)


def _migrate(order: _Order) -> Status:
    attempt = _Attempt(order)
    until = time.monotonic() + order.settings.pool_timeout
    with in_turn:
        while True:
            try:
                return attempt()
            except OvertakenError:
                continue  # the other process has gone on with our revision; look where it is now
            except LockedError:
                # On PostgreSQL a table is waited for in short turns: whoever wants it after us would wait, too.
                if order.settings.database_type == "sqlite" or time.monotonic() > until:
                    raise
                time.sleep(random.uniform(0.1, 1))  # noqa: S311 - nobody guards a secret with it


class _Attempt:
    """One way to the target; the next one remembers where the last was going, and the backup."""

    def __init__(self, order: _Order) -> None:
        self._order = order
        self._script = open_revisions(order.folder)
        self._saved: Path | None = None
        self._is_up: bool | None = None

    def __call__(self) -> Status:
        order, script = self._order, self._script
        # The lock: a second starter waits here, and reads the version only when the first is done.
        with writing(order.settings) as connection:
            state = compare(script, read_version(connection))
            if state.ahead:
                raise ahead(state)
            target = target_of(script, order.to)
            run = Run(allowed_ids(script, state, order.allowed), order.report, order.progress, order.to)
            is_pending = target in {id for id, _title in state.pending}
            # Who was overtaken on the way up must not take the other process down again.
            if target == state.current or (self._is_up and not is_pending):
                return replace(state, backup=self._saved)
            self._is_up = is_pending
            if not is_pending:
                require_way_back(script, state, target, order.settings)
            elif has_tables(connection):
                require_consent(script, state, target, run)
            if order.backup and has_tables(connection):
                self._back_up(connection, state)
            try:
                _run(connection, order, run, target, is_up=is_pending)
            except DatabaseError:
                if self._saved is not None and run.is_untouched:
                    # Started again and again, a program would fill the disk with copies of one and the same.
                    self._saved.unlink(missing_ok=True)
                    order.report("nothing was changed, and the backup is removed")
                raise
            return replace(compare(script, read_version(connection)), backup=self._saved)

    def _back_up(self, connection: Connection, state: Status) -> None:
        order = self._order
        if order.settings.database_type == "postgresql":
            order.report(_NO_BACKUP)
        elif self._saved is None:
            self._saved = back_up(order.settings, connection, state.current)
            order.report(f"backup: {self._saved}")


def _run(connection: Connection, order: _Order, run: Run, target: str | None, *, is_up: bool) -> None:
    config = enter(config_of(order.folder), run)
    config.attributes["connection"] = connection
    try:
        if is_up:
            command.upgrade(config, str(target))
        else:
            command.downgrade(config, target or "base")
    except DatabaseError:
        raise
    except DBAPIError as error:
        found = told(error, order.settings)
        if not isinstance(found, (ConstraintViolationError, MigrationError, QueryFailedError, ValidationFailedError)):
            raise found from error  # the disk, or a lock: not the revision's fault
        # What the server says may quote what is stored.
        raise _failure(run, str(error.orig) if order.settings.database_type == "sqlite" else found.message) from error
    except Exception as error:  # a revision is anybody's code, and the caller knows our errors alone
        raise _failure(run, _place_of(error, order.folder)) from error


def _failure(run: Run, reason: str) -> MigrationError:
    """The error for a revision that failed."""
    return MigrationError(
        f"revision {run.revision} failed: {reason}" if run.revision else f"the migration failed: {reason}",
        f"{run.outcome} Correct what the message names and run `soulspot-db migrate` again.",
        operation="migrate",
        revision=run.revision,
    )


def _place_of(error: Exception, folder: Path) -> str:
    """What kind of error it is, and where; not its text, which may hold what is stored."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{Path(frame.filename).name}, line {frame.lineno}"
        for frame in frames
        if Path(frame.filename).resolve().parent == (folder / "versions").resolve()
    ]
    return f"{type(error).__name__} in {places[-1]}" if places else f"{type(error).__name__}: {error}"
