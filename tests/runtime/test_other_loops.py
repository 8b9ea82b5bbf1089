"""A database belongs to one event loop: others are refused at once, and one that ended leaves nothing that others trip over."""

import asyncio
import threading

import homes
import pytest
import support
from soulspot_db import ConnectionFailedError, Database, DatabaseError, fairness
from support import at_rest, within

DATABASES = homes.BOTH


async def outcome(call):
    """The code of the error that a call raises, or what it returns; None where it hangs."""
    try:
        return await asyncio.wait_for(call(), 2)
    except DatabaseError as error:
        return error.code
    except TimeoutError:
        return None


async def in_another_loop(*calls):
    """What becomes of calls in the loop of another thread, with this task's context."""

    async def all_of_them():
        return [await outcome(call) for call in calls]

    return await asyncio.to_thread(lambda: asyncio.run(all_of_them()))


@pytest.fixture
async def counters(db):
    await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
    return db


REFUSED = "DATABASE_CONNECTION_FAILED"


async def test_another_loop_is_refused_whether_the_answer_is_in_memory_or_not(counters):
    db = counters
    calls = (
        lambda: db.get("counter", "a"),
        lambda: db.get("counter", "a", fresh=True),
        lambda: db.get_many("counter", ["a", "b"]),
        lambda: db.query("counter"),
        lambda: db.count("counter"),
        lambda: db.save("counter", {"name": "c"}),
        lambda: db.cache.get("counter:a"),
        lambda: db.cache.invalidate("counter:a"),
        lambda: db.cache.invalidate_pattern("counter:*"),
        db.cache.clear,
    )
    for call in calls[:5]:
        await call()  # now it is in memory
    assert await within(60, in_another_loop(*calls)) == [REFUSED] * len(calls)
    await at_rest(db)


async def test_another_loop_is_refused_also_while_this_one_is_in_the_middle_of_a_turn(counters, monkeypatch):
    """A turn has a time in which answers from memory wait for nothing; that is not for others."""
    monkeypatch.setattr(fairness, "_SLICE", 60)
    await counters.get("counter", "a")
    counters._cache.turns.are_due()
    outcomes = []
    thread = threading.Thread(
        target=lambda: outcomes.append(asyncio.run(outcome(lambda: counters.get("counter", "a"))))
    )
    thread.start()
    thread.join()  # the loop stands still
    assert outcomes == [REFUSED]


@pytest.mark.parametrize("inline", [True, False])
async def test_whoever_asks_after_another_loop_has_asked_is_answered(open_database, inline):
    """Rows that are asked for in one turn come together; another loop's turns are not this one's."""
    db = await open_database(inline_reads=inline)
    await db.save("counter", {"name": "a"})
    asking, asked = threading.Event(), threading.Event()

    async def ask():
        first = asyncio.ensure_future(db.get("counter", "x", fresh=True))
        await asyncio.sleep(0)  # it has asked
        asking.set()
        asked.wait(5)  # its loop stands still before the end of the turn
        return await outcome(lambda: first)

    other = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(ask())))
    await asyncio.to_thread(asking.wait, 5)
    mine = asyncio.create_task(outcome(lambda: db.get("counter", "a", fresh=True)))
    for _ in range(3):
        await asyncio.sleep(0)
    asked.set()
    assert await within(10, mine) == {"name": "a", "value": 0}
    assert await within(10, other) == REFUSED


@pytest.mark.parametrize("what", ["read", "read many", "write", "nested block"])
async def test_a_block_is_not_joined_by_the_loop_of_a_thread_that_was_started_inside_it(counters, what):
    db = counters

    async def nested():
        async with db.transaction():
            pass

    call = {
        "read": lambda: db.get("counter", "a"),
        "read many": lambda: db.get_many("counter", ["a", "b"]),
        "write": lambda: db.update("counter", "a", {"value": 7}),
        "nested block": nested,
    }[what]
    async with db.transaction():
        assert await within(10, in_another_loop(call, call)) == [REFUSED] * 2
        await db.update("counter", "b", {"value": 1})
    assert await db.query("counter", order_by="name") == [{"name": "a", "value": 0}, {"name": "b", "value": 1}]
    await at_rest(db)


def ended(loop, left):
    """End a loop as nobody should, without a word to what is in the middle of something, nor to who looks for that."""
    for task in left:
        task._log_destroy_pending = False
    loop.close()


async def opened_again(db, left):
    """Another loop is refused until the database is closed, and can then open it and finds nothing of the first one."""
    for call in (lambda: db.get("counter", "a"), lambda: db.count("counter"), lambda: db.cache.get("counter:a")):
        with pytest.raises(ConnectionFailedError, match="another event loop"):
            await within(5, call())
    await within(10, db.close(drain=0))
    await within(10, db.open())
    rows = await within(5, asyncio.gather(*(db.get("counter", name) for name in ("a", "b", "a"))))
    assert [row and row["name"] for row in rows] == ["a", None, "a"]
    await at_rest(db, "b")
    assert await within(5, db.update("counter", "a", {"value": 9}))
    await at_rest(db, "b")
    assert (await db.get("counter", "a"))["value"] == 9
    await within(10, db.close())
    assert left  # held until now, so that nobody has collected it


@pytest.mark.sqlite_only
def test_rows_that_were_asked_for_when_a_loop_ended_can_be_asked_for_in_another_one(empty_database, tmp_path):
    with empty_database.copy(tmp_path) as where:
        db, left = Database(support.settings(**where, inline_reads=False)), []

        async def leave():
            await db.open()
            await db.save("counter", {"name": "a"})
            await db.get("counter", "a")
            left.extend(asyncio.ensure_future(db.get("counter", name, fresh=True)) for name in "ab")
            asyncio.get_running_loop().call_soon(loop.stop)
            await asyncio.sleep(0)

        loop = asyncio.new_event_loop()
        left.append(loop.create_task(leave()))
        loop.run_forever()
        assert db._session._batches._waiting
        ended(loop, left)
        asyncio.run(opened_again(db, left))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("inline", [True, False])
def test_what_was_being_written_and_loaded_when_a_loop_ended_is_not_waited_for_by_another_one(
    empty_database, tmp_path, inline
):
    with empty_database.copy(tmp_path) as where:
        db, left = Database(support.settings(**where, inline_reads=inline)), []

        async def leave():
            await db.open()
            await db.save("counter", {"name": "a"})
            await db.get("counter", "a")
            left.append(asyncio.ensure_future(db.query("counter", order_by="name")))
            await asyncio.sleep(0)
            left.append(asyncio.ensure_future(db.update("counter", "a", {"value": 1})))
            while not support.being_written(db):
                await asyncio.sleep(0)
            loop.stop()  # before the writer's answer can arrive

        loop = asyncio.new_event_loop()
        left.append(loop.create_task(leave()))
        loop.run_forever()
        assert support.being_written(db)
        ended(loop, left)
        asyncio.run(opened_again(db, left))


async def test_another_loop_that_ends_in_the_middle_of_a_turn_makes_no_read_of_this_one_slower(counters):
    turns = counters._cache.turns

    def ask():
        loop = asyncio.new_event_loop()

        async def first():
            turns.are_due()
            loop.stop()

        asking = loop.create_task(first())
        loop.run_forever()
        assert asking.done()
        loop.close()

    await asyncio.to_thread(ask)
    await asyncio.sleep(0.005)
    assert not turns.are_due()
