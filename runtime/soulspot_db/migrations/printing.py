"""`--sql`: the SQL of what is pending, for somebody who runs it by hand."""

from io import StringIO
from pathlib import Path

from alembic import command

from soulspot_db.errors import DatabaseError, MigrationError
from soulspot_db.migrations.connection import in_thread
from soulspot_db.migrations.names import target_of
from soulspot_db.migrations.rehearsal import rehearse
from soulspot_db.migrations.revisions import ahead, config_of, open_revisions
from soulspot_db.migrations.run import Run, enter, in_turn
from soulspot_db.migrations.status import read_status
from soulspot_db.settings import DatabaseSettings

__all__ = ["print_sql"]


async def print_sql(settings: DatabaseSettings, folder: Path, *, to: str | None = None) -> str:
    """The SQL of what is pending, up to `to`, for somebody who runs it by hand.

    Raises:
        MigrationError: a revision needs Python, or there is no way up to `to`; or one of them would be refused, because
            of what somebody has made by hand.
    """
    return await in_thread(settings, _print_sql, settings, folder, to)


def _print_sql(settings: DatabaseSettings, folder: Path, to: str | None) -> str:
    state = read_status(settings, folder)
    if state.ahead:
        raise ahead(state)
    if state.unfinished:
        raise MigrationError(
            f"the revisions are applied, and not finished: {', '.join(state.unfinished)}",
            "Finish them first, because what follows may drop or rename what they need: "
            f"soulspot-db migrate{f' --to {state.current}' if state.pending else ''}",
            operation="migrate",
        )
    target = target_of(open_revisions(folder), to)
    if target == state.current:
        return ""
    if target not in {id for id, _title in state.pending}:
        raise MigrationError(
            f"the database is at revision {state.current}, after {to}; SQL is printed for the way up alone",
            f"Go back with: soulspot-db migrate --to {to}",
            operation="migrate",
        )
    config = config_of(folder)
    enter(config, Run())
    config.attributes["settings"] = settings
    config.output_buffer = StringIO()
    try:
        with in_turn:
            if settings.database_type == "sqlite" and state.current:
                rehearse(settings, folder, state.current, str(target))
            command.upgrade(config, f"{state.current}:{target}" if state.current else str(target), sql=True)
    except DatabaseError:
        raise
    except Exception as error:  # a revision is anybody's code, and the caller knows our errors alone
        raise MigrationError(
            f"a revision cannot be printed as SQL: {type(error).__name__}",
            "Run it with `soulspot-db migrate` instead.",
            operation="migrate",
        ) from error
    return config.output_buffer.getvalue()
