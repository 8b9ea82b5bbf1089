"""Every test has a registry of its own and, where it asks for one, an open database in a file of its own."""

import pytest
import support

from soulspot_db import Database, EntityRegistry


@pytest.fixture(autouse=True)
def registry():
    with EntityRegistry.isolated() as isolated:
        support.register_all()
        yield isolated


@pytest.fixture
async def open_database(tmp_path):
    """Opens databases with the settings that a test needs, all on one file, and closes them at the end."""
    opened = []

    async def open_with(*, events=None, **changes):
        db = Database(support.settings(tmp_path / "soulspot.db", **changes), events=events)
        await db.open()
        opened.append(db)
        await support.create_tables(db)
        return db

    yield open_with
    for db in opened:
        await support.within(10, db.close())


@pytest.fixture
async def db(open_database):
    return await open_database()


@pytest.fixture
def told(db):
    """The topic and data of every database event."""
    heard = []
    db.events.subscribe("database.**", lambda event: heard.append((event.event_type, event.data)))
    return heard
