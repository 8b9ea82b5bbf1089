"""Rows that are asked for in one turn of the loop: few statements, and nobody is worse off than alone."""

import asyncio

import homes
import pytest
from soulspot_db import PoolExhaustedError, QueryFailedError, QueryTimeoutError
from soulspot_db.sessions.batching import MOST
from support import outside, within

DATABASES = homes.BOTH


@pytest.fixture
async def db(open_database):
    opened = await open_database(inline_reads=False)
    await opened.save_many("counter", [{"name": f"c{n}", "value": n} for n in range(200)])
    await opened.get("counter", "nobody")
    return opened


@pytest.fixture
def asked(db, monkeypatch):
    """The statements that were run."""
    ran = []
    read = db._engine.read

    async def noted(statement, trace=None):
        ran.append(statement)
        return await read(statement, trace)

    monkeypatch.setattr(db._engine, "read", noted)
    return ran


async def test_rows_asked_for_at_once_come_with_one_statement(db, asked):
    names = [f"c{n}" for n in range(100)]
    rows = await asyncio.gather(*(db.get("counter", name) for name in names))
    assert [row["name"] for row in rows] == names
    assert len(asked) == 1


async def test_lists_of_rows_and_single_rows_share_a_statement(db, asked):
    one, several, others = await asyncio.gather(
        db.get("counter", "c7"),
        db.get_many("counter", ["c1", "nobody else", "c2"]),
        db.get_many("counter", ["c2", "c3"]),
    )
    assert one["value"] == 7
    assert [row and row["value"] for row in several] == [1, None, 2]
    assert [row["value"] for row in others] == [2, 3]
    assert len(asked) == 1


async def test_a_row_asked_for_alone_is_asked_for_by_its_key(db, asked):
    assert (await db.get("counter", "c1"))["value"] == 1
    assert len(asked) == 1
    assert " IN " not in asked[0].sql
    assert "any(" not in asked[0].sql


async def test_what_is_not_there_is_none_for_him_who_asked(db, asked):
    rows = await asyncio.gather(*(db.get("counter", name) for name in ("c1", "missing", "c2")))
    assert [row and row["value"] for row in rows] == [1, None, 2]
    assert len(asked) == 1


async def test_more_rows_than_one_statement_takes_come_with_several(db, asked):
    names = [f"x{n}" for n in range(MOST + 1)]
    assert await asyncio.gather(*(db.get("counter", name) for name in names)) == [None] * len(names)
    assert len(asked) == 2


async def test_the_first_to_ask_may_leave_and_the_others_are_answered(db, asked):
    tasks = [asyncio.create_task(db.get("counter", f"c{n}")) for n in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    rows = await within(5, asyncio.gather(*tasks, return_exceptions=True))
    assert isinstance(rows[0], asyncio.CancelledError)
    assert [row["value"] for row in rows[1:]] == [1, 2, 3, 4]


@pytest.mark.parametrize("turns", range(5))
async def test_whoever_leaves_whenever_costs_nobody_else_an_answer(db, asked, turns):
    tasks = [asyncio.create_task(db.get("counter", f"c{n}")) for n in range(6)]
    for _ in range(turns):
        await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[3].cancel()
    rows = await within(5, asyncio.gather(*tasks, return_exceptions=True))
    assert [row["value"] for n, row in enumerate(rows) if n not in {0, 3}] == [1, 2, 4, 5]


async def test_a_key_that_fails_fails_alone(db, asked, monkeypatch):
    read = db._engine.read

    async def refusing(statement, trace=None):
        if "c3" in str(statement.values):
            raise QueryFailedError("refused")
        return await read(statement, trace)

    monkeypatch.setattr(db._engine, "read", refusing)
    rows = await asyncio.gather(*(db.get("counter", f"c{n}") for n in range(6)), return_exceptions=True)
    assert isinstance(rows[3], QueryFailedError)
    assert [row["value"] for n, row in enumerate(rows) if n != 3] == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("error", [PoolExhaustedError, QueryTimeoutError])
async def test_a_time_out_is_everybodys_and_nobody_waits_for_another(db, asked, monkeypatch, error):
    async def refusing(statement, trace=None):
        asked.append(statement)
        raise error("it took too long")

    monkeypatch.setattr(db._engine, "read", refusing)
    names = [f"c{n}" for n in range(6)]
    rows = await asyncio.gather(*(db.get("counter", name) for name in names), return_exceptions=True)
    assert [type(row) for row in rows] == [error] * 6
    assert len(asked) == 1


async def test_what_is_asked_after_a_write_sees_it(db):
    for value in range(1000, 1020):
        await db.update("counter", "c1", {"value": value})
        rows = await asyncio.gather(*(db.get("counter", f"c{n}") for n in range(3)))
        assert rows[1]["value"] == value


async def test_rows_that_came_together_are_kept_one_by_one(db, asked):
    await asyncio.gather(*(db.get("counter", f"c{n}") for n in range(10)))
    asked.clear()
    await db.get("counter", "c5")
    assert asked == []
    await db.update("counter", "c5", {"value": -1})
    assert (await db.get("counter", "c5"))["value"] == -1
    await db.get("counter", "c6")
    assert len(asked) == 1


async def test_in_a_transaction_everybody_asks_for_himself(db, asked):
    async with db.transaction() as tx:
        await tx.update("counter", "c1", {"value": -1})
        rows = await asyncio.gather(*(tx.get("counter", f"c{n}") for n in range(3)))
    assert [row["value"] for row in rows] == [0, -1, 2]
    assert asked == []


async def test_keys_of_every_kind_find_their_rows(db, asked):
    ids = await db.save_many("playlist", [{"name": f"p{n}"} for n in range(20)])
    rows = await asyncio.gather(*(db.get_many("playlist", [key]) for key in ids))
    assert [row[0]["name"] for row in rows] == [f"p{n}" for n in range(20)]
    numbers = await db.save_many("job", [{"title": f"t{n}"} for n in range(20)])
    jobs = await asyncio.gather(*(db.get("job", number) for number in numbers))
    assert [row["title"] for row in jobs] == [f"t{n}" for n in range(20)]
    assert len(asked) == 2


async def test_a_loop_over_rows_beside_others_is_not_slower_than_a_turn_each(db, asked):
    outside(db, "UPDATE counters SET value = 5 WHERE name = 'c1'")
    for n in range(5):
        await db.get("counter", f"c{n}")
    assert len(asked) == 5
