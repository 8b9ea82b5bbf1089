"""From what the server raises while it is migrated to errors of ours, which say what stays."""

from sqlalchemy.exc import DBAPIError

from soulspot_db.engine.postgresql.connection import named, user_of
from soulspot_db.engine.postgresql.errors import is_lost, translate
from soulspot_db.errors import (
    CommitOutcomeUnknownError,
    ConnectionFailedError,
    DatabaseError,
    LockedError,
    MigrationError,
)
from soulspot_db.settings import DatabaseSettings

__all__ = ["cause_of", "code_of", "told"]


def cause_of(error: DBAPIError) -> BaseException:
    """What the driver raised, below what SQLAlchemy has made of it."""
    return getattr(error.orig, "__cause__", None) or error.orig or error


def code_of(error: DBAPIError) -> str:
    """PostgreSQL's code; "" where the error is not the server's."""
    return getattr(cause_of(error), "sqlstate", None) or ""


def told(error: DBAPIError, settings: DatabaseSettings, outcome: str = "") -> DatabaseError:
    """The error of ours for what the driver raised; values that the server quotes are left out.

    Args:
        error: what was raised.
        settings: which server.
        outcome: what the failure leaves, in a sentence, where that is known.
    """
    cause, code = cause_of(error), code_of(error)
    again = f"{outcome} Run `soulspot-db migrate` again." if outcome else "Run the command again."
    if is_lost(cause):
        return _lost(cause, error.statement, settings, again)
    if code in {"55P03", "40P01"}:
        return LockedError(
            "another program kept a table locked that is needed",
            "Stop the programs that use the database; pg_stat_activity lists them, and pg_blocking_pids who waits for whom.",
            again,
            operation="migrate",
        )
    if code == "42501":
        user = user_of(settings)
        return MigrationError(
            f"{user} may not do that: {getattr(cause, 'message', '')}",
            f"Migrate as the owner of the tables (DATABASE_USER), or let {user} act as the owner: GRANT owner TO {named(user)};",
            f"For a schema its owner says: GRANT CREATE, USAGE ON SCHEMA public TO {named(user)};",
            again,
            operation="migrate",
        )
    if code in {"2BP01", "0A000"}:
        # What hangs on a column or a table: names, and no values.
        reasons = [str(getattr(cause, part, None) or "") for part in ("message", "detail")]
        return MigrationError(
            ": ".join(filter(None, reasons)),
            "Keep the text of what was made by hand, and drop it.",
            again,
            "Make it anew for the tables as they are then.",
            operation="migrate",
        )
    return translate(cause, error.statement or "", settings)


def _lost(cause: BaseException, statement: str | None, settings: DatabaseSettings, again: str) -> DatabaseError:
    where = f"the connection to {settings.address} was lost"
    if statement == "COMMIT":
        return CommitOutcomeUnknownError(
            f"{where} during COMMIT; what it was to store may be applied, or nothing of it",
            "See where the database is: soulspot-db migrate --status",
            "Run `soulspot-db migrate` again: it goes on from there.",
            operation="migrate",
        )
    return ConnectionFailedError(
        f"{where}: {getattr(cause, 'message', None) or type(cause).__name__}",
        "Check that the server runs, and whether somebody or a time-out has ended the session.",
        again,
        operation="migrate",
    )
