"""A database that another loop has opened: that loop goes on undisturbed."""

import asyncio
import threading

import homes
import pytest
import support
from soulspot_db import ConnectionFailedError, Database
from support import within

DATABASES = homes.BOTH


@pytest.fixture
def elsewhere():
    """A loop that runs in another thread, and runs what it is given there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(what):
        return asyncio.run_coroutine_threadsafe(within(10, what), loop).result(20)

    yield run
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_it_cannot_be_closed_while_its_own_loop_runs(db, elsewhere):
    await db.save("counter", {"name": "a"})
    with pytest.raises(ConnectionFailedError, match="opened in another event loop"):
        await asyncio.to_thread(elsewhere, db.close())
    assert await db.get("counter", "a", fresh=True) == {"name": "a", "value": 0}


@pytest.mark.sqlite_only
def test_it_can_be_closed_when_its_own_loop_has_ended(empty_database, tmp_path, elsewhere):
    with empty_database.copy(tmp_path) as where:
        db = Database(support.settings(**where))
        asyncio.run(db.open())
        elsewhere(db.close())
        assert db._engine.connections().total == 0
