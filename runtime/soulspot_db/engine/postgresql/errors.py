"""From PostgreSQL's error codes to ours."""

import asyncio
import re

import asyncpg

from soulspot_db.engine.errors import ran_too_long, refused_by_constraint
from soulspot_db.engine.postgresql.connection import named, user_of
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

__all__ = ["DRIVER_ERRORS", "READ_ONLY", "ended_by_server", "exhausted", "is_lost", "outcome_unknown", "translate"]

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
    "23001": "foreign key",  # restrict
    "23502": "not null",
    "23514": "check",
}
# Of class 57, operator intervention: what ends the connection, and what only means that it is not there yet.
_GONE = {"57P01", "57P02", "57P03", "57P05", "25P03"}
_AGAIN = "Run it again: `db.run_in_transaction` does so by itself."
_SHORT = "Keep transactions short, and write rows in the same order everywhere."
_INTO = re.compile(r'INSERT INTO ("(?:[^"]|"")+"|[^\s("]+)')
READ_ONLY = "25006"
"""The code of a write to a standby, or in a transaction that is READ ONLY."""


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection cannot be used any more, for all that is known."""
    if isinstance(error, asyncpg.PostgresError):
        code: str = getattr(error, "sqlstate", None) or ""
        return code in _GONE or code.startswith("08")
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncio.TimeoutError))


def translate(  # noqa: PLR0911 - one for each kind
    error: BaseException, sql: str, settings: DatabaseSettings
) -> DatabaseError:
    """The error to raise for what the driver raised while it ran `sql`.

    Args:
        error: what it raised.
        sql: the statement, without values.
        settings: which server, as whom, and how long to wait.
    """
    code = getattr(error, "sqlstate", None) or ""
    if code in _CONSTRAINTS:
        return _constraint(error, _CONSTRAINTS[code])
    if isinstance(error, asyncio.TimeoutError):
        return ran_too_long(settings.query_timeout, sql)
    if code in _BY_CODE:
        return _BY_CODE[code](error, sql, settings)
    if code.startswith("53"):
        return exhausted(code, settings.address, sql)
    if is_lost(error):
        return _lost(error, settings)
    if isinstance(error, asyncpg.DataError):
        # Without a code it is the driver that refuses the value.
        what = "values" if code else "types of the values"
        return ValidationFailedError("a value cannot be stored", f"Check the {what}.", query=sql)
    return QueryFailedError(
        f"the statement failed: {_message(error) or error}",
        "If a table or column is missing, run `soulspot-db migrate` or `await db.create_table(...)`.",
        query=sql,
    )


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


def exhausted(code: str, address: str, sql: str) -> DatabaseError:
    """The error for codes of class 53: the server lacks something."""
    if code == "53100":
        return DiskFullError(
            "the server has no room to write",
            f"Free space on the disk of {address}, then call again: this statement has stored nothing.",
            query=sql,
        )
    return PoolExhaustedError(
        f"the server at {address} has no connection left"
        if code == "53300"
        else f"the server at {address} is exhausted",
        "Raise max_connections there, or lower DATABASE_CONNECTION_POOL_SIZE and DATABASE_MAX_OVERFLOW of its clients.",
    )


def _message(error: BaseException) -> str:
    return str(getattr(error, "message", None) or "")


def _lost(error: BaseException, settings: DatabaseSettings) -> ConnectionFailedError:
    reason = _message(error) or str(error) or "it does not answer"
    return ConnectionFailedError(
        f"the connection to the server at {settings.address} was lost: {reason}",
        "Check that it runs; its log may say why it ended the connection.",
        "The next call connects again.",
        database_path=settings.address,
    )


def _stopped(_error: BaseException, sql: str, settings: DatabaseSettings) -> DatabaseError:
    return ran_too_long(settings.query_timeout, sql)


def _standby(_error: BaseException, _sql: str, settings: DatabaseSettings) -> DatabaseError:
    return ConnectionFailedError(
        f"the server at {settings.address} takes no writes: it is a standby",
        "Name the primary in DATABASE, or all servers, separated by commas.",
        database_path=settings.address,
    )


def _row_locked(_error: BaseException, sql: str, settings: DatabaseSettings) -> DatabaseError:
    return LockedError(
        f"another transaction kept a row locked for longer than {settings.pool_timeout:g} s",
        _AGAIN,
        _SHORT,
        "Who keeps it while others wait: SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity; it may be a block "
        "of this program.",
        timeout=settings.pool_timeout,
        query=sql,
    )


def _deadlock(_error: BaseException, sql: str, _settings: DatabaseSettings) -> DatabaseError:
    return LockedError("two transactions waited for each other", _AGAIN, _SHORT, query=sql)


def _overtaken(_error: BaseException, sql: str, _settings: DatabaseSettings) -> DatabaseError:
    return SerializationFailedError(
        "another transaction has changed a row that this one has read, and nothing of this one was stored",
        _AGAIN,
        query=sql,
    )


def _not_allowed(error: BaseException, sql: str, settings: DatabaseSettings) -> DatabaseError:
    user = user_of(settings)
    return QueryFailedError(
        f"the user {user!r} may not do that: {_message(error)}",
        "Have the owner of the tables give it the rights, here those of a program that reads and writes:",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {named(user)};",
        f"GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {named(user)};",
        query=sql,
    )


def _keys_used_up(error: BaseException, sql: str, _settings: DatabaseSettings) -> DatabaseError:
    # The server names the sequence in its message alone, in the quotation marks of its language.
    sequence = re.search('["«„](.+?)["»“]', _message(error))
    table = _INTO.match(sql)
    return ValidationFailedError(
        f"the keys of {table[1] if table else 'the table'} are used up: {_message(error)}",
        "A key far beyond all others was given by hand: the sequence goes on from there, also after the row is deleted.",
        f"Set it back to the highest key that is left: SELECT setval('{sequence[1] if sequence else '...'}', ...);",
        query=sql,
    )


def _too_large(error: BaseException, sql: str, _settings: DatabaseSettings) -> DatabaseError:
    return ValidationFailedError(
        f"a value is too large for PostgreSQL: {_message(error)}",
        "Shorten it: of a unique or indexed text, PostgreSQL takes 2,704 bytes, or somewhat more that it can compress.",
        "Or take the field out of the index.",
        query=sql,
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


_BY_CODE = {
    "57014": _stopped,
    "55P03": _row_locked,
    "40P01": _deadlock,
    "40001": _overtaken,
    READ_ONLY: _standby,
    "42501": _not_allowed,
    "2200H": _keys_used_up,
    "54000": _too_large,
}
