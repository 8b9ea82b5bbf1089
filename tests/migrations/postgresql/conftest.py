"""The same revisions on a PostgreSQL server that the tests start, and on one that listens here, if there is one."""

from concurrent.futures import ThreadPoolExecutor

import homes
import pytest
import servers
from soulspot_db import DatabaseSettings
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.connection import reading, with_driver
from soulspot_db.migrations.live import read_structure


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        listening = pytest.param("listening", marks=pytest.mark.slow)  # much the same once more: in `make test-all`
        kinds = getattr(metafunc.module, "SERVERS", ("started", listening))
        metafunc.parametrize("server", kinds, indirect=True)


@pytest.fixture(scope="session")
def server(request):
    if request.param == "started":
        return request.getfixturevalue("shared_server")
    address = servers.listening_postgres()
    if address is None:
        pytest.skip("no PostgreSQL listens on this machine")
    return address


@pytest.fixture
def database(server):
    with servers.throwaway_database(server) as name:
        yield name


@pytest.fixture
def settings(server, database):
    return DatabaseSettings(
        database=f"{server.host}:{server.port}/{database}", user=server.user, pool_timeout=20, _env_file=None
    )


@pytest.fixture
def sql(settings):
    """Run statements on the database, as somebody with a shell would."""

    def run(*statements):
        found = []
        for statement in statements:
            found = homes.on_server(settings, statement, ())
        return found

    return run


@pytest.fixture
def structure(settings):
    """The tables as they are."""

    def read():
        with reading(settings) as connection:
            return read_structure(connection)

    def in_a_thread():
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(with_driver, settings, read).result()

    return in_a_thread


@pytest.fixture
def content(sql, structure):
    """The tables and every row."""

    def read():
        tables = structure()
        return tables, {name: sorted(map(repr, sql(f"SELECT * FROM {quoted(name)}"))) for name in tables}

    return read


@pytest.fixture
async def holding(settings):
    """Runs a statement in a transaction that stays open until it is told to end."""
    connection = await homes.connect(settings)

    async def hold(statement):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement)
        return transaction

    yield hold
    await connection.close()
