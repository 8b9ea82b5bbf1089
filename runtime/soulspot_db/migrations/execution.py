"""Alembic's run of revisions on a connection, with errors that say which revision failed, and what that leaves."""

import traceback
from pathlib import Path

from alembic import command
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from soulspot_db.errors import (
    ConstraintViolationError,
    DatabaseError,
    MigrationError,
    QueryFailedError,
    ValidationFailedError,
)
from soulspot_db.migrations.by_hand import way_out
from soulspot_db.migrations.connection import told
from soulspot_db.migrations.revisions import config_of
from soulspot_db.migrations.run import Run, enter
from soulspot_db.settings import DatabaseSettings

__all__ = ["run_revisions"]


def run_revisions(
    connection: Connection, settings: DatabaseSettings, folder: Path, run: Run, target: str | None, *, is_up: bool
) -> None:
    """Go to a revision.

    Args:
        connection: in a transaction of the database.
        settings: which database.
        folder: the migrations folder.
        run: what the revisions are told.
        target: the last that is applied, or the one before the last that is undone; None is before the first.
        is_up: which way.

    Raises:
        DatabaseError: a revision failed, or was refused.
    """
    config = enter(config_of(folder), run)
    config.attributes["connection"] = connection
    try:
        if is_up:
            command.upgrade(config, str(target))
        else:
            command.downgrade(config, target or "base")
    except DatabaseError:
        raise
    except DBAPIError as error:
        found = told(error, settings, run.outcome)
        if not isinstance(found, (ConstraintViolationError, QueryFailedError, ValidationFailedError)):
            raise found from error  # the disk, a lock, a view in its way: not the revision's fault
        # What the server says may quote what is stored.
        raise _failure(run, str(error.orig) if settings.database_type == "sqlite" else found.message) from error
    except Exception as error:  # a revision is anybody's code, and the caller knows our errors alone
        raise _failure(run, _place_of(error, folder)) from error


def _failure(run: Run, reason: str) -> MigrationError:
    """The error for a revision that failed."""
    first, *others = way_out(reason)
    what = f"{'' if run.is_up else 'undoing '}revision {run.revision}" if run.revision else "the migration"
    return MigrationError(
        f"{what} failed: {reason}",
        f"{run.outcome} {first}",
        *others,
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
