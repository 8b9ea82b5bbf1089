"""A database that another loop has opened: that loop goes on undisturbed."""

import asyncio
import gc
import threading

import homes
import pytest
import support
from soulspot_db import ConnectionFailedError, Database
from support import within

DATABASES = homes.BOTH


# The sockets of a loop that has ended close when nobody knows them any more, which Python tells of.
LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture
def left_open():
    """Has them close here, where nobody minds."""
    yield
    gc.collect()


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


@LEFT_OPEN
@pytest.mark.usefixtures("left_open")
def test_it_can_be_closed_when_its_own_loop_has_ended(empty_database, tmp_path, elsewhere):
    with empty_database.copy(tmp_path) as where:
        db = Database(support.settings(**where))
        asyncio.run(db.open())
        elsewhere(db.close())
        assert db._engine.connections().total == 0


@LEFT_OPEN
@pytest.mark.usefixtures("left_open")
def test_it_can_be_closed_when_its_own_loop_has_stopped_and_knows_nothing_of_before(empty_database, tmp_path):
    async def elsewhere_changed():
        await db.close()
        support.outside(db, "UPDATE counters SET value = 2")
        async with db:
            return await db.get("counter", "a")

    with empty_database.copy(tmp_path) as where:
        db = Database(support.settings(**where))
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(db.open())
            loop.run_until_complete(db.save("counter", {"name": "a", "value": 1}))
            loop.run_until_complete(db.get("counter", "a"))
            assert asyncio.run(elsewhere_changed())["value"] == 2
        finally:
            loop.close()


async def test_it_cannot_be_opened_again_elsewhere_while_its_own_loop_runs(db, elsewhere):
    with pytest.raises(ConnectionFailedError, match="opened in another event loop"):
        await asyncio.to_thread(elsewhere, db.open())


@LEFT_OPEN
@pytest.mark.usefixtures("left_open")
def test_one_that_was_left_open_is_opened_anew_in_the_next_loop(empty_database, tmp_path):
    with empty_database.copy(tmp_path) as where:
        db = Database(support.settings(**where))

        async def use():
            await db.open()
            return await db.count("counter", fresh=True)

        assert [asyncio.run(use()), asyncio.run(use())] == [0, 0]
        asyncio.run(db.close())


def test_two_tasks_at_once_may_open_it_in_one_loop_after_another(empty_database, tmp_path):
    with empty_database.copy(tmp_path) as where:
        db = Database(support.settings(**where))

        async def contended():
            await asyncio.gather(db.open(), db.open())
            await asyncio.gather(db.close(), db.close())

        for _ in range(2):
            asyncio.run(contended())


@LEFT_OPEN
@pytest.mark.usefixtures("left_open")
def test_a_handler_that_was_at_work_when_its_loop_was_closed_keeps_nobody_waiting(empty_database, tmp_path):
    with empty_database.copy(tmp_path) as where:
        db, heard = Database(support.settings(**where)), []

        async def handle(event):
            heard.append(event.event_type)
            await asyncio.sleep(60)

        db.events.subscribe("own.*", handle)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(db.open())
        loop.run_until_complete(db.events.publish("own.first", {}))
        loop.run_until_complete(asyncio.sleep(0.01))
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False
        loop.close()
        asyncio.run(within(5, db.close()))
        assert heard == ["own.first"]
