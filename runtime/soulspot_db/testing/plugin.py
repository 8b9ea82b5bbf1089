"""The pytest plugin: a database per test, its events, and factories for its rows.

Loaded by every pytest run where soulspot-db is installed, so it imports next to nothing; fixtures import what they need.
"""

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

try:
    # The one form of an async fixture that pytest-asyncio takes in its strict mode as well.
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # another plugin for async tests, or none because nothing here is used
    async_fixture = pytest.fixture  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from soulspot_db.database import Database
    from soulspot_db.settings import DatabaseSettings
    from soulspot_db.testing.factories import Factories
    from soulspot_db.testing.recorder import RecordedEvents

__all__ = ["database_file", "database_settings", "db", "events", "factories", "migrated_database"]


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that every test gets a copy of: no rows, and the tables of the generated packages that are imported.

    Without a generated package it has no tables; `await db.create_table("playlist")` makes those of schemas written by
    hand. Override it to begin with rows of your own.
    """
    from soulspot_db.testing.template import make_template  # noqa: PLC0415

    return make_template(tmp_path_factory.mktemp("soulspot-db") / "migrated.db")


@pytest.fixture
def database_file(migrated_database: Path, tmp_path: Path) -> Path:
    """This test's copy of `migrated_database`."""
    import shutil  # noqa: PLC0415

    return Path(shutil.copyfile(migrated_database, tmp_path / "soulspot.db"))


@pytest.fixture
def database_settings(database_file: Path) -> "DatabaseSettings":
    """The settings of `db`; override it to test with others: `database_settings.model_copy(update={...})`."""
    from soulspot_db.testing.template import settings_for_tests  # noqa: PLC0415

    return settings_for_tests(database_file)


@async_fixture
async def db(database_settings: "DatabaseSettings", migrated_database: Path) -> "AsyncIterator[Database]":
    """An open database, this test's own."""
    from soulspot_db.testing.template import CopiedDatabase  # noqa: PLC0415

    async with CopiedDatabase(database_settings, migrated_database) as database:
        yield database


@pytest.fixture
def events(db: "Database") -> "Iterator[RecordedEvents]":
    """The events of `db`, recorded from here on."""
    from soulspot_db.testing.recorder import RecordedEvents  # noqa: PLC0415

    with RecordedEvents(db.events) as recorded:
        yield recorded


@pytest.fixture
def factories(db: "Database", request: pytest.FixtureRequest) -> "Factories":
    """Makes rows of any entity in `db`; seeded with the test's name, so that a failing test fails again."""
    try:
        from soulspot_db.testing.factories import Factories  # noqa: PLC0415
    except ModuleNotFoundError as error:
        pytest.fail(f"`factories` needs more ({error}): pip install 'soulspot-db[testing]'", pytrace=False)
    return Factories(db, seed=zlib.crc32(request.node.nodeid.encode()))
