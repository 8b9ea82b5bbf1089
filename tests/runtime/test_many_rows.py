"""`get_many`: what is in memory counts once, and no key is asked for twice."""

import asyncio

import homes
import pytest
from soulspot_db import Repository
from support import CounterSchema, outside

DATABASES = homes.BOTH


@pytest.fixture
async def counters(open_database):
    db = await open_database(inline_reads=False)
    await db.save_many("counter", [{"name": name} for name in "abc"])
    return db


async def figures(db):
    memory = db._cache
    return memory.hits, sum(region.misses for region in memory._regions)


class Counters(Repository):
    schema = CounterSchema


async def test_an_answer_from_memory_is_counted_once_also_beside_one_that_is_not_there(counters):
    typed = Counters(counters)
    await typed._get_many(["a", "b"])
    assert await figures(counters) == (0, 2)
    await typed._get_many(["a", "b", "c"])
    assert await figures(counters) == (2, 3)
    await typed._get_many(["a", "b", "c"])
    assert await figures(counters) == (5, 3)


async def test_the_rows_are_all_from_memory_or_in_the_order_of_the_keys_from_both(counters):
    await counters.get_many("counter", ["a", "b"])
    outside(counters, "UPDATE counters SET value = 7")
    rows = await counters.get_many("counter", ["b", "a", "b"])
    assert [(row["name"], row["value"]) for row in rows] == [("b", 0), ("a", 0), ("b", 0)]
    rows = await counters.get_many("counter", ["c", "a", "c", "nobody"])
    assert [row and row["name"] for row in rows] == ["c", "a", "c", None]


async def test_a_key_that_several_ask_for_in_one_turn_is_in_the_statement_once(counters, monkeypatch):
    sent, read = [], counters._engine.read

    async def noted(statement, trace=None):
        sent.append(statement)
        return await read(statement, trace)

    monkeypatch.setattr(counters._engine, "read", noted)
    lists = [["a", "b"], ["b", "c"], ["c", "a"]]
    found = await asyncio.gather(*(counters.get_many("counter", names, fresh=True) for names in lists))
    assert [[row["name"] for row in rows] for rows in found] == lists
    (statement,) = sent
    keys = statement.values if counters.settings.database_type == "sqlite" else statement.values[0]
    assert set(keys) == {"a", "b", "c"}
    assert len(keys) < 6  # SQLite's has places to fill, so that there are few texts to prepare
