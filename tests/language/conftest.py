"""One entity that uses everything the language can say, in an open database of its own."""

import shutil

import pytest
from language_support import SCHEMAS, settings
from soulspot_db import Database, EntityRegistry


@pytest.fixture(autouse=True)
def registry():
    with EntityRegistry.isolated():
        for schema in SCHEMAS:
            EntityRegistry.register(schema.entity_type, schema)
        yield


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory):
    """Where the tables are made once, to copy."""
    return tmp_path_factory.mktemp("empty") / "soulspot.db"


@pytest.fixture
async def db(empty_file, tmp_path):
    if not empty_file.exists():
        async with Database(settings(empty_file)) as made:
            for schema in SCHEMAS:
                await made.create_table(schema.entity_type)
    shutil.copy(empty_file, tmp_path / "soulspot.db")
    async with Database(settings(tmp_path / "soulspot.db")) as opened:
        yield opened
