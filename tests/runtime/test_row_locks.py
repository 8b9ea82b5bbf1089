"""Rows that others keep locked, on PostgreSQL: how long who waits, and what they get who wait for each other."""

import asyncio
import contextvars

import pytest
from soulspot_db import LockedError
from support import connected, within

DATABASES = ("postgresql", pytest.param("listening", marks=pytest.mark.slow))


@pytest.fixture
async def counters(open_database):
    """Opens a database with two counters, in which who waits for a row does so for so many seconds."""

    async def with_patience(seconds):
        db = await open_database(pool_timeout=seconds)
        await connected(db, 6)
        await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
        return db

    return with_patience


def alone(call):
    """A call in a task of its own, which joins no block."""
    return asyncio.create_task(call, context=contextvars.Context())


async def test_who_waits_for_other_writes_of_a_row_waits_no_longer_than_the_first_of_them(counters):
    """Each has its turn only when the one before it is over; that one waits for the row as long as it may."""
    db = await counters(0.5)
    async with db.transaction() as tx:
        await tx.update("counter", "a", {"value": 1})
        began = asyncio.get_running_loop().time()
        writes = [alone(db.update("counter", "a", {"value": 2})) for _ in range(5)]
        outcomes = await within(10, asyncio.gather(*writes, return_exceptions=True))
        took = asyncio.get_running_loop().time() - began
    assert [type(outcome) for outcome in outcomes] == [LockedError] * 5
    assert took < 1.5  # not half a second for each, one after another
    assert await db.update("counter", "a", {"value": 3}) is True


async def test_of_two_blocks_that_wait_for_each_other_one_is_locked_and_may_be_run_again(counters):
    db = await counters(10)  # longer than the server takes to find out

    async def write(first, second, mine, other):
        async with db.transaction() as tx:
            await tx.update("counter", first, {"value": 1})
            mine.set()
            await other.wait()
            await tx.update("counter", second, {"value": 1})

    one, two = asyncio.Event(), asyncio.Event()
    outcomes = await within(
        10,
        asyncio.gather(alone(write("a", "b", one, two)), alone(write("b", "a", two, one)), return_exceptions=True),
    )
    failed = [outcome for outcome in outcomes if outcome is not None]
    assert [(type(error), error.code, error.retryable) for error in failed] == [(LockedError, "DATABASE_LOCKED", True)]


async def test_blocks_that_wait_for_each_other_both_come_to_their_end_when_they_are_run_again(counters):
    db = await counters(10)

    async def add(first, second):
        async def work(tx):
            for name in (first, second):
                row = await tx.get("counter", name)
                await tx.update("counter", name, {"value": row["value"] + 1})
                await asyncio.sleep(0.02)

        await db.run_in_transaction(work, attempts=20)

    await within(30, asyncio.gather(alone(add("a", "b")), alone(add("b", "a"))))
    assert [row["value"] for row in await db.query("counter", order_by="name")] == [2, 2]
