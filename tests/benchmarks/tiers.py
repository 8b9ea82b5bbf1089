"""What a second tier costs and saves on PostgreSQL: hits in memory beside Redis, and answers from Redis beside statements.

All on one machine: where the database is farther away than Redis, or busier, Redis saves more.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import support
from redis_servers import redis_server
from rich.table import Table
from servers import postgres_server, throwaway_database
from soulspot_db import Database, DatabaseSettings, EntityRegistry, Repository

__all__ = ["tiers"]

KEYS = [f"n{number}" for number in range(100)]
MANY = 200_000
SECONDS = 5
ROUNDS = 300


class Counters(Repository[Any, str]):
    schema = support.CounterSchema


async def least(db: Database) -> float:
    """The least of three times `paced`, because other work on the machine comes and goes."""
    return min([await paced(db) for _ in range(3)])


async def paced(db: Database) -> float:
    """Seconds of a cached get, of 10,000 a second over 100 keys, looks at stamps included."""
    counters, spent, calls = Counters(db), 0.0, 0
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = time.perf_counter()
        for key in KEYS:
            await counters._get(key)
        took = time.perf_counter() - began
        spent, calls = spent + took, calls + len(KEYS)
        await asyncio.sleep(max(len(KEYS) / 10_000 - took, 0))
    return spent / calls


async def typical(call: Callable[[], Awaitable[object]], before: Callable[[], None] = lambda: None) -> float:
    """The median of the seconds that a call takes, each after `before`."""
    found: list[float] = []
    for _ in range(ROUNDS):
        before()
        began = time.perf_counter()
        await call()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def calls(db: Database, *, fresh: bool) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked."""
    counters = Counters(db)
    return {
        "a row by its key": lambda: counters._get("n5", fresh=fresh),
        "100 rows": lambda: counters._query({"value": 1}, fresh=fresh),
        f"a count over {MANY:,} rows": lambda: counters._count({"value": {"ne": 1}}, fresh=fresh),
    }


async def _selects(db: Database) -> int:
    region = db.session.plans.of(support.CounterSchema).region
    return region.misses - region.shared_hits


async def kept_while_written(one: Database, other: Database) -> float:
    """The share of queries of `other` that needed no statement, while `one` inserts 20 rows a second into their table."""

    async def insert() -> None:
        for number in range(SECONDS * 20):
            await one.save("counter", {"name": f"new {number}"})
            await asyncio.sleep(0.05)

    inserting, asked = asyncio.create_task(insert()), 0
    before = await _selects(other)
    while not inserting.done():
        for key in KEYS[:10]:
            await other.query("counter", {"name": key})
            asked += 1
        await asyncio.sleep(0.01)
    return 1 - (await _selects(other) - before) / asked


async def measure(where: dict[str, Any], redis: str) -> Table:
    """Everything, as a table."""
    table = Table("on PostgreSQL", "without Redis", "with Redis", title="Two tiers")
    async with Database(DatabaseSettings(**where, single_instance=True)) as db:
        await db.create_table("counter")
        await db.save_many("counter", [{"name": key, "value": 1} for key in KEYS])
        await db.save_many("counter", [{"name": f"m{number}"} for number in range(MANY)])
        without = await least(db)
        statements = {what: await typical(call) for what, call in calls(db, fresh=True).items()}
    settings = DatabaseSettings(**where, redis=redis)
    async with Database(settings) as db, Database(settings) as other:
        beside = await least(db)
        table.add_row("get from memory, 10,000 a second", f"{without * 1e6:.1f} us", f"{beside * 1e6:.1f} us")
        region = db.session.plans.of(support.CounterSchema).region
        for what, call in calls(db, fresh=False).items():
            await call()
            answer = await typical(call, region.forget)
            row = f"{statements[what] * 1e6:,.0f} us", f"{answer * 1e6:,.0f} us"
            table.add_row(f"{what}: a statement, an answer from Redis", *row)
        for who, writer in (("by another program", other), ("by the same program", db)):
            share = await kept_while_written(writer, db)
            table.add_row(f"queries answered without a statement, 20 inserts a second {who}", "", f"{share:.0%}")
            await writer.delete_where("counter", {"name": {"starts_with": "new "}})
    return table


def tiers() -> Table:
    """What was found."""
    with (
        EntityRegistry.isolated(),
        postgres_server() as server,
        throwaway_database(server.address) as database,
        redis_server() as redis,
    ):
        EntityRegistry.register("counter", support.CounterSchema)
        address = server.address
        where = {"database": f"{address.host}:{address.port}/{database}", "user": address.user}
        return asyncio.run(measure(where, redis.address))
