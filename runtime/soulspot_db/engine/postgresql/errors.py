"""From PostgreSQL's error codes to ours."""

import asyncio
import shlex

import asyncpg

from soulspot_db.engine.errors import ran_too_long, refused_by_constraint
from soulspot_db.errors import (
    CommitOutcomeUnknownError,
    ConnectionFailedError,
    ConstraintViolationError,
    DatabaseError,
    DiskFullError,
    LockedError,
    PoolExhaustedError,
    QueryFailedError,
    SerializationFailedError,
    ValidationFailedError,
)
from soulspot_db.settings import DatabaseSettings

__all__ = ["DRIVER_ERRORS", "READ_ONLY", "ended_by_server", "is_lost", "not_connected", "outcome_unknown", "translate"]

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    asyncio.TimeoutError,
)
"""What the driver raises; a time-out of its own means that the server has not even said that it was too slow."""

# Codes: PostgreSQL's documentation, appendix A.
_CONSTRAINTS = {
    "23505": "unique",
    "23503": "foreign key",
    "23502": "not null",
    "23514": "check",
}
# Of class 57, operator intervention: what ends the connection, and what only means that it is not there yet.
_GONE = {"57P01", "57P02", "57P03", "57P05", "25P03"}
_TOO_LARGE = "54000"  # program limit exceeded
READ_ONLY = "25006"
"""The code of a write to a standby, or in a transaction that is READ ONLY."""


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection cannot be used any more, for all that is known."""
    if isinstance(error, asyncpg.PostgresError):
        code: str = getattr(error, "sqlstate", None) or ""
        return code in _GONE or code.startswith("08")
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncio.TimeoutError))


def translate(  # noqa: PLR0911 - one for each kind
    error: BaseException, sql: str, address: str, timeout: float
) -> DatabaseError:
    """The error to raise for what the driver raised while it ran `sql`.

    Args:
        error: what it raised.
        sql: the statement, without values.
        address: which server.
        timeout: seconds that a statement may run.
    """
    code = getattr(error, "sqlstate", None) or ""
    if code in _CONSTRAINTS:
        return _constraint(error, _CONSTRAINTS[code])
    if code == "57014" or isinstance(error, asyncio.TimeoutError):
        return ran_too_long(timeout, sql)
    if code in {"55P03", "40P01"}:
        return LockedError(
            "another transaction kept a row locked" if code == "55P03" else "two transactions waited for each other",
            "Run it again: `db.run_in_transaction` does so by itself.",
            "Keep transactions short, and write rows in the same order everywhere.",
            query=sql,
        )
    if code == "40001":
        return SerializationFailedError(
            "another transaction has changed a row that this one has read, and nothing of this one was stored",
            "Run it again: `db.run_in_transaction` does so by itself.",
            query=sql,
        )
    if code.startswith("53"):
        return _no_resources(code, address, sql)
    if is_lost(error) or code.startswith("28") or code == READ_ONLY:
        return _unreachable(error, code, address)
    if code == "42501":
        return QueryFailedError(
            f"the server refuses this user: {getattr(error, 'message', '')}",
            "Have the owner give it what is missing: GRANT SELECT, INSERT, UPDATE, DELETE ON ... TO ...;",
            query=sql,
        )
    if isinstance(error, asyncpg.DataError) or code == _TOO_LARGE:
        return _not_storable(error, code, sql)
    return QueryFailedError(
        f"the statement failed: {getattr(error, 'message', None) or error}",
        "If a table or column is missing, run `soulspot-db migrate` or `await db.create_table(...)`.",
        query=sql,
    )


def not_connected(error: BaseException, settings: DatabaseSettings) -> DatabaseError:
    """The error for what the driver raised while it connected."""
    address = settings.address
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        hosts, ports, name = settings.servers
        user = ["-U", settings.user] if settings.user else []
        return ConnectionFailedError(
            f"there is no database {name!r} at {address}",
            f"Create it: {shlex.join(['createdb', '-h', hosts[0], '-p', str(ports[0]), *user, name])}",
        )
    if isinstance(error, asyncpg.PostgresError):
        return translate(error, "connect", address, 0)
    return _unreachable(error, "", address)


def ended_by_server() -> ConnectionFailedError:
    """The error for a transaction whose connection is closed when it is to be used next."""
    return ConnectionFailedError(
        "the server has closed the connection of this transaction, and nothing of it was stored",
        "Run the block again.",
        "Ask something in it more often than every DATABASE_IDLE_TRANSACTION_TIMEOUT seconds: no network calls inside.",
    )


def outcome_unknown(address: str) -> CommitOutcomeUnknownError:
    """The error for a connection that was lost between COMMIT and its answer."""
    return CommitOutcomeUnknownError(
        "the connection was lost during COMMIT; the transaction may be stored, or nothing of it",
        f"Check that the server at {address} runs.",
        "Read what was to be written before you write it again.",
    )


def _not_storable(error: BaseException, code: str, sql: str) -> ValidationFailedError:
    if code == _TOO_LARGE:
        return ValidationFailedError(
            f"a value is too large for PostgreSQL: {getattr(error, 'message', '')}",
            "Shorten it: of a unique or indexed text, PostgreSQL takes 2,704 bytes, or somewhat more that it can compress.",
            "Or take the field out of the index.",
            query=sql,
        )
    # Without a code it is the driver that refuses the value.
    what = "values" if code else "types of the values"
    return ValidationFailedError("a value cannot be stored", f"Check the {what}.", query=sql)


def _no_resources(code: str, address: str, sql: str) -> DatabaseError:
    if code == "53100":
        return DiskFullError(
            "the server has no room to write",
            f"Free space on the disk of {address}, then call again: nothing was written.",
            query=sql,
        )
    return PoolExhaustedError(
        f"the server at {address} has no connection left"
        if code == "53300"
        else f"the server at {address} is exhausted",
        "Raise max_connections there, or lower DATABASE_CONNECTION_POOL_SIZE and DATABASE_MAX_OVERFLOW of its clients.",
    )


def _unreachable(error: BaseException, code: str, address: str) -> ConnectionFailedError:
    if code == READ_ONLY:
        return ConnectionFailedError(
            f"the server at {address} takes no writes: it is a standby",
            "Name the primary in DATABASE, or all servers, separated by commas.",
        )
    if code.startswith("28"):
        return ConnectionFailedError(
            f"the server at {address} refuses this user",
            "Correct DATABASE_USER and DATABASE_PASSWORD.",
        )
    return ConnectionFailedError(
        f"the server at {address} cannot be reached: {type(error).__name__}",
        "Check that it runs and that DATABASE names its host and port.",
        "The next call connects again.",
    )


def _constraint(error: BaseException, kind: str) -> ConstraintViolationError:
    if isinstance(error, asyncpg.PostgresError):
        vars(error)["detail"] = None  # it quotes the values
    # The server names the constraint and, for NOT NULL alone, the column; `explained` knows what an index is over.
    constraint = getattr(error, "constraint_name", None)
    column = getattr(error, "column_name", None)
    if kind == "unique" and str(constraint).startswith("pk_"):
        kind = "primary key"
    return refused_by_constraint(kind, column or constraint, constraint=constraint, field=column)
