"""A database that does not exist yet, and SoulSpot's own migrations."""

from pathlib import Path

import pytest
from soulspot_db import DatabaseSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def migrations():
    return ROOT / "migrations"


@pytest.fixture
def settings(tmp_path):
    return DatabaseSettings(database_path=tmp_path / "soulspot.db", _env_file=None)
