"""SoulSpot's entities in a database that their migrations have made: a copy for each test, on each of its DATABASES."""

import importlib

import homes
import pytest
import soulspot_db_entities
from soulspot_db import Database, DatabaseSettings, EntityRegistry
from soulspot_db.testing.factories import Factories
from soulspot_db_entities import Repositories
from vaults import new_key


def pytest_generate_tests(metafunc):
    if "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", metafunc.module.DATABASES, indirect=True)


@pytest.fixture(scope="session")
def database_kind(request):
    return request.param


@pytest.fixture(scope="session")
def migrated_home(database_kind, tmp_path_factory):
    """A home whose database has SoulSpot's tables and no rows."""

    async def migrate(db):
        importlib.reload(soulspot_db_entities)  # registers them; whose migrations were missing until now
        async with Database(db.settings.model_copy(update={"auto_migrate": True})):
            pass

    with homes.home(database_kind, tmp_path_factory.mktemp("soulspot")) as home:
        with EntityRegistry.isolated():  # no longer: what is yielded lasts as long as the session
            home.prepare(migrate)
        yield home


@pytest.fixture
def place(migrated_home, tmp_path):
    """The settings that lead to a database with SoulSpot's tables and no rows."""
    with EntityRegistry.isolated(), migrated_home.copy(tmp_path) as where:
        importlib.reload(soulspot_db_entities)
        yield where | {"connection_pool_size": 5, "encryption_keys": [new_key()]}


@pytest.fixture
async def soulspot(place):
    """It is open."""
    async with Database(DatabaseSettings(**place, _env_file=None)) as db:
        yield db


@pytest.fixture
async def rivals(place):
    """Two that have opened it and know nothing of each other, as two processes."""
    settings = DatabaseSettings(**{**place, "single_instance": False}, _env_file=None)
    async with Database(settings) as one, Database(settings) as other:
        yield one, other


@pytest.fixture
def repos(soulspot):
    return Repositories(soulspot)


@pytest.fixture
def factories(soulspot):
    return Factories(soulspot)


@pytest.fixture
def make(factories):
    """Makes rows: `await make(ArtistRepository, {"name": "Air"}, ...)`."""

    async def make(repository, *rows, **shared):
        return [await factories.create(repository, **shared, **row) for row in rows]

    return make
