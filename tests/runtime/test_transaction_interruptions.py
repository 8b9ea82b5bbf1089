"""Statements that are stopped, and callers that leave, among others: the others are right, and nothing commits on its own."""

import asyncio
import contextvars
import time

import homes
import pytest
import support
from soulspot_db import QueryTimeoutError, TransactionError
from soulspot_db.engine.base import Statement
from soulspot_db.sessions.operations import Effects, Read, Write
from support import ENDLESS, at_rest, outside, until, within

DATABASES = homes.BOTH

ADD = "UPDATE counters SET value = value + 1 WHERE name = 'counted'"
ENDLESS_WRITE = f"INSERT INTO counters (name, value) SELECT 'endless', ({ENDLESS})"


@pytest.fixture
async def db(open_database):
    return await open_database(query_timeout=0.15)


def write(db, *statements):
    """Send statements as a repository does, with nothing that hangs on them."""
    return db.session.write(Write([Statement(sql) for sql in statements], (), lambda _rows: Effects(), lambda _rows: 1))


def save(db, name):
    return db.save("counter", {"name": name})


def runs(db, sql):
    """Whether the writer is at this statement; all of its group are claimed then."""
    job = db._engine._writer._job
    return job is not None and job.statements[0].sql == sql


def stored(db):
    return [name for (name,) in outside(db, "SELECT name FROM counters ORDER BY name")]


async def created(db, told):
    await db.events.settle()
    return [data["entity_id"] for topic, data in told if topic.endswith("created")]


def alone(call):
    """A task that is in no transaction."""
    return asyncio.create_task(call, context=contextvars.Context())


async def waiting(*calls):
    tasks = [alone(call) for call in calls]
    await asyncio.sleep(0.02)
    return tasks


async def outcomes(tasks):
    return [type(outcome) for outcome in await within(10, asyncio.gather(*tasks, return_exceptions=True))]


@pytest.mark.sqlite_only
async def test_a_stopped_write_in_a_group_leaves_the_others_with_their_events_and_the_cache_right(db, told):
    await save(db, "counted")
    for name in ("a", "b", "endless"):
        assert await db.get("counter", name) is None  # kept as missing
    async with db.transaction():
        calls = (save(db, "a"), write(db, ADD), write(db, ENDLESS_WRITE), write(db, ADD), save(db, "b"))
        tasks = await waiting(*calls)
    assert await outcomes(tasks) == [str, int, QueryTimeoutError, int, str]
    assert (await db.get("counter", "a"), await db.get("counter", "endless")) == ({"name": "a", "value": 0}, None)
    assert outside(db, "SELECT value FROM counters WHERE name = 'counted'") == [(2,)]  # each was done once
    assert await created(db, told) == ["counted", "a", "b"]
    await at_rest(db, "a", "b", "endless")


async def test_a_job_of_several_statements_of_which_one_is_stopped_leaves_none_of_them(db, told):
    async with db.transaction():
        first = f"{ADD.replace('value + 1', '7')}"
        tasks = await waiting(save(db, "counted"), write(db, first, ENDLESS_WRITE, ADD), save(db, "b"))
    assert await outcomes(tasks) == [str, QueryTimeoutError, str]
    assert outside(db, "SELECT name, value FROM counters ORDER BY name") == [("b", 0), ("counted", 0)]
    assert sorted(await created(db, told)) == ["b", "counted"]
    await at_rest(db)


@pytest.mark.sqlite_only
async def test_a_group_in_which_two_are_stopped_is_right_too(db, told):
    async with db.transaction():
        calls = [save(db, "a"), write(db, ENDLESS_WRITE), save(db, "b"), write(db, ENDLESS_WRITE), save(db, "c")]
        tasks = await waiting(*calls)
    assert await outcomes(tasks) == [str, QueryTimeoutError, str, QueryTimeoutError, str]
    assert stored(db) == ["a", "b", "c"]
    assert await created(db, told) == ["a", "b", "c"]
    await at_rest(db, "endless")


@pytest.mark.sqlite_only
async def test_callers_of_a_group_that_leave_before_it_begins_have_written_nothing_and_those_who_leave_later_have(
    db, told
):
    async with db.transaction():
        tasks = await waiting(save(db, "early"), save(db, "a"), write(db, ENDLESS_WRITE), save(db, "late"))
        tasks[0].cancel()
        await asyncio.sleep(0)
    await until(lambda: runs(db, ENDLESS_WRITE))
    tasks[3].cancel()
    assert await outcomes(tasks) == [asyncio.CancelledError, str, QueryTimeoutError, asyncio.CancelledError]
    assert stored(db) == ["a", "late"]
    assert await created(db, told) == ["a", "late"]
    await at_rest(db, "early", "endless")


@pytest.mark.sqlite_only
async def test_the_caller_of_a_stopped_write_may_have_left(db, told):
    async with db.transaction():
        tasks = await waiting(save(db, "a"), write(db, ENDLESS_WRITE), save(db, "b"))
    await until(lambda: runs(db, ENDLESS_WRITE))
    tasks[1].cancel()
    assert await outcomes(tasks) == [str, asyncio.CancelledError, str]
    assert stored(db) == ["a", "b"]
    assert await created(db, told) == ["a", "b"]
    await at_rest(db, "endless")


