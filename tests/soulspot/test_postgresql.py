"""Every entity of SoulSpot on a PostgreSQL database that its own migrations have made."""

import importlib

import pytest
import servers
import soulspot_db_entities
from soulspot_db import Database, DatabaseSettings, EntityRegistry
from soulspot_db.testing.factories import Factories
from vaults import new_key

# Others may have registered theirs in this process.
ENTITIES = sorted(
    name
    for name in EntityRegistry.list_entity_types()
    if EntityRegistry.get_schema(name).__module__.startswith(soulspot_db_entities.__name__)
)


@pytest.fixture(autouse=True)
def registry():
    """These entities and no others: every package in the registry wants its own revision."""
    with EntityRegistry.isolated() as isolated:
        importlib.reload(soulspot_db_entities)
        yield isolated


@pytest.fixture(scope="module")
def settings(shared_server):
    with servers.throwaway_database(shared_server) as name:
        address = f"{shared_server.host}:{shared_server.port}/{name}"
        where = {"database": address, "user": shared_server.user, "encryption_keys": [new_key()]}
        yield DatabaseSettings(**where, auto_migrate=True, _env_file=None)


@pytest.fixture
async def db(settings):
    async with Database(settings) as db:
        yield db


def test_all_are_tried():
    assert len(ENTITIES) == 25


@pytest.mark.parametrize("entity", ENTITIES)
async def test_rows_of_every_entity_are_saved_found_by_each_field_and_deleted(db, entity):
    factories = Factories(db)
    fields = EntityRegistry.get_schema(entity).fields
    for row in [await factories.create(entity), await factories.full.create(entity)]:
        assert row in await db.query(entity)
        for field, value in row.items():
            if not isinstance(value, list | dict) and not (fields[field].get("encrypted") and value is not None):
                assert row in await db.query(entity, {field: value}), field
    assert await db.count(entity) >= 2
    await db.delete_where(entity, {}, all_rows=True)
    assert await db.query(entity) == []
