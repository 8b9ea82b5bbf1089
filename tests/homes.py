"""Where tests keep databases: files, or databases on a PostgreSQL server. Each test gets a copy of a prepared one."""

import asyncio
import atexit
import os
import secrets
import shutil
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
import servers
from soulspot_db import Database, DatabaseSettings

__all__ = ["ALL", "BOTH", "Home", "connect", "home", "on_server"]

ALL = ("sqlite", "postgresql", "listening")
"""SQLite, a PostgreSQL that the tests start, and one that listens on this machine, if there is one: another version with
settings of its own."""

BOTH = ("sqlite", "postgresql", pytest.param("listening", marks=pytest.mark.slow))
"""The same, but for the one that listens in `make test-all` alone: what would be a third run of much the same."""

# Several workers, one server each, are more than two cores can start anew for every run without need: fsync is off.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": 200}


# What a test may leave behind and the next may not meet: rows, and what the database gave as keys.
_EMPTY = """
DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- in any order, whatever refers to what
    FOR name IN SELECT quote_ident(tablename) FROM pg_tables
                WHERE schemaname = 'public' AND tablename <> 'soulspot_db_version' LOOP  -- at which revision the tables are
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    PERFORM setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences WHERE schemaname = 'public';
END $$"""

# What a database holds besides rows. The numbers of things are the same in every copy of a template.
_FORM = """
SELECT md5(concat(
    (SELECT string_agg(a::text, ',' ORDER BY attrelid, attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
     WHERE relnamespace = 'public'::regnamespace),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_trigger),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_namespace WHERE nspname !~ '^pg_'),
    (SELECT string_agg(setconfig::text, ',') FROM pg_db_role_setting d JOIN pg_database b ON b.oid = setdatabase
     WHERE datname = current_database())
))"""


class Home(Protocol):
    """A place with one prepared database in it."""

    def prepare(self, make: Callable[[Database], Awaitable[None]]) -> None:
        """Make the tables."""
        ...

    def copy(self, folder: Path) -> AbstractContextManager[dict[str, Any]]:
        """A copy for one test: the settings that lead to it."""
        ...


@contextmanager
def home(kind: str, folder: Path) -> Iterator[Home]:
    """A home of this kind."""
    if kind == "sqlite":
        yield _Files(folder)
        return
    if kind == "listening":
        address = servers.listening_postgres()
        if address is None:
            pytest.skip("no PostgreSQL listens on this machine")
    else:
        address = _started()
    server = _Server(address)
    try:
        yield server
    finally:
        server.drop()  # the server goes on for other homes, or when the tests are over


@cache
def _started() -> servers.Address:
    """A server for all homes of this process: starting one for each takes longer than many of their tests."""
    starting = servers.postgres_server(**_FAST)
    server = starting.__enter__()
    atexit.register(starting.__exit__, None, None, None)
    return server.address


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """A loop in a thread of its own, in which connections outlast the loops of the tests."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def _in_thread(what: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(what, _loop()).result(60)


def _made(settings: DatabaseSettings, make: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Database(settings) as db:
            await make(db)

    asyncio.run(run())


class _Files:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "soulspot.db"

    def prepare(self, make: Callable[[Database], Awaitable[None]]) -> None:
        _made(DatabaseSettings(database_path=self.path, synchronous="NORMAL"), make)

    @contextmanager
    def copy(self, folder: Path) -> Iterator[dict[str, Any]]:
        shutil.copy(self.path, folder / "soulspot.db")
        yield {"database_path": folder / "soulspot.db"}


class _Server:
    def __init__(self, address: servers.Address) -> None:
        self._address = address
        self._template = f"soulspot_test_{os.getpid()}_{secrets.token_hex(4)}"
        self._form = ""  # of the template
        self._free: list[str] = []  # copies that nobody uses, as empty as the template
        self._connections: dict[str, Any] = {}  # one to each copy, kept: making one takes longer than what it is for

    def _where(self, name: str) -> dict[str, Any]:
        address = self._address
        # Nobody else writes the copy that a test has, so its cache may be believed.
        return {"database": f"{address.host}:{address.port}/{name}", "user": address.user, "single_instance": True}

    def prepare(self, make: Callable[[Database], Awaitable[None]]) -> None:
        self._run(f"CREATE DATABASE {self._template}")
        _made(DatabaseSettings(**self._where(self._template)), make)
        self._form = self._run(_FORM, self._template)
        self._leave(self._template)  # what is copied has no connection

    def drop(self) -> None:
        """Leave nothing behind."""
        for name in (*self._free, self._template):
            self._drop(name)
        self._leave("postgres")

    def _run(self, sql: str, database: str = "postgres") -> Any:
        """The first value that it finds, if it finds any."""

        async def run() -> Any:
            connection = self._connections.get(database)
            if connection is None or connection.is_closed():
                connection = self._connections[database] = await connect(DatabaseSettings(**self._where(database)))
            return await connection.fetchval(sql)

        return _in_thread(run())

    def _leave(self, database: str) -> None:
        if connection := self._connections.pop(database, None):
            _in_thread(connection.close())

    def _drop(self, name: str) -> None:
        self._leave(name)
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextmanager
    def copy(self, folder: Path) -> Iterator[dict[str, Any]]:
        # Emptying a copy takes milliseconds, making one a quarter of a second.
        name = self._free.pop() if self._free else self._new()
        try:
            yield self._where(name)
        finally:
            self._run(_EMPTY, name)
            if self._run(_FORM, name) == self._form:
                self._free.append(name)
            else:  # the test changed more than rows
                self._drop(name)

    def _new(self) -> str:
        name = f"{self._template}_{secrets.token_hex(4)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY")
        return name


async def connect(settings: DatabaseSettings) -> Any:
    """A connection as another program would make it."""
    hosts, ports, name = settings.servers
    return await asyncpg.connect(host=hosts, port=ports, database=name, user=settings.user)


def on_server(settings: DatabaseSettings, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement as another program would: in a thread with a loop of its own. `?` stands for a value."""
    found: list[tuple[Any, ...]] = []
    failed: list[BaseException] = []

    async def ask() -> None:
        connection = await connect(settings)
        try:
            text = sql
            for number in range(1, len(values) + 1):
                text = text.replace("?", f"${number}", 1)
            found.extend(map(tuple, await connection.fetch(text, *values)))
        finally:
            await connection.close()

    def run() -> None:
        try:
            asyncio.run(ask())
        except Exception as error:  # noqa: BLE001 - raised by the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found
