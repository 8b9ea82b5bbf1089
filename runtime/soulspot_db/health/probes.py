"""Whether the database can be read and written now, asked the way every call of the program goes."""

from soulspot_db.engine.base import Engine, Outcome, Rows, Statement
from soulspot_db.health.finding import Finding, failed, fine

__all__ = ["can_read", "can_write_file", "can_write_server", "turn_to_write"]

_HOLDER = "the health check"
_READ = Statement("SELECT 1")
# Would change the file's header: SQLite takes BEGIN IMMEDIATE alone on a file that it cannot write, too.
_WRITE_FILE = Statement("PRAGMA user_version = 0")
# Says what single writes meet. A statement that writes would use up a transaction number each time.
_WRITE_SERVER = Statement("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'")


async def can_read(engine: Engine) -> Finding:
    """Run a statement as any other read."""
    await engine.read(_READ)
    return fine("a statement was answered")


async def can_write_file(engine: Engine) -> Finding:
    """Take the writer's turn, begin a transaction, change something and undo it.

    It never commits: a commit would have every other process forget what it has read.
    """
    await _tried(engine, _WRITE_FILE)
    return fine("a transaction could begin and write")


async def can_write_server(engine: Engine) -> Finding:
    """Begin a transaction that may write, and undo it."""
    ((is_standby, is_read_only),) = await _tried(engine, _WRITE_SERVER)
    if is_standby:
        return failed("the server is a standby and takes no writes")
    if is_read_only:
        return failed("the server takes no writes: default_transaction_read_only is on")
    return fine("a transaction that may write could begin")


def turn_to_write(engine: Engine) -> str:
    """What keeps the second or third of these waiting, as far as it is known."""
    holder = engine.activity().holder
    if holder == _HOLDER:  # it is first in this program, so it is another one that has the lock
        return "its turn to write, which another program has"
    return f"its turn to write, which {holder} has" if holder else "its turn to write"


async def _tried(engine: Engine, statement: Statement) -> Rows:
    lease = await engine.begin(read_only=False, holder=_HOLDER)
    try:
        return await lease.execute([statement], _rows, read=True)
    finally:
        await lease.rollback()


def _rows(outcome: Outcome) -> Rows:
    return outcome.result()[0]
