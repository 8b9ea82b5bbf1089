"""The transactions that the current task is in, by its own doing or that of the task which started it."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soulspot_db.sessions.operations import OpenTransaction

__all__ = ["enter", "innermost", "leave"]

# One for all databases, because a bus may be shared: the order in which blocks were entered decides whose event it is.
_entered: ContextVar[tuple["OpenTransaction", ...]] = ContextVar("soulspot_db_transactions", default=())


def enter(transaction: "OpenTransaction") -> None:
    """Make a transaction the innermost one of this task."""
    _entered.set((*(outer for outer in _entered.get() if outer.is_open), transaction))


def leave(transaction: "OpenTransaction") -> None:
    """Take a transaction out again."""
    _entered.set(tuple(other for other in _entered.get() if other is not transaction))


def innermost(home: object) -> "OpenTransaction | None":
    """The innermost open transaction of a database's session, or of all databases that share a bus."""
    for transaction in reversed(_entered.get()):
        if transaction.is_of(home) and transaction.is_open:
            return transaction
    return None
