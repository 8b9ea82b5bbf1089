"""run_in_transaction: all of a callback again when others were in the way, and only then."""

import asyncio
import itertools
import sqlite3
import time
from contextlib import contextmanager

import homes
import pytest
from soulspot_db import (
    CommitOutcomeUnknownError,
    ConstraintViolationError,
    DatabaseError,
    LockedError,
    TransactionError,
    ValidationFailedError,
    errors,
)
from soulspot_db.sessions import retry
from support import at_rest, connected, outside, until, within

DATABASES = homes.BOTH


@contextmanager
def locked(db):
    """Another program has the write lock."""
    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


@pytest.fixture
async def hasty(open_database):
    return await open_database(pool_timeout=0.05)


def add(counter="a"):
    """A callback that adds one to a counter and returns the sum, and the list of its runs."""
    runs = []

    async def callback(tx):
        runs.append(tx)
        value = (await tx.get("counter", counter))["value"] + 1
        await tx.update("counter", counter, {"value": value})
        return value

    return callback, runs


async def test_the_result_of_the_callback_is_returned_once_it_is_committed(db):
    await db.save("counter", {"name": "a"})
    callback, runs = add()
    assert await db.run_in_transaction(callback) == 1
    assert len(runs) == 1
    assert outside(db, "SELECT value FROM counters") == [(1,)]


async def test_calls_on_the_database_in_the_callback_join_its_transaction(db):
    async def callback(_tx):
        await db.save("counter", {"name": "a"})
        raise KeyError

    with pytest.raises(KeyError):
        await db.run_in_transaction(callback)
    assert await db.count("counter") == 0


@pytest.mark.sqlite_only
async def test_who_finds_the_file_locked_tries_again_until_it_is_free(hasty):
    await hasty.save("counter", {"name": "a"})
    callback, runs = add()
    with locked(hasty) as other:
        adding = asyncio.create_task(hasty.run_in_transaction(callback, attempts=50))
        await asyncio.sleep(0.3)
        assert not adding.done()
        other.execute("ROLLBACK")
        assert await within(10, adding) == 1
    assert len(runs) == 1  # the others did not get as far as to begin


async def test_who_finds_the_writer_taken_tries_again_until_it_is_free(hasty):
    await hasty.save("counter", {"name": "a"})
    callback, _ = add()
    taken, free = asyncio.Event(), asyncio.Event()

    async def hold(tx):
        await tx.update("counter", "a", {"value": 5})
        taken.set()
        await free.wait()

    holding = asyncio.create_task(hasty.run_in_transaction(hold))
    await within(5, taken.wait())
    adding = asyncio.create_task(hasty.run_in_transaction(callback, attempts=50))
    await asyncio.sleep(0.2)
    free.set()
    assert await within(10, adding) == 6
    await holding


async def test_all_of_a_callback_runs_again_with_a_new_transaction_and_what_it_wrote_and_published_before_is_gone(db):
    heard, runs = [], []
    db.events.subscribe("**", lambda event: heard.append((event.event_type, event.data)))

    async def callback(tx):
        runs.append(tx)
        await tx.save("counter", {"name": f"run {len(runs)}"})
        await tx.events.publish("run", len(runs))
        if len(runs) < 3:
            raise LockedError("somebody else was first")
        return "done"

    assert await db.run_in_transaction(callback) == "done"
    assert len({id(tx) for tx in runs}) == 3
    assert outside(db, "SELECT name FROM counters") == [("run 3",)]
    await db.events.settle()
    assert heard == [
        ("database.counter.created", {"entity_id": "run 3", "entity_type": "counter"}),
        ("run", 3),
    ]


@pytest.mark.sqlite_only
async def test_after_the_last_attempt_its_error_is_raised_and_tells_how_many_there_were(hasty):
    callback, runs = add()
    with locked(hasty), pytest.raises(LockedError) as caught:
        await within(10, hasty.run_in_transaction(callback, attempts=3))
    assert caught.value.code == "DATABASE_LOCKED"
    assert caught.value.context["attempts"] == 3
    assert runs == []
    await at_rest(hasty)


async def test_the_callback_runs_as_often_as_it_may_and_not_once_more(db):
    runs = []

    async def callback(_tx):
        runs.append(1)
        raise LockedError("somebody else was first")

    for attempts in (1, 2, 5):
        runs.clear()
        with pytest.raises(LockedError) as caught:
            await db.run_in_transaction(callback, attempts=attempts)
        assert len(runs) == caught.value.context["attempts"] == attempts
    assert "attempts" not in LockedError("no").context


