"""Transactions and tasks: who joins, who must not, and what cancellation leaves behind."""

import asyncio
import contextlib
import contextvars

import homes
import pytest
from soulspot_db import TransactionError
from support import at_rest, outside, until, within

DATABASES = homes.BOTH


async def names(db):
    return [row["name"] for row in await db.query("counter", order_by="name", fresh=True)]


def save(db, name):
    return db.save("counter", {"name": name})


async def test_tasks_started_inside_a_block_join_its_transaction(db):
    with pytest.raises(KeyError):
        async with db.transaction():
            await asyncio.gather(*(save(db, name) for name in "abc"))
            assert await db.count("counter") == 3
            raise KeyError
    assert await names(db) == []


async def test_a_task_started_before_the_block_does_not_join(db):
    go = asyncio.Event()

    async def other():
        await go.wait()
        return await db.count("counter")

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    async with db.transaction():
        await save(db, "a")
        go.set()
        assert await within(5, task) == 0


async def test_a_task_with_an_empty_context_does_not_join(db):
    async with db.transaction():
        await save(db, "a")
        task = asyncio.create_task(db.count("counter"), context=contextvars.Context())
        assert await within(5, task) == 0


async def test_after_the_block_the_calls_of_its_tasks_are_ordinary_calls(db):
    ended = asyncio.Event()

    async def late():
        await ended.wait()
        await save(db, "late")
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "later"})

    async with db.transaction():
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    ended.set()
    await within(5, task)
    assert await names(db) == ["late", "later"]


async def test_a_nested_block_while_another_task_has_one_open_raises(db):
    opened, done = asyncio.Event(), asyncio.Event()

    async def nested():
        async with db.transaction():
            await save(db, "nested")
            opened.set()
            await done.wait()

    async with db.transaction() as tx:
        task = asyncio.create_task(nested())
        await within(5, opened.wait())
        with pytest.raises(TransactionError, match="another task"):
            async with tx.transaction():
                pass
        done.set()
        await task
        async with tx.transaction():
            await save(db, "after")
    assert await names(db) == ["after", "nested"]


