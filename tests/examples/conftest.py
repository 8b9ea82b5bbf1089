"""The example modules run on a fake of the facade, and on a database of the testing kit with the project's own tables."""

from unittest.mock import AsyncMock

import pytest
from soulspot_db import DatabaseService


@pytest.fixture
async def track_id(factories):
    """A track that is still to be downloaded."""
    return (await factories.create("track"))["id"]


@pytest.fixture
def fake_db():
    return AsyncMock(spec=DatabaseService)
