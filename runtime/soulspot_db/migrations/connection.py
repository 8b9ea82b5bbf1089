"""The connection that migrations run on: synchronous, because Alembic is, and in a thread of its own."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import greenlet_spawn

from soulspot_db.engine.postgresql.driver import driver_missing
from soulspot_db.engine.sqlite.connection import TO_WAL, connect
from soulspot_db.engine.sqlite.errors import translate, with_newest_copy
from soulspot_db.errors import ConnectionFailedError, DatabaseError, LockedError
from soulspot_db.migrations.stopping import Stop, current_stop, entered
from soulspot_db.settings import DatabaseSettings

__all__ = ["in_thread", "reading", "told", "with_driver", "writing"]

P = ParamSpec("P")
T = TypeVar("T")

_STEPS = 10_000  # of SQLite's virtual machine between two looks at whether it is to stop
_TURN = 50  # milliseconds


async def in_thread(settings: DatabaseSettings, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses connections in a thread. A cancelled caller stops it, and leaves when it has stopped."""
    stop = Stop()
    with entered(stop):
        work = asyncio.ensure_future(asyncio.to_thread(with_driver, settings, function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.request()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # the caller looks into the database for what became of it
        raise


def with_driver(settings: DatabaseSettings, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses connections, in a thread in which no event loop runs."""
    if settings.database_type == "sqlite":
        return function(*args, **kwargs)

    # The driver is asynchronous: a loop of its own, which the function waits for without knowing it.
    async def run() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        with current_stop().interrupted_by(lambda: task and loop.call_soon_threadsafe(task.cancel)):
            result: T = await greenlet_spawn(partial(function, *args, **kwargs))
            return result

    return asyncio.run(run())


def reading(settings: DatabaseSettings) -> AbstractContextManager[Connection]:
    """A connection outside any transaction; what the driver raises in the block becomes an error of ours."""
    return _reading(settings) if settings.database_type == "sqlite" else _server().reading(settings)


def writing(settings: DatabaseSettings) -> AbstractContextManager[Connection]:
    """A connection in a transaction, committed where the block ends well; nobody else migrates meanwhile.

    Raises:
        LockedError: another process kept the lock.
    """
    return _writing(settings) if settings.database_type == "sqlite" else _server().writing(settings)


def told(error: DBAPIError, settings: DatabaseSettings, outcome: str = "") -> DatabaseError:
    """The error of ours for what the driver raised; `outcome` says what it leaves, where that is known."""
    if settings.database_type == "sqlite":
        path = str(settings.database_path)
        return with_newest_copy(translate(error.orig or error, error.statement or "", path), settings)
    found: DatabaseError = _server().told(error, settings, outcome)
    return found


def _server() -> Any:
    try:
        from soulspot_db.migrations.postgresql import connection  # noqa: PLC0415 - only who uses it has its driver
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise driver_missing() from error
    return connection


@contextmanager
def _reading(settings: DatabaseSettings, pragmas: Iterable[str] = ()) -> Iterator[Connection]:
    stop = current_stop()

    def make() -> Any:
        raw = connect(str(settings.database_path), pragmas, patience=settings.pool_timeout)
        raw.set_progress_handler(stop.interrupts, _STEPS)
        return raw

    engine = create_engine(
        "sqlite://",
        creator=make,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # BEGIN and COMMIT are sent where they are wanted
    )
    stop.watch(engine)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise told(error, settings) from error
    except ConnectionFailedError as error:
        raise with_newest_copy(error, settings) from error.__cause__


@contextmanager
def _writing(settings: DatabaseSettings) -> Iterator[Connection]:
    # It has the write lock from the start. Inside a transaction the first pragma is ignored, and rebuilding a table
    # would then delete its children.
    with _reading(settings, ("foreign_keys = OFF", TO_WAL)) as connection:
        _begin(connection, settings)
        yield connection
        connection.exec_driver_sql("COMMIT")
    # An error closes the connection, and thereby undoes what is open. A ROLLBACK of ours would fail where the error
    # has ended the transaction already, and hide why.


def _begin(connection: Connection, settings: DatabaseSettings) -> None:
    """Take the lock, waiting for it in short turns: while SQLite waits by itself, nobody can stop it."""
    until = time.monotonic() + settings.pool_timeout
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_TURN}").scalar()
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except DBAPIError as error:
            if time.monotonic() > until or not isinstance(told(error, settings), LockedError):
                raise
        else:
            break
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(1000 * settings.pool_timeout)}").scalar()
