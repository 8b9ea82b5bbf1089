"""A block is entered once: a second time would end the first one too early."""

import asyncio
import contextlib

import homes
import pytest
from soulspot_db import TransactionError
from support import at_rest, outside, within

DATABASES = homes.BOTH


def stored(db):
    return [name for (name,) in outside(db, "SELECT name FROM counters ORDER BY name")]


async def test_a_block_that_is_entered_in_itself_raises_and_the_first_goes_on(db):
    scope = db.transaction()
    with pytest.raises(KeyError):
        async with scope as tx:
            await tx.save("counter", {"name": "a"})
            with pytest.raises(TransactionError, match=r"(?s)entered once.*async with db.transaction\(\)"):
                async with scope:
                    raise AssertionError
            await tx.save("counter", {"name": "b"})
            raise KeyError
    assert stored(db) == []
    await at_rest(db, "a", "b")


async def test_a_block_that_two_tasks_enter_raises_in_the_second_and_leaks_nothing(db):
    scope = db.transaction()

    async def work(name):
        async with scope as tx:
            await asyncio.sleep(0.01)
            await tx.save("counter", {"name": name})

    outcomes = await within(5, asyncio.gather(work("a"), work("b"), return_exceptions=True))
    assert [type(outcome) for outcome in outcomes] == [type(None), TransactionError]
    assert stored(db) == ["a"]
    await at_rest(db, "b")


@pytest.mark.parametrize("nested", [False, True])
async def test_a_block_that_is_over_cannot_be_entered_again(db, nested):
    async with db.transaction() if nested else contextlib.nullcontext():
        scope = db.transaction()
        async with scope:
            pass
        with pytest.raises(TransactionError, match="entered once"):
            await scope.__aenter__()
    await at_rest(db)


async def test_a_nested_block_that_is_entered_in_itself_raises_and_the_first_goes_on(db):
    async with db.transaction() as tx:
        savepoint = tx.transaction()
        with contextlib.suppress(KeyError):
            async with savepoint:
                await tx.save("counter", {"name": "a"})
                with pytest.raises(TransactionError, match=r"(?s)entered once.*async with tx.transaction\(\)"):
                    async with savepoint:
                        raise AssertionError
                raise KeyError
        await tx.save("counter", {"name": "b"})
    assert stored(db) == ["b"]
    await at_rest(db, "a")
