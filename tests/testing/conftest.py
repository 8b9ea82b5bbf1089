"""The kit is tested with the schemas of `kit_schemas.py`, in a registry of its own."""

import kit_schemas
import pytest
from soulspot_db import EntityRegistry
from soulspot_db.testing.template import make_template


@pytest.fixture(autouse=True)
def registry():
    with EntityRegistry.isolated() as isolated:
        kit_schemas.register_all()
        yield isolated


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory):
    """Without tables, whatever generated packages other tests have imported before."""
    with EntityRegistry.isolated():
        return make_template(tmp_path_factory.mktemp("kit") / "empty.db")


@pytest.fixture
async def tables(db):
    for schema in kit_schemas.SCHEMAS:
        await db.create_table(schema.entity_type)
