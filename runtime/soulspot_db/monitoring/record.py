"""What hooks are told of one operation."""

from typing import Literal, NamedTuple, TypeAlias

__all__ = ["CacheOutcome", "OperationRecord"]

CacheOutcome: TypeAlias = Literal["hit", "miss", "bypass"]


class OperationRecord(NamedTuple):
    """One call of a repository or the facade, a transaction, a COMMIT, an event's handler or a migration, once it is over."""

    entity_type: str
    """The entity; of an event its topic; empty for transactions, commits and migrations."""
    operation: str
    """The method, such as `get` or `update_where`; else `transaction`, `commit`, `handle` or `migrate`."""
    statement: str
    """SQL without values; of several statements the last. Empty where memory answered at once, or there is none."""
    duration: float
    """Seconds, from the call until its answer: `waiting` and `running` together."""
    waiting: float
    """Seconds in which none of its statements ran: for a connection, a lane, a lock of the cache, the event loop."""
    running: float
    """Seconds in which its statements, and the COMMIT they were part of, ran in the database; of a transaction all since its BEGIN."""
    rows: int
    """How many rows the database returned, or wrote; 0 where it was not asked."""
    cache: CacheOutcome
    """Whether a read was answered from memory, from Redis, or by another caller's statement; writes and reads in transactions bypass
    the cache."""
    error: str | None
    """The code of the error that the caller got, or its class where it is none of ours."""
    module: str | None = None
    """The Python module that called, of what took longer than `slow_query_threshold`."""
    place: str | None = None
    """Its file and line, `file:line`, of the same."""
