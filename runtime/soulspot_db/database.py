"""Database: opens the engine, the cache and the bus, ties them together, and closes them."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, cast
from weakref import WeakKeyDictionary

from typing_extensions import TypeVar

from soulspot_db.cache.cache import Cache
from soulspot_db.cache.control import CacheControl
from soulspot_db.cache.second import make_second_tier
from soulspot_db.encryption import Cipher
from soulspot_db.engine.base import Engine, Statement
from soulspot_db.engine.errors import in_another_loop
from soulspot_db.engine.postgresql.driver import driver_missing
from soulspot_db.engine.sqlite.engine import SQLiteEngine
from soulspot_db.errors import ConfigurationError, ValidationFailedError
from soulspot_db.events.bus import EventBus
from soulspot_db.events.limits import is_seconds
from soulspot_db.events.publisher import Publisher, PublishesEvents
from soulspot_db.facade.records import Records
from soulspot_db.facade.scope import TransactionScope, latest_block, run_in_transaction
from soulspot_db.facade.service import DatabaseService
from soulspot_db.facade.transaction import Transaction
from soulspot_db.migrations.guard import guard_for
from soulspot_db.monitoring.advisor import Advisor
from soulspot_db.monitoring.loops import LoopWatch
from soulspot_db.monitoring.monitor import Monitor
from soulspot_db.monitoring.query_log import QueryLog
from soulspot_db.monitoring.quiet import log_quietly
from soulspot_db.monitoring.recorder import StatementRecorder
from soulspot_db.monitoring.statistics import Statistics
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import resolved
from soulspot_db.sessions.operations import Effects, Write
from soulspot_db.sessions.plan import Plans
from soulspot_db.sessions.retry import awaited
from soulspot_db.sessions.session import Session
from soulspot_db.settings import DatabaseSettings
from soulspot_db.sql.dialects import DIALECTS
from soulspot_db.sql.tables import create_statements
from soulspot_db.trace import Trace

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from soulspot_db.cache.tier import SecondTier
    from soulspot_db.health.health import Health
    from soulspot_db.monitoring.counters import Counters

__all__ = ["Database"]

T = TypeVar("T")
_log = logging.getLogger("soulspot_db.cache")
_LAST = 1.0  # seconds that handlers have at least, for the events of the very last writes
Bus = TypeVar("Bus", bound=PublishesEvents, default=EventBus)


class Database(DatabaseService, Generic[Bus]):
    """One open database: `async with Database(settings) as db`.

    Args:
        settings: where it is and how it behaves; read from the environment if left out.
        events: the bus to publish on, if the application has one already; else the database makes its own.
    """

    def __init__(self, settings: DatabaseSettings | None = None, *, events: Bus | None = None) -> None:
        if not isinstance(settings, DatabaseSettings | None):
            raise ConfigurationError(
                f"Database takes settings, got {type(settings).__name__}",
                "Write Database(DatabaseSettings(database=...)), or leave them out to read the environment.",
            )
        self.settings = settings or DatabaseSettings()
        # Where none is given, the type variable is its default.
        self._events = cast("Bus", EventBus()) if events is None else events
        self._advisor = Advisor(lambda statement, tables: self._engine.explained(statement, tables))  # noqa: PLW0108 - made below
        self._recorder = self._make_recorder()
        self._dialect = DIALECTS[self.settings.database_type]
        self._cache = Cache(
            ttl=self.settings.cache_ttl,
            max_size=self.settings.cache_max_size if self._is_told_of_writes else 0,
            recheck=self.settings.cache_recheck,
            tier=self._second_tier(),
        )
        self._engine = self._make_engine()
        self.cache = CacheControl(self._cache, self._records)
        self._publisher = Publisher(self.events, is_shared=events is not None)
        watch = LoopWatch(self.settings.n_plus_one_threshold)
        cipher = Cipher(self.settings.encryption_keys)
        loops = watch if self.settings.development else None
        self._monitor = Monitor(self._recorder, self.settings.slow_query_threshold, loops)
        self.hooks = self._monitor.hooks
        plans = Plans(
            cache=self._cache,
            wanted=self._publisher.wanted,
            dialect=self._dialect,
            watch=watch,
            cipher=cipher,
            figures=self._monitor.figures,
        )
        self._session = Session(
            self._engine, self._cache, self._publisher, plans, self._monitor, latest_block=latest_block
        )
        self._statistics = Statistics(
            settings=self.settings,
            engine=self._engine,
            cache=self._cache,
            recorder=self._recorder,
            monitor=self._monitor,
            publisher=self._publisher,
            advice=self._advisor.advice,
            compiled=lambda: plans.compiled,
        )
        self._health: Health | None = None
        self._is_open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        # Opening and closing, one after another; a lock belongs to the loop in which it was waited for.
        self._switching: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._closing: asyncio.Task[None] | None = None

    @property
    def events(self) -> Bus:
        """The bus: that which was given, or the database's own."""
        return self._events

    @property
    def session(self) -> Session:
        """Where repositories made of this database read and write."""
        return self._session

    @property
    def _is_told_of_writes(self) -> bool:
        """Whether it is known what others write, or that nobody else does: what is kept in memory would be old otherwise."""
        settings = self.settings
        return settings.database_type == "sqlite" or settings.single_instance or settings.redis is not None

    def _second_tier(self) -> "SecondTier | None":
        return None if self.settings.redis is None else make_second_tier(self.settings, self.settings.redis)

    def _make_recorder(self) -> StatementRecorder:
        settings = self.settings
        log = QueryLog(
            enabled=settings.enable_query_logging,
            form=settings.query_log_format,
            parameters=settings.log_parameters,
        )
        return StatementRecorder(slow=settings.slow_query_threshold, log=log, wonder=self._advisor.wonder)

    def _make_engine(self) -> Engine:
        if self.settings.database_type == "sqlite":
            engine = SQLiteEngine(self.settings, self._recorder.record, self._cache.trust.looked)
            self._cache.trust.ask(engine.look)
            return engine
        try:
            # Only who uses PostgreSQL has its driver.
            from soulspot_db.engine.postgresql.engine import PostgreSQLEngine  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name != "asyncpg":
                raise
            raise driver_missing() from error
        return PostgreSQLEngine(self.settings, self._recorder.record)

    async def open(self) -> Self:
        """Connect, and check that the tables are those the code was generated for. Opening twice is safe.

        Raises:
            ConnectionFailedError: the file cannot be opened.
            MigrationRequiredError: the database is older than the code, and `auto_migrate` is off.
            SchemaAheadError: the database is newer than the code.
            ConfigurationError: the Redis that CACHE names cannot be used; one that cannot be reached is waited for later.
        """
        loop = asyncio.get_running_loop()
        async with self._switching.setdefault(loop, asyncio.Lock()):
            if self._is_open and self._loop is not loop:
                if self._loop is not None and self._loop.is_running():
                    raise in_another_loop(operation="open")
                await self._disconnect()  # its loop has ended without closing it
                self._is_open = False
            if self._is_open:
                return self
            if self._is_connected:  # by an `open` or a `close` that was cancelled
                await self._disconnect()
            heads = EntityRegistry.migration_heads()
            await self._require_heads(heads)
            try:
                await self._engine.open(guard_for(heads))
                await self._cache.open(self._engine.identity)
            except BaseException:  # a cancellation too must leave no lane behind; raised again
                await self._disconnect()
                raise
            self._loop = asyncio.get_running_loop()
            self._is_open = True
            self._statistics.start(heads)
            self._advisor.open()
            self._publisher.watch(self._monitor.handled)
            if not self._is_told_of_writes:
                message = "nothing is kept in memory: nobody tells what others write to %s. Set CACHE=host:6379/0, or "
                more = "DATABASE_SINGLE_INSTANCE=true where nobody else writes"
                log_quietly(_log, logging.INFO, message + more, self.settings.address)
        return self

    async def _require_heads(self, heads: Mapping[str, str]) -> None:
        if heads:
            # Only who has migrations pays for importing Alembic, and only when there is something to say.
            from soulspot_db.migrations.check import require_heads  # noqa: PLC0415

            trace, failed, has_migrated = Trace(), None, True
            try:
                has_migrated = await require_heads(self.settings, heads)
            except BaseException as error:  # a cancellation too is told of; raised again
                failed = error
                raise
            finally:
                if has_migrated:
                    self._monitor.ended("migrate", trace, failed)

    async def close(self, *, drain: float | None = 30.0) -> None:
        """Undo what is open, finish what was asked, deliver what was published. Closing twice is safe.

        Args:
            drain: seconds that event handlers have to finish what waits for them, None for as long as they need. What is
                left then is dropped and logged; on an `EventBus` that was passed in, which others may use, it stays.

        Raises:
            ValidationFailedError: `drain` is no number of seconds.
            ConnectionFailedError: the loop that opened it runs, and this is another one.
        """
        if drain is not None and not is_seconds(drain):
            raise ValidationFailedError(
                "drain must be 0 seconds or more, or None for no limit", "Leave it out.", operation="close"
            )
        loop = self._loop
        if self._is_open and loop is not None and loop.is_running() and loop is not asyncio.get_running_loop():
            raise in_another_loop(operation="close")  # it would answer callers in a loop that is not theirs
        began = time.monotonic()
        if self._is_open:
            await self._publisher.drain(drain)  # handlers may still use the database
        async with self._switching.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if not self._is_connected:
                return
            self._is_open = False
            await self._disconnect()
        left = None if drain is None else max(drain - (time.monotonic() - began), min(drain, _LAST))
        await self._publisher.drain(left)  # what the last writes published

    @property
    def _is_connected(self) -> bool:
        if self._is_open or (self._closing is not None and not self._closing.done()):
            return True  # a closing whose caller was cancelled goes on
        return self._engine.connections().total > 0

    async def _disconnect(self) -> None:
        """Wait until everything is closed. Who is cancelled stops waiting; the closing goes on, and the next can wait for it."""
        if self._closing is None or self._closing.done():
            self._closing = asyncio.get_running_loop().create_task(
                self._close_all(), name="soulspot-db close", context=contextvars.Context()
            )
        await asyncio.shield(self._closing)

    async def _close_all(self) -> None:
        self._statistics.stop()
        self._publisher.unwatch(self._monitor.handled)
        await self._advisor.close()
        try:
            try:
                await self._engine.close()
            finally:
                await self._cache.close()
        finally:
            self._cache.clear()  # a closed database answers nothing, and who knows what happens to the file meanwhile

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def transaction(self, *, read_only: bool = False) -> TransactionScope:
        """All or nothing; inside another transaction a savepoint.

        Args:
            read_only: read one snapshot without keeping writers waiting; every write raises.
        """
        return TransactionScope(self._session, read_only=read_only)

    async def run_in_transaction(self, fn: Callable[[Transaction], Awaitable[T]], *, attempts: int = 5) -> T:
        """Call `await fn(tx)` in a transaction and return its result; all of it again when others were in the way.

        It runs again, after a pause that grows, where an error is `retryable`: on SQLite, where the writer could not be
        had in time (DATABASE_LOCKED). So `fn` must not do what cannot be undone, such as sending a message; events that
        it publishes wait for the COMMIT. Inside an open transaction it is a nested block and runs once, because only the
        outermost block can be run again.

        Args:
            fn: takes the transaction.
            attempts: how often it is run at most.

        Raises:
            ValidationFailedError: `attempts` is less than 1, or `fn` returns nothing that can be awaited.
            DatabaseError: the last error, which tells `attempts` in its context; one that is not retryable, at once.
        """
        return await run_in_transaction(self._session, awaited(fn), attempts)

    def _records(self, entity_type: str) -> Records:
        return Records(self, EntityRegistry.get_schema(entity_type))

    async def create_table(self, entity_type: str) -> None:
        """Make the table and the indexes of an entity where there are none: for prototypes and tests.

        Tables of generated entities come from migrations instead.
        """
        statements = create_statements(
            resolved(EntityRegistry.get_schema(entity_type)).spec, _referenced, self._dialect
        )
        await self._session.write(
            Write([Statement(sql) for sql in statements], (), lambda _rows: Effects(), lambda _rows: None)
        )

    def sqlalchemy_engine(self) -> "AsyncEngine":
        """A SQLAlchemy engine on the same database, for admin tools and reports; dispose of it after use.

        What is written through it is seen by the cache within `cache_recheck` seconds, and publishes no events.
        """
        from sqlalchemy import make_url  # noqa: PLC0415 - few programs need it
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

        settings = self.settings
        url = make_url(settings.database_url)
        if settings.database_type == "postgresql":
            url = url.set(
                username=settings.user, password=settings.password.get_secret_value() if settings.password else None
            )
        return create_async_engine(url)

    async def health(self) -> dict[str, Any]:
        """Whether it can do its work now, within two seconds and whatever is wrong; cheap enough for every second.

        Returns:
            `status`, which is ok, degraded or failing, and `checks`: of each its status (ok, warn, fail), `latency_ms` and
            `message`. One that fails makes it failing.
        """
        if self._health is None:
            # Who never asks does not pay for it.
            from soulspot_db.health.checks import checks_for  # noqa: PLC0415
            from soulspot_db.health.health import Health  # noqa: PLC0415

            self._health = Health(
                checks_for(self.settings, self._engine, self._cache.tier, EntityRegistry.migration_heads)
            )
        return await self._health.report()

    def counters(self) -> "Counters":
        """What exporters read: all that is counted, without asking the database.

        Any thread may ask, not the event loop's alone. It looks at the sizes of files and at the names of backups, so on the loop of a
        program with a slow disk it is better called through `asyncio.to_thread`.
        """
        return self._statistics.counters()

    async def stats(self, *, detail: Literal["full"] | None = None) -> dict[str, Any]:
        """Connections, cache and statements since this object was made, in the shape of `/api/database/stats`.

        Args:
            detail: "full" for operations, slow queries with advice, locks, events and the last ten minutes as well.
        """
        return await (self._statistics.plain() if detail is None else self._statistics.full())


def _referenced(reference: str) -> tuple[str, str]:
    spec = resolved(EntityRegistry.get_schema(reference.rpartition(".")[2])).spec
    return spec.table_name, spec.key_fields[0].column
