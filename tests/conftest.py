"""What holds for every test, and what is made once for all tests of a run, because it takes its time."""

import hypothesis
import pytest
from forking import forking
from servers import postgres_server

# How long an example of Hypothesis takes says something about the machine alone.
hypothesis.settings.register_profile("soulspot-db", deadline=None)
hypothesis.settings.load_profile("soulspot-db")


@pytest.fixture(scope="session")
def programs():
    """Starts programs that migrate, in processes of their own."""
    with forking("soulspot_db.cli.migrate", "soulspot_db.migrations.runner", "soulspot_db.migrations.steps") as found:
        yield found


@pytest.fixture(scope="session")
def shared_server():
    """A PostgreSQL server that runs on: each test has a database of its own on it, and leaves nothing else behind."""
    with postgres_server(fsync="off", max_connections=50) as server:
        yield server.address
