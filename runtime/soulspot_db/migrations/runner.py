"""The migration runner: one migrates, who comes second waits and finds it done."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from soulspot_db.errors import DatabaseError, LockedError
from soulspot_db.migrations.backup import back_up, has_tables
from soulspot_db.migrations.connection import in_thread, writing
from soulspot_db.migrations.consent import require_consent
from soulspot_db.migrations.execution import run_revisions
from soulspot_db.migrations.names import allowed_ids, target_of
from soulspot_db.migrations.revisions import Status, ahead, compare, open_revisions
from soulspot_db.migrations.run import Progress, Run, in_turn
from soulspot_db.migrations.status import status
from soulspot_db.migrations.stopping import current_stop
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
    Runs in a thread. A cancelled caller stops it, and gets the cancellation when it has stopped: what was committed
    until then stays, and `report` is told what that is.

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
    until = None
    with in_turn:
        while True:
            try:
                return attempt()
            except OvertakenError:
                continue  # the other process has gone on with our revision; look where it is now
            except LockedError as error:
                # On PostgreSQL a table is waited for in short turns: whoever wants it after us would wait, too.
                until = until or time.monotonic() + order.settings.pool_timeout
                if order.settings.database_type == "sqlite" or time.monotonic() > until:
                    raise
                attempt.report(f"waiting: {error.message}")
                _pause()


def _pause() -> None:
    from soulspot_db.migrations.postgresql.connection import pause  # noqa: PLC0415 - only who uses it has its driver

    pause(0.5)


class _Attempt:
    """One way to the target; the next one remembers where the last was going, the backup, and what was told."""

    def __init__(self, order: _Order) -> None:
        self._order = order
        self._script = open_revisions(order.folder)
        self._saved: Path | None = None
        self._is_up: bool | None = None
        self._told: set[str] = set()

    def report(self, line: str) -> None:
        """Tell what no earlier attempt has told."""
        if line not in self._told:
            self._told.add(line)
            self._order.report(line)

    def __call__(self) -> Status:
        order, script = self._order, self._script
        # The lock: a second starter waits here, and reads the version only when the first is done.
        with writing(order.settings) as connection:
            state = compare(script, read_version(connection))
            if state.ahead:
                raise ahead(state)
            target = target_of(script, order.to)
            run = Run(allowed_ids(script, state, order.allowed), self.report, order.progress, order.to)
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
                run_revisions(connection, order.settings, order.folder, run, target, is_up=is_pending)
            except (DatabaseError, asyncio.CancelledError):
                if current_stop().is_requested and run.revision:
                    self.report(f"stopped in revision {run.revision}. {run.outcome}")
                if self._saved is not None and run.is_untouched:
                    # Started again and again, a program would fill the disk with copies of one and the same.
                    self._saved.unlink(missing_ok=True)
                    self.report("nothing was changed, and the backup is removed")
                raise
            return replace(compare(script, read_version(connection)), backup=self._saved)

    def _back_up(self, connection: Connection, state: Status) -> None:
        order = self._order
        if order.settings.database_type == "postgresql":
            self.report(_NO_BACKUP)
        elif self._saved is None:
            self._saved = back_up(order.settings, connection, state.current)
            self.report(f"backup: {self._saved}")
