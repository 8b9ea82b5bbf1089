"""What becomes known of one operation while it runs, told by those who do its parts."""

from time import perf_counter

__all__ = ["Trace"]


class Trace:
    """One operation, from the call on. Used on the event loop alone."""

    # On the class, because most operations change few of them, and each that is set costs every call.
    running = 0.0
    """Seconds that its statements, and the COMMIT they were part of, ran in the database."""
    queued = 0.0
    """Seconds that they waited for their turn: for a lane, a connection, another process that had the lock."""
    sql = ""
    """The statement that ran, or the last of them: of several calls that were asked together, theirs."""
    rows = 0
    asked = False
    bypassed = False
    """Whether the cache could not be asked, as in a transaction."""

    def __init__(self) -> None:
        self.started = perf_counter()

    def found(self, rows: int) -> None:
        """The database was asked, and returned or wrote so many rows."""
        self.rows += rows
        self.asked = True

    def ran(self, seconds: float, queued: float = 0.0) -> None:
        """A part of it ran in the database for so long, after it had waited for its turn."""
        self.running += seconds
        self.queued += queued

    def join(self, other: "Trace") -> None:
        """A part of it ran together with those of others."""
        self.ran(other.running, other.queued)
        self.sql = other.sql