@pytest.mark.parametrize("sql", [ENDLESS, ENDLESS_WRITE], ids=["read", "write"])
@pytest.mark.parametrize("nested", [False, True], ids=["in a block", "in a nested block"])
async def test_after_a_stopped_statement_nothing_of_its_transaction_is_stored_and_no_later_call_commits_on_its_own(
    db, told, sql, nested
):
    await save(db, "counted")
    await db.get("counter", "counted")
    reached = []  # what is raised too early would look like what the end of the block raises

    async def stopped():
        await db.update("counter", "counted", {"value": 3})
        await write(db, sql)

    with pytest.raises(TransactionError, match="gone"):
        async with db.transaction() as tx:
            await save(db, "before")
            with pytest.raises(QueryTimeoutError):
                if nested:
                    async with tx.transaction():
                        await stopped()
                else:
                    await stopped()
            with pytest.raises(TransactionError, match="gone"):
                await save(db, "after")
            with pytest.raises(TransactionError, match="gone"):
                async with tx.transaction():
                    await save(db, "after")
            reached.append("the end")
    assert reached
    assert await within(5, save(db, "other")) == "other"
    assert stored(db) == ["counted", "other"]
    assert (await db.get("counter", "counted"))["value"] == 0
    assert await created(db, told) == ["counted", "other"]
    await at_rest(db, "before", "after", "endless")


async def test_statements_of_other_tasks_of_a_transaction_that_is_lost_meanwhile_are_not_stored(db, told):
    with pytest.raises(TransactionError, match="gone"):
        async with db.transaction():
            calls = [save(db, "a"), write(db, ENDLESS_WRITE), save(db, "b"), save(db, "c")]
            tasks = [asyncio.create_task(call) for call in calls]
            assert await outcomes(tasks) == [str, QueryTimeoutError, TransactionError, TransactionError]
    assert stored(db) == []
    assert await created(db, told) == []
    await at_rest(db, "a", "b", "c", "endless")


async def test_a_stopped_read_in_a_read_only_block_ends_it_and_frees_its_reader(open_database):
    db, reached = await open_database(query_timeout=0.1, connection_pool_size=1), []
    with pytest.raises(TransactionError, match="gone"):
        async with db.transaction(read_only=True) as tx:
            with pytest.raises(QueryTimeoutError):
                await tx._lease.execute([Statement(ENDLESS)], lambda outcome: outcome.result())
            with pytest.raises(TransactionError, match="gone"):
                await tx.count("counter")
            reached.append("the end")
    assert reached
    assert await within(5, db.count("counter")) == 0
    await at_rest(db)


async def test_a_callback_that_is_stopped_is_not_run_again(db):
    runs = []

    async def callback(_tx):
        runs.append(1)
        await write(db, ENDLESS_WRITE)

    with pytest.raises(QueryTimeoutError):
        await db.run_in_transaction(callback)
    assert runs == [1]
    await at_rest(db, "endless")


async def test_a_nested_block_that_cannot_be_ended_takes_its_transaction_with_it(db, monkeypatch):
    """What the caller of the nested block was told has failed must not be stored by the outer block."""
    reached = []
    with pytest.raises(TransactionError, match="gone"):
        async with db.transaction() as tx:
            send = tx._command

            async def failing(sql):
                await send("no statement" if sql.startswith("RELEASE") else sql)

            monkeypatch.setattr(tx, "_command", failing)
            with pytest.raises(Exception, match="syntax"):
                async with tx.transaction():
                    await save(db, "a")
            with pytest.raises(TransactionError, match="gone"):
                await save(db, "b")
            reached.append("the end")
    assert reached
    assert stored(db) == []
    await at_rest(db, "a", "b")


def read(db, tx, sql):
    """Ask as a repository does."""
    region = db.session.plans.of(support.CounterSchema).region
    return tx.read(Read(region, None, (), lambda: Statement(sql), len))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("read_only", [True, False])
async def test_a_read_in_a_block_stops_when_its_caller_leaves_and_the_block_goes_on(db, read_only):
    await db.save("counter", {"name": "a"})
    async with db.transaction(read_only=read_only) as tx:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await within(5, read(db, tx, ENDLESS))
        assert await within(1, tx.count("counter")) == 1


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_block_goes_on_after_a_read_whose_caller_has_left(open_database, read_only):
    db = await open_database()
    slow = ENDLESS.replace("1e11", "2e6")
    async with db.transaction(read_only=read_only) as tx:
        if not read_only:
            await save(db, "before")
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await read(db, tx, slow)
        assert time.monotonic() - began < 0.2
        child = asyncio.create_task(read(db, tx, slow))
        await asyncio.sleep(0.02)
        child.cancel()
        await asyncio.wait([child])
        assert await tx.count("counter") == (0 if read_only else 1)
        if not read_only:
            await save(db, "after")
    assert stored(db) == ([] if read_only else ["after", "before"])
    await at_rest(db)


async def test_a_block_that_is_left_in_a_read_ends_at_once(open_database):
    db = await open_database(connection_pool_size=1, max_overflow=0)

    async def block():
        async with db.transaction() as tx:
            await save(db, "never")
            await read(db, tx, ENDLESS)

    running = alone(block())
    await asyncio.sleep(0.1)
    running.cancel()
    assert await outcomes([running]) == [asyncio.CancelledError]
    assert await within(2, save(db, "other")) == "other"
    assert stored(db) == ["other"]
    await at_rest(db)


async def test_closing_stops_a_read_in_a_block_whose_caller_has_left(open_database):
    db = await open_database()
    with pytest.raises(TransactionError, match="gone"):
        async with db.transaction() as tx:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await read(db, tx, ENDLESS)
            await within(2, db.close())
