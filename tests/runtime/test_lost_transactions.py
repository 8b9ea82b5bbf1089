"""Transactions that nobody ends, whatever was their last call: none of them keeps the writer."""

import asyncio
import contextlib
import gc
import warnings

import homes
import pytest
from soulspot_db import ConstraintViolationError, Repository
from support import CounterSchema, within

DATABASES = homes.BOTH


class Counters(Repository):
    schema = CounterSchema


async def read(counters):
    await counters._query({"value": 0})


async def update(counters):
    """What its row becomes is left to the repository, which leads to its transaction."""
    await counters._update("a", counters._plan.schema.update_model(value=7))


async def a_save_that_is_refused(counters):
    """The error has a traceback, which leads to its callers."""
    with contextlib.suppress(ConstraintViolationError):
        await counters._save(counters._plan.schema.create_model(name="a"))


@pytest.mark.parametrize("last", [read, update, a_save_that_is_refused])
async def test_a_transaction_that_was_lost_after_any_call_is_found(open_database, last):
    db = await open_database(pool_timeout=2)
    await db.save("counter", {"name": "a"})

    async def lose():
        await last(Counters(await db.transaction().__aenter__()))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        await asyncio.create_task(lose())
        await asyncio.sleep(0.05)
        gc.collect()
        assert await within(5, db.update("counter", "a", {"value": 1})) is True
    assert await db.get("counter", "a", fresh=True) == {"name": "a", "value": 1}
