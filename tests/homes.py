"""Where tests keep databases: files, or databases on a PostgreSQL server. Each test gets a copy of a prepared one."""

import asyncio
import os
import secrets
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
import servers
from soulspot_db import Database, DatabaseSettings

__all__ = ["ALL", "BOTH", "Home", "connect", "home", "on_server"]

BOTH = ("sqlite", "postgresql")
"""SQLite, and a PostgreSQL that the tests start."""

ALL = (*BOTH, "listening")
"""These two, and a PostgreSQL that listens on this machine, if there is one: of another version, with settings of its own."""

# Several workers, one server each, are more than two cores can start anew for every run without need: fsync is off.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": 200}


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
        server = _Server(address)
        try:
            yield server
        finally:
            server.drop()  # it goes on when the tests are over
        return
    with servers.postgres_server(**_FAST) as server:
        yield _Server(server.address)


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

    def _where(self, name: str) -> dict[str, Any]:
        address = self._address
        # Nobody else writes the copy that a test has, so its cache may be believed.
        return {"database": f"{address.host}:{address.port}/{name}", "user": address.user, "single_instance": True}

    def prepare(self, make: Callable[[Database], Awaitable[None]]) -> None:
        self._run(f"CREATE DATABASE {self._template}")
        _made(DatabaseSettings(**self._where(self._template)), make)

    def drop(self) -> None:
        """Leave nothing behind."""
        self._run(f"DROP DATABASE IF EXISTS {self._template} WITH (FORCE)")

    def _run(self, sql: str) -> None:
        on_server(DatabaseSettings(**self._where("postgres")), sql, ())

    @contextmanager
    def copy(self, folder: Path) -> Iterator[dict[str, Any]]:
        name = f"{self._template}_{secrets.token_hex(4)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY")
        try:
            yield self._where(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")


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
