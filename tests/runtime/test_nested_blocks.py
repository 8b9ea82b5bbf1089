"""Nested blocks end as themselves: no end of one is taken for that of another, and nothing is lost in silence."""

import asyncio
from contextlib import aclosing

import homes
import pytest
from soulspot_db import TransactionError
from support import at_rest, outside, within

DATABASES = homes.BOTH


@pytest.fixture
async def counters(db):
    await db.save_many("counter", [{"name": "a"}, {"name": "b"}])
    return db


def stored(db):
    return dict(outside(db, "SELECT name, value FROM counters ORDER BY name"))


def pending(db):
    """Rows, each of which is yielded inside a block."""

    async def rows():
        async with db.transaction():
            for row in await db.query("counter", order_by="name"):
                yield row

    return rows()


async def test_what_a_forgotten_generator_would_undo_of_a_block_undoes_the_whole_block(counters, caplog):
    """The generator is closed by the loop at some later moment, by when the block has written in its nested block."""
    with pytest.raises(TransactionError, match="gone"):
        async with counters.transaction():
            async for _ in pending(counters):
                break
            await counters.update("counter", "a", {"value": 1})
            await asyncio.sleep(0.02)
            await counters.update("counter", "b", {"value": 1})
    assert stored(counters) == {"a": 0, "b": 0}
    assert "nested block of a transaction opened at" in caplog.text
    assert "was left by an async generator that was not used up" in caplog.text
    await at_rest(counters)


async def test_a_forgotten_generator_in_whose_block_nothing_was_written_is_no_matter(counters, caplog):
    async with counters.transaction():
        async for _ in pending(counters):
            break
        await asyncio.sleep(0.02)
        await counters.update("counter", "a", {"value": 1})
        await counters.update("counter", "b", {"value": 1})
    assert stored(counters) == {"a": 1, "b": 1}
    assert "generator" not in caplog.text


async def test_what_was_only_published_in_the_block_of_a_forgotten_generator_is_not_lost_either(counters):
    with pytest.raises(TransactionError, match="gone"):
        async with counters.transaction() as tx:
            async for _ in pending(counters):
                break
            await tx.events.publish("scan.began", {})
            await asyncio.sleep(0.02)
            await counters.update("counter", "a", {"value": 1})
    assert stored(counters) == {"a": 0, "b": 0}


async def test_a_generator_that_is_closed_on_purpose_undoes_its_block_alone_and_says_so(counters, caplog):
    async with counters.transaction():
        async with aclosing(pending(counters)) as rows:
            async for _ in rows:
                await counters.update("counter", "a", {"value": 1})
                break
        await counters.update("counter", "b", {"value": 1})
    assert stored(counters) == {"a": 0, "b": 1}
    assert "was left by an async generator that was not used up" in caplog.text


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "used up"])
async def test_a_nested_block_that_ends_before_one_inside_it_undoes_the_transaction(counters, closes):
    rows = pending(counters)
    with pytest.raises(TransactionError, match="has not ended"):
        async with counters.transaction(), counters.transaction():
            await counters.update("counter", "a", {"value": 1})
            await anext(rows)
    await within(5, rows.aclose() if closes else anext(rows))
    assert stored(counters) == {"a": 0, "b": 0}
    await at_rest(counters)


async def test_a_nested_block_that_raises_takes_those_inside_it_and_the_outer_block_goes_on(counters):
    async with counters.transaction():
        with pytest.raises(KeyError):
            async with counters.transaction():
                async for _ in pending(counters):
                    await counters.update("counter", "a", {"value": 1})
                    raise KeyError
        await counters.update("counter", "b", {"value": 1})
        await asyncio.sleep(0.02)  # the generator is closed
    assert stored(counters) == {"a": 0, "b": 1}
    await at_rest(counters)


@pytest.mark.parametrize("on_purpose", [True, False], ids=["on purpose", "by the loop"])
@pytest.mark.parametrize("fails", [True, False], ids=["fails", "ends well"])
async def test_a_generator_that_is_closed_before_a_block_inside_its_own_undoes_the_transaction(
    counters, on_purpose, fails
):
    """What is written in the block that goes on must not count as written outside it."""
    with pytest.raises(TransactionError, match="gone"):
        async with counters.transaction():
            rows = pending(counters)
            await anext(rows)
            with pytest.raises((KeyError, TransactionError)):
                async with counters.transaction():
                    if on_purpose:
                        await rows.aclose()
                    del rows
                    await asyncio.sleep(0.02)
                    await counters.update("counter", "a", {"value": 1})
                    if fails:
                        raise KeyError
            await counters.update("counter", "b", {"value": 1})
    assert stored(counters) == {"a": 0, "b": 0}
    await at_rest(counters)


async def test_a_nested_block_that_ends_well_after_one_around_it_was_undone_raises(counters):
    rows = pending(counters)
    with pytest.raises(TransactionError, match="gone"):
        async with counters.transaction():
            with pytest.raises(KeyError):
                async with counters.transaction():
                    await anext(rows)
                    raise KeyError
            with pytest.raises(TransactionError, match="around it was undone"):
                async for _ in rows:
                    await counters.update("counter", "a", {"value": 1})
    assert stored(counters) == {"a": 0, "b": 0}


# Read-only blocks.


async def test_a_block_inside_a_read_only_block_must_not_write_either(counters):
    async with counters.transaction() as tx:
        async with tx.transaction(read_only=True), tx.transaction():
            with pytest.raises(TransactionError, match="read-only"):
                await tx.update("counter", "a", {"value": 1})
        await tx.update("counter", "b", {"value": 1})
    assert stored(counters) == {"a": 0, "b": 1}


async def test_a_write_that_waits_while_a_read_only_block_begins_is_refused(counters):
    async with counters.transaction() as tx:
        await tx._turn.acquire()  # as a long statement has it
        block = tx.transaction(read_only=True)
        opening = asyncio.create_task(block.__aenter__())
        await asyncio.sleep(0)
        writing = asyncio.create_task(tx.update("counter", "a", {"value": 1}))
        await asyncio.sleep(0)
        tx._turn.release()
        await within(5, opening)
        with pytest.raises(TransactionError, match="read-only"):
            await within(5, writing)
        await block.__aexit__(None, None, None)
    assert stored(counters) == {"a": 0, "b": 0}


# Errors of the end.

KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"


@pytest.fixture
def lost(db):
    """Ends the connections of open transactions, as a server does that is stopped."""
    if db.settings.database_type == "sqlite":
        pytest.skip("a file has no connection to lose")

    async def lose():
        await asyncio.to_thread(outside, db, KILL)
        await asyncio.sleep(0.05)

    return lose


async def test_a_cancellation_stays_one_where_the_nested_block_cannot_be_undone(counters, lost):
    opened = asyncio.Event()

    async def work():
        async with counters.transaction() as tx, tx.transaction():
            await tx.update("counter", "a", {"value": 1})
            opened.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(work())
    await within(5, opened.wait())
    await lost()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(5, task)
    assert task.cancelled()
    assert stored(counters) == {"a": 0, "b": 0}


async def test_the_error_that_left_a_nested_block_stays_the_callers_where_it_cannot_be_undone(counters, lost):
    with pytest.raises(KeyError):
        async with counters.transaction() as tx, tx.transaction():
            await tx.update("counter", "a", {"value": 1})
            await lost()
            raise KeyError
    assert stored(counters) == {"a": 0, "b": 0}
