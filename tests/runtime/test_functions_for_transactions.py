"""What `run_in_transaction` is given must be something to await, and is told so where it is not."""

from functools import partial

import homes
import pytest
from soulspot_db import ValidationFailedError

DATABASES = homes.BOTH


async def save(tx, name="a"):
    return await tx.save("counter", {"name": name})


class Saves:
    async def __call__(self, tx):
        return await save(tx)


@pytest.mark.parametrize("fn", [save, partial(save, name="a"), lambda tx: save(tx), Saves()])  # noqa: PLW0108 - one kind of it
async def test_anything_that_returns_something_to_await_will_do(db, fn):
    assert await db.run_in_transaction(fn) == "a"


@pytest.mark.parametrize("fn", [lambda _tx: 1, lambda _tx: None])
async def test_a_function_that_returns_its_result_at_once_is_refused_with_the_right_form(db, fn):
    with pytest.raises(ValidationFailedError, match=r"takes a function to await; it returned (int|NoneType)") as caught:
        await db.run_in_transaction(fn)
    assert "async def" in caught.value.resolution
    assert caught.value.context["operation"] == "run_in_transaction"


async def test_what_is_no_function_is_refused_without_a_transaction(db):
    running = save(None)
    with pytest.raises(ValidationFailedError, match="takes a function to await; got coroutine"):
        await db.run_in_transaction(running)
    running.close()
