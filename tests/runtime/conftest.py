"""Every test has a registry of its own and, where it asks for one, an open database in a file of its own."""

import asyncio
import secrets

import homes
import pytest
import redis_servers
import support
from soulspot_db import Database, EntityRegistry


@pytest.fixture(autouse=True)
def registry():
    with EntityRegistry.isolated() as isolated:
        support.register_all()
        yield isolated


def pytest_configure(config):
    config.addinivalue_line("markers", "sqlite_only: about SQLite's engine, in a module of behaviour on all databases")
    config.addinivalue_line("markers", "slow_elsewhere: much the same on all databases, so on SQLite in every run")


def pytest_generate_tests(metafunc):
    """Tests of behaviour run on each of the module's DATABASES; what concerns one database's engine on that one alone."""
    if "database_kind" in metafunc.fixturenames:
        kinds = getattr(metafunc.module, "DATABASES", ("sqlite",))
        if metafunc.definition.get_closest_marker("sqlite_only"):
            kinds = ("sqlite",)
        elif metafunc.definition.get_closest_marker("slow_elsewhere"):
            kinds = [
                kind if kind == "sqlite" or not isinstance(kind, str) else pytest.param(kind, marks=pytest.mark.slow)
                for kind in kinds
            ]
        metafunc.parametrize("database_kind", kinds, indirect=True, ids=None if len(kinds) > 1 else [""])


@pytest.fixture(scope="session")
def database_kind(request):
    return request.param


@pytest.fixture(scope="session")
def empty_database(database_kind, tmp_path_factory):
    """A database with every table and no row, to copy: making the tables takes longer than most tests."""
    with homes.home(database_kind, tmp_path_factory.mktemp("empty")) as home:
        with (
            EntityRegistry.isolated()
        ):  # no longer: what is yielded lasts as long as the session, for tests elsewhere too
            support.register_all()
            home.prepare(support.create_tables)
        yield home


@pytest.fixture
async def open_database(empty_database, tmp_path):
    """Opens databases with the settings that a test needs, all on one file or server, and closes them at the end."""
    opened = []
    with empty_database.copy(tmp_path) as where:

        async def open_with(*, events=None, **changes):
            db = await Database(support.settings(**{**where, **changes}), events=events).open()
            opened.append(db)
            return db

        yield open_with
        for db in opened:
            await support.within(10, db.close())


@pytest.fixture
async def db(open_database):
    return await open_database()


@pytest.fixture(scope="session", params=["wheel", pytest.param("listening", marks=pytest.mark.slow)])
def redis_address(request):
    """A Redis that the tests start, and one that listens on this machine, if there is one: another version."""
    if request.param == "listening":
        address = redis_servers.listening_redis()
        if address is None:
            pytest.skip("no Redis listens on this machine")
        yield address
        redis_servers.tidy(address)  # it goes on when the tests are over
        return
    with redis_servers.redis_server() as server:
        yield server.address


@pytest.fixture
def open_program(open_database, redis_address):
    """Opens databases as several programs would: all on one file or server, and with one Redis."""
    prefix = f"test.{secrets.token_hex(6)}"

    async def open_with(**changes):
        return await open_database(
            **{"redis": redis_address, "redis_prefix": prefix, "single_instance": False, **changes}
        )

    return open_with


@pytest.fixture
def told(db):
    """The topic and data of every database event."""
    heard = []
    db.events.subscribe("database.**", lambda event: heard.append((event.event_type, event.data)))
    return heard


@pytest.fixture
async def turns():
    """How often the event loop has turned so far."""
    count = 0

    async def tick():
        nonlocal count
        while True:
            await asyncio.sleep(0)
            count += 1

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    yield lambda: count
    ticking.cancel()
