"""The example modules run on a fake of the facade, and on a database with the project's own migrations.

The migrations run once per session; every test that asks for a database gets a copy of the file.
"""

import asyncio
import shutil
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
import support
from soulspot_db import Database, DatabaseService
from soulspot_db.migrations.runner import migrate
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackCreate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("migrated") / "soulspot.db"
    with asyncio.Runner() as runner:
        runner.run(migrate(support.settings(path), ROOT / "migrations"))
    return path


@pytest.fixture
def database_file(migrated_file, tmp_path):
    return Path(shutil.copy(migrated_file, tmp_path / "soulspot.db"))


@pytest.fixture
async def db(database_file):
    async with Database(support.settings(database_file)) as db:
        yield db


@pytest.fixture
async def track_id(db):
    """A track that is still to be downloaded."""
    track = await Repositories(db).library.track.save(TrackCreate(title="La femme d'argent", artist="Air"))
    return str(track.id)


@pytest.fixture
def fake_db():
    return AsyncMock(spec=DatabaseService)