async def test_two_tasks_that_open_a_nested_block_at_once_do_not_both_get_one(db):
    async def nested(name):
        async with db.transaction():
            await save(db, name)
            await asyncio.sleep(0.01)

    async with db.transaction():
        outcomes = await asyncio.gather(nested("a"), nested("b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), TransactionError]
    assert await names(db) == ["a"]


async def test_a_statement_that_waits_when_the_block_ends_raises_and_is_not_stored(db):
    async def many():
        return await asyncio.gather(*(save(db, f"{n:02}") for n in range(20)), return_exceptions=True)

    async with db.transaction():
        task = asyncio.create_task(many())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    outcomes = await within(5, task)
    refused = [outcome for outcome in outcomes if isinstance(outcome, TransactionError)]
    assert len(refused) >= 10
    assert await names(db) == [outcome for outcome in outcomes if isinstance(outcome, str)]


async def test_a_write_beside_a_nested_block_that_is_rolled_back_keeps_its_effects_or_loses_its_row(db, told):
    """Each write is either stored and told, or neither, wherever between the statements of the savepoint it falls."""

    async def nested():
        for _ in range(20):
            with pytest.raises(KeyError):
                async with db.transaction():
                    await db.count("counter")
                    raise KeyError

    async def write():
        for number in range(60):
            await save(db, f"{number:02}")

    async with db.transaction():
        await asyncio.gather(nested(), write())
    await db.events.settle()
    assert sorted(data["entity_id"] for _, data in told) == await names(db)


async def test_a_nested_block_that_is_open_when_the_outer_one_ends_is_rolled_back(db, told):
    opened, done = asyncio.Event(), asyncio.Event()

    async def nested():
        async with db.transaction():
            await save(db, "nested")
            opened.set()
            await done.wait()

    async with db.transaction():
        await save(db, "outer")
        task = asyncio.create_task(nested())
        await within(5, opened.wait())
    done.set()
    with pytest.raises(TransactionError):
        await within(5, task)
    await db.events.settle()
    assert await names(db) == ["outer"]
    assert [data["entity_id"] for _, data in told] == ["outer"]


# Cancellation.


async def clean(db):
    """The writer can be had, and nothing is left behind."""
    await save(db, "clean")
    await at_rest(db, "a", "b", "c")
    assert await db.delete("counter", "clean")


async def test_cancellation_inside_a_block_rolls_back_and_gives_back_a_clean_connection(db, told):
    async def work():
        async with db.transaction():
            await save(db, "a")
            await asyncio.sleep(30)

    task = asyncio.create_task(work())
    await until(lambda: db._engine._leases)
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(5, task)
    await db.events.settle()
    assert told == []
    assert await names(db) == []
    await clean(db)


@pytest.mark.parametrize("steps", range(30))
async def test_cancellation_at_any_moment_leaves_a_transaction_whole_or_undone(db, told, steps):
    async def work():
        async with db.transaction() as tx:
            await save(db, "a")
            async with tx.transaction():
                await save(db, "b")
            await save(db, "c")

    task = asyncio.create_task(work())
    for _ in range(steps):
        await asyncio.sleep(0.0002)
    task.cancel()
    outcome = await within(5, asyncio.gather(task, return_exceptions=True))
    await db.events.settle()
    stored = [name for (name,) in outside(db, "SELECT name FROM counters ORDER BY name")]
    assert stored in ([], ["a", "b", "c"])
    assert [data["entity_id"] for _, data in told] == stored
    assert outcome == [None] if not task.cancelled() else isinstance(outcome[0], asyncio.CancelledError)
    assert await names(db) == stored
    await clean(db)


async def test_cancellation_during_commit_completes_it_and_is_then_raised(db, told):
    committing = asyncio.Event()

    async def work():
        async with db.transaction() as tx:
            await save(db, "a")
            lease, original = tx._lease, tx._lease.commit

            async def commit(finish, tags, trace=None):
                committing.set()
                return await original(finish, tags, trace)

            lease.commit = commit

    task = asyncio.create_task(work())
    await within(5, committing.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(5, task)
    await db.events.settle()
    assert await names(db) == ["a"]
    assert [data["entity_id"] for _, data in told] == ["a"]
    await clean(db)


async def test_a_cancelled_wait_for_a_connection_leaves_no_transaction_behind(open_database):
    db = await open_database(connection_pool_size=1, max_overflow=0)
    async with db.transaction():
        waiting = asyncio.create_task(db.transaction().__aenter__(), context=contextvars.Context())
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(5, waiting)
    await clean(db)


@pytest.mark.parametrize("steps", range(15))
async def test_a_write_that_is_cancelled_is_done_or_will_never_be(db, told, steps):
    task = asyncio.create_task(save(db, "a"))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await within(5, asyncio.gather(task, return_exceptions=True))
    stored = outside(db, "SELECT name FROM counters")
    await asyncio.sleep(0.02)
    assert outside(db, "SELECT name FROM counters") == stored
    assert (await db.get("counter", "a") is not None) == bool(stored)
    await db.events.settle()
    assert len(told) == len(stored)
    await clean(db)


async def test_a_nested_block_that_cannot_be_closed_takes_its_transaction_with_it(db):
    """Its task is cancelled while it waits for the statement of another to end, so nobody is left to roll it back."""
    leaving = asyncio.Event()

    async def nested():
        with pytest.raises(KeyError):
            async with db.transaction():
                await save(db, "nested")
                leaving.set()
                await asyncio.sleep(0.02)
                raise KeyError

    with pytest.raises(TransactionError, match="gone"):
        async with db.transaction() as tx:
            closing = asyncio.create_task(nested())
            await within(5, leaving.wait())
            async with tx._turn:  # as a long statement has it
                await asyncio.sleep(0.05)
                closing.cancel()
                await within(5, asyncio.gather(closing, return_exceptions=True))
            with pytest.raises(TransactionError, match="gone"):
                await save(db, "outer")
    assert await names(db) == []
    await clean(db)


@pytest.mark.parametrize(("fails", "command"), [(False, "RELEASE"), (True, "ROLLBACK"), (True, "RELEASE")])
async def test_a_nested_block_that_is_cancelled_while_it_ends_keeps_nothing(db, monkeypatch, fails, command):
    await save(db, "a")

    async def nested():
        async with db.transaction():
            await db.update("counter", "a", {"value": 7})
            if fails:
                raise KeyError

    async with contextlib.AsyncExitStack() as outer:
        tx = await outer.enter_async_context(db.transaction())
        send = tx._command

        async def cancelled(sql):
            if sql.startswith(command):
                task.cancel()
            await send(sql)

        monkeypatch.setattr(tx, "_command", cancelled)
        task = asyncio.create_task(nested())
        with pytest.raises(asyncio.CancelledError):
            await within(5, task)
        with pytest.raises(TransactionError, match="gone"):
            await save(db, "b")
        with pytest.raises(TransactionError, match="gone"):
            await outer.aclose()
    assert await db.query("counter") == [{"name": "a", "value": 0}]
    await clean(db)


@pytest.mark.parametrize("moment", ["waiting for its turn", "undoing a nested block"])
async def test_a_block_that_is_cancelled_while_it_ends_is_rolled_back_and_frees_the_writer(
    db, monkeypatch, caplog, moment
):
    opened, left = asyncio.Event(), asyncio.Event()

    async def nested(tx):
        async with tx.transaction():
            opened.set()
            await left.wait()

    async def work():
        async with db.transaction() as tx:
            await save(db, "a")
            child = asyncio.create_task(nested(tx))
            await opened.wait()
            send = tx._command

            async def cancelled(sql):
                task.cancel()
                await send(sql)

            monkeypatch.setattr(tx, "_command", cancelled)
            if moment == "waiting for its turn":
                await tx._turn.acquire()  # as a long statement has it
                asyncio.get_running_loop().call_later(0.02, task.cancel)
        return child

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await within(5, task)
    await within(5, clean(db))
    left.set()
    assert await names(db) == []
    assert "never ended" not in caplog.text  # it is, and not by the garbage collector


async def test_a_child_task_that_is_cancelled_in_its_nested_block_leaves_the_outer_block_usable(db):
    async def nested():
        async with db.transaction():
            await save(db, "nested")
            await asyncio.sleep(30)

    async with db.transaction():
        task = asyncio.create_task(nested())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(5, task)
        await save(db, "outer")
    assert await names(db) == ["outer"]
    await clean(db)
