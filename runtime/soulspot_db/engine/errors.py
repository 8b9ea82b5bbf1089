"""The errors that are the same on both databases."""

from typing import Any

from soulspot_db.errors import ConnectionFailedError, ConstraintViolationError, QueryTimeoutError, TransactionError

__all__ = ["in_another_loop", "not_open", "ran_too_long", "refused_by_constraint", "transaction_gone"]

_TAKEN = "Another row has this value already: `update` that one, or `upsert`, which inserts a row or changes the one that is there."
_ADVICE = {
    "unique": _TAKEN,
    "primary key": _TAKEN,
    "foreign key": "Save the referenced row first, or delete the rows that refer to this one.",
}


def not_open(**context: Any) -> ConnectionFailedError:
    """The error for a call on a database that is closed."""
    return ConnectionFailedError(
        "the database is not open", "Use it inside `async with Database(settings) as db:`.", **context
    )


def in_another_loop(**context: Any) -> ConnectionFailedError:
    """The error for a call in a loop to which answers do not come."""
    return ConnectionFailedError(
        "the database was opened in another event loop",
        "Open it in the loop that uses it: one `asyncio.run` for the whole program, or a database for each loop.",
        "In tests, give the fixture that opens it and the tests that use it the same loop.",
        **context,
    )


def transaction_gone() -> TransactionError:
    """The error for a call in a transaction that the database has ended."""
    return TransactionError(
        "the transaction is gone: an error, a timeout or `close()` ended it, and nothing of it was stored",
        "Leave the `async with db.transaction()` block and run it again.",
    )


def ran_too_long(seconds: float, sql: str) -> QueryTimeoutError:
    """The error for a statement that had as many seconds."""
    return QueryTimeoutError(
        f"a statement ran longer than {seconds:g} s and was stopped",
        "Narrow the filter, add a limit, or add an index on the fields it filters and orders by.",
        "Raise DATABASE_QUERY_TIMEOUT if the statement is meant to take long.",
        timeout=seconds,
        query=sql,
    )


def refused_by_constraint(
    kind: str, subject: str | None, *, constraint: str | None, field: str | None
) -> ConstraintViolationError:
    """The error for a row that a constraint refuses.

    Args:
        kind: such as `unique`.
        subject: what the database names.
        constraint: its name, if that is known.
        field: the column, or columns, if they are known.
    """
    return ConstraintViolationError(
        f"the {kind} constraint refuses the row" + (f": {subject}" if subject else ""),
        _ADVICE.get(kind, "Give a value that the schema allows."),
        constraint=constraint or kind,
        kind=kind,
        field=field,
    )
