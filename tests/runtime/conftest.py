"""Every test has a registry of its own and, where it asks for one, an open database in a file of its own."""

import asyncio
import shutil

import hypothesis
import pytest
import support
from soulspot_db import Database, EntityRegistry

# How long an example takes says something about the machine alone.
hypothesis.settings.register_profile("soulspot-db", deadline=None)
hypothesis.settings.load_profile("soulspot-db")


@pytest.fixture(autouse=True)
def registry():
    with EntityRegistry.isolated() as isolated:
        support.register_all()
        yield isolated


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A file with every table and no row, to copy: making the tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "soulspot.db"

    async def make():
        async with Database(support.settings(path)) as db:
            await support.create_tables(db)

    with EntityRegistry.isolated():
        support.register_all()
        asyncio.run(make())
    return path


@pytest.fixture
async def open_database(empty_database, tmp_path):
    """Opens databases with the settings that a test needs, all on one file, and closes them at the end."""
    opened = []

    async def open_with(*, events=None, **changes):
        path = tmp_path / "soulspot.db"
        if not path.exists():
            shutil.copy(empty_database, path)
        db = await Database(support.settings(path, **changes), events=events).open()
        opened.append(db)
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