@pytest.mark.parametrize(
    "error",
    [
        KeyError("mine"),
        ConstraintViolationError("taken"),
        TransactionError("gone"),
        CommitOutcomeUnknownError("the disk failed"),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_any_other_error_is_raised_as_it_is_after_one_run(db, error):
    runs = []

    async def callback(tx):
        runs.append(tx)
        await tx.save("counter", {"name": "a"})
        raise error

    with pytest.raises(type(error)) as caught:
        await db.run_in_transaction(callback)
    assert caught.value is error
    assert len(runs) == 1
    assert await db.count("counter") == 0


def test_only_being_in_the_way_of_others_is_a_reason_to_run_again():
    classes = [getattr(errors, name) for name in errors.__all__]
    assert [kind for kind in classes if kind.retryable] == [LockedError, errors.SerializationFailedError]
    assert not DatabaseError.retryable


@pytest.mark.parametrize("attempts", [0, -1, 1.5, True, "5", None])
async def test_a_number_of_attempts_that_is_none_is_refused_before_anything_happens(db, attempts):
    callback, runs = add()
    async with db.transaction() as tx:
        for service in (db, tx):
            with pytest.raises(ValidationFailedError, match="attempts"):
                await service.run_in_transaction(callback, attempts=attempts)
    with pytest.raises(ValidationFailedError, match="attempts"):
        await db.run_in_transaction(callback, attempts=attempts)
    assert runs == []


async def test_inside_an_open_transaction_it_is_a_nested_block_and_runs_once(db):
    runs = []

    async def callback(tx):
        runs.append(tx)
        await tx.save("counter", {"name": f"inner {len(runs)}"})
        raise LockedError("somebody else was first")

    async with db.transaction() as tx:
        await tx.save("counter", {"name": "outer"})
        for service in (db, tx):
            with pytest.raises(LockedError) as caught:
                await service.run_in_transaction(callback)
            assert "attempts" not in caught.value.context
        assert await tx.run_in_transaction(lambda inner: inner.count("counter")) == 1
    assert len(runs) == 2
    assert outside(db, "SELECT name FROM counters") == [("outer",)]


async def test_an_inner_callback_that_met_others_makes_the_outer_one_run_again(db):
    runs = []

    async def inner(_tx):
        if len(runs) < 2:
            raise LockedError("somebody else was first")
        return len(runs)

    async def outer(_tx):
        runs.append(1)
        return await db.run_in_transaction(inner)

    assert await db.run_in_transaction(outer) == 2


async def test_cancellation_during_the_wait_between_two_attempts_is_raised_at_once(db, monkeypatch):
    monkeypatch.setattr(retry, "_pause", lambda _attempt: 60)
    runs = []

    async def callback(_tx):
        runs.append(1)
        raise LockedError("somebody else was first")

    running = asyncio.create_task(db.run_in_transaction(callback))
    await until(lambda: runs)
    await until(lambda: not db._engine._leases)
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await within(2, running)
    assert caught.value.__context__ is None
    assert runs == [1]
    await at_rest(db)


def test_the_pauses_are_random_below_a_bound_that_doubles_up_to_a_fifth_of_a_second(monkeypatch):
    bounds = []
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: bounds.append((low, high)))
    for attempt in (1, 2, 3, 4, 10_000):
        retry._pause(attempt)
    assert [low for low, _ in bounds] == [0] * 5
    assert [high for _, high in bounds] == [0.05, 0.1, 0.2, 0.2, 0.2]


async def test_two_databases_on_one_file_that_add_to_one_counter_lose_nothing(open_database, monkeypatch):
    """Each has a connection of its own, and less patience than the other's transactions take."""
    waits, pause = [], retry._pause
    monkeypatch.setattr(retry, "_pause", lambda attempt: waits.append(attempt) or pause(attempt))
    first, second = await open_database(pool_timeout=0.02), await open_database(pool_timeout=0.02)
    await connected(first, 2)
    await first.save("counter", {"name": "a"})
    runs = []

    async def add_slowly(tx):
        runs.append(1)
        value = (await tx.get("counter", "a"))["value"]
        await asyncio.sleep(0.01)
        await tx.update("counter", "a", {"value": value + 1})
        return value + 1

    async def adder(db):
        return [await db.run_in_transaction(add_slowly, attempts=200) for _ in range(8)]

    started = time.monotonic()
    sums = await within(30, asyncio.gather(adder(first), adder(second), adder(first)))
    assert sorted(itertools.chain(*sums)) == list(range(1, 25))
    assert outside(first, "SELECT value FROM counters") == [(24,)]
    if first.settings.database_type == "sqlite":
        assert len(runs) == 24  # who had to wait had not begun
    assert waits
    assert time.monotonic() - started < 20
