"""Whatever happens to Redis: no call fails, few wait, and once it is back nothing is old."""

import asyncio
import logging
import secrets
import socket
import time
from contextlib import asynccontextmanager

import homes
import psutil
import pytest
import redis_servers
import support
from proxy import Proxy
from support import until, within

DATABASES = homes.BOTH
# What happens in front of Redis alone, whatever database is behind it: on SQLite always.
OF_REDIS = pytest.mark.slow_elsewhere
NAMES = [f"n{number}" for number in range(20)]


@pytest.fixture
def server():
    with redis_servers.redis_server() as server:
        yield server


@pytest.fixture
async def between(server):
    async with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def open_beside(open_database, server):
    """Opens programs that share one Redis, each by its own way to it."""
    prefix = f"test.{secrets.token_hex(4)}"

    async def open_with(way=None, **changes):
        address = (way or server).address
        return await open_database(redis=address, redis_prefix=prefix, single_instance=False, **changes)

    return open_with


class Load:
    """Reads and writes all the time, in two programs, each checked against what was acknowledged before it began."""

    def __init__(self, one, other):
        self.programs = (one, other)
        self.acknowledged = dict.fromkeys(NAMES, 0)
        self.own = [dict.fromkeys(NAMES, 0) for _ in self.programs]
        self.waits = []
        self.stale = []
        self.is_strict = True  # whether writers reach Redis, so that others see what they have written
        self.over = False

    async def write(self, at):
        db = self.programs[at]
        numbers = dict.fromkeys(NAMES, 0)
        while not self.over:
            name = secrets.choice(NAMES[at::2])
            numbers[name] += 1
            began = time.perf_counter()
            assert await db.update("counter", name, {"value": numbers[name]})
            self.waits.append(time.perf_counter() - began)
            self.own[at][name] = self.acknowledged[name] = numbers[name]
            await asyncio.sleep(0.002)

    async def read(self, at):
        db = self.programs[at]
        while not self.over:
            name = secrets.choice(NAMES)
            needed = self.acknowledged[name] if self.is_strict else self.own[at][name]
            began = time.perf_counter()
            found = await db.get("counter", name)
            self.waits.append(time.perf_counter() - began)
            if (found["value"] < needed and self.is_strict) or (
                found["value"] < self.own[at][name] and found["value"] < needed
            ):
                self.stale.append((at, name, found["value"], needed))
            await asyncio.sleep(0.001)

    @asynccontextmanager
    async def running(self):
        for name in NAMES:
            await self.programs[0].save("counter", {"name": name})
        async with asyncio.TaskGroup() as group:
            for at in range(2):
                group.create_task(self.write(at))
                for _ in range(2):
                    group.create_task(self.read(at))
            try:
                yield
            finally:
                self.over = True

    def median_and_worst(self):
        waits = sorted(self.waits)
        return waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


async def is_used_again(*programs):
    """Wait until programs trust Redis, and owe it nothing."""
    for db in programs:
        tier = db.session.cache.tier
        await until(lambda tier=tier: tier.is_up and not tier.owes and tier._return is None)


@pytest.mark.parametrize("fault", ["stop", "freeze", "flush", "restart", "restart saved"])
async def test_no_call_fails_and_nothing_is_old_once_it_is_back(open_beside, server, fault):
    one, other = await open_beside(cache_recheck=0), await open_beside(cache_recheck=0)
    load = Load(one, other)
    async with load.running():
        await asyncio.sleep(0.3)
        load.is_strict = fault == "flush"
        if fault == "stop":
            server.stop()
            await asyncio.sleep(0.7)
            server.start()
        elif fault == "freeze":
            with server.frozen():
                await asyncio.sleep(0.7)
        elif fault == "flush":
            for _ in range(20):
                server.ask("FLUSHALL")
                await asyncio.sleep(0.02)
        else:
            server.restart(save=fault == "restart saved")
        await is_used_again(one, other)
        await asyncio.sleep(0.05)  # what began before
        load.is_strict = True
        load.waits.clear()
        await asyncio.sleep(0.4)
    assert load.stale == []
    assert len(load.waits) > 50


@OF_REDIS
@pytest.mark.parametrize("fault", ["cuts", "delays", "silence", "refusals"])
async def test_a_network_that_fails_makes_no_call_fail_and_nothing_old(open_beside, between, fault):
    one, other = await open_beside(between, cache_recheck=0), await open_beside(between, cache_recheck=0)
    load = Load(one, other)
    async with load.running():
        await asyncio.sleep(0.2)
        load.is_strict = False
        for _ in range(10):
            if fault == "cuts":
                between.cut()
            elif fault == "delays":
                between.delay = secrets.choice([0.0, 0.01, 0.03, 0.1])
            elif fault == "silence":
                between.hush()
            else:
                between.refuse()
            await asyncio.sleep(0.05)
        between.delay = 0.0
        between.listen()
        between.accept()
        await is_used_again(one, other)
        await asyncio.sleep(0.05)
        load.is_strict = True
        load.waits.clear()
        await asyncio.sleep(0.4)
    assert load.stale == []
    assert len(load.waits) > 50


async def _waits(db, seconds):
    waits, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        assert (await db.get("counter", "a"))["value"] == 0
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(0.002)
    return sorted(waits)


@OF_REDIS
async def test_a_server_that_hangs_keeps_few_waiting_and_none_for_long(open_beside, server):
    one = await open_beside(cache_recheck=0)
    await one.save("counter", {"name": "a"})
    before = await _waits(one, 0.5)
    usual = before[int(len(before) * 0.99)]  # on a machine that may be busy
    with server.frozen():
        waits = await _waits(one, 1.2)
    assert sum(wait > usual + 0.04 for wait in waits) <= 4 + len(waits) // 100  # two failures in a row, and then nobody
    assert waits[int(len(waits) * 0.98)] < usual + 0.05


async def test_a_write_that_cannot_be_told_is_acknowledged_in_time_and_told_later(open_beside, between, server):
    one, other = await open_beside(between, cache_recheck=0), await open_beside(cache_recheck=0)
    await one.save("counter", {"name": "a"})
    assert (await other.get("counter", "a"))["value"] == 0
    between.hush()
    began = time.perf_counter()
    await one.update("counter", "a", {"value": 1})
    assert time.perf_counter() - began < 0.5
    assert (await one.get("counter", "a"))["value"] == 1
    assert (await other.get("counter", "a", fresh=True))["value"] == 1
    await until(lambda: one.session.cache.tier.owes)
    between.listen()
    between.cut()
    await is_used_again(one)
    assert (await other.get("counter", "a"))["value"] == 1


async def test_what_could_not_be_dropped_is_dropped_though_nobody_asks_for_anything(open_beside, between):
    one, other = await open_beside(between, cache_recheck=0), await open_beside(cache_recheck=0)
    await one.save_many("counter", [{"name": "a"}, {"name": "b"}])
    for name in "ab":
        await other.get("counter", name)
    between.refuse()
    await one.update_where("counter", {"value": 0}, {"value": 1})
    between.accept()
    await is_used_again(one)  # which is idle
    assert [(await other.get("counter", name))["value"] for name in "ab"] == [1, 1]


async def test_what_nobody_foresaw_keeps_no_reader_waiting_and_no_write_from_being_told(open_beside):
    one, other = await open_beside(cache_recheck=0), await open_beside(cache_recheck=0)
    await one.save_many("counter", [{"name": "a"}, {"name": "b"}])
    for name in "ab":
        assert (await other.get("counter", name))["value"] == 0
    connection = one.session.cache.tier._connection
    run = connection.run

    async def failing(batch):
        connection.run = run
        asks.append(asyncio.create_task(one.update("counter", "b", {"value": 1})))
        asks.append(asyncio.create_task(one.get("counter", "b", fresh=True)))
        while one.session.cache.tier._next is None:  # what is asked meanwhile goes with the next
            await asyncio.sleep(0)
        raise NotImplementedError

    asks, connection.run = [], failing
    await within(5, one.update("counter", "a", {"value": 1}))
    await within(5, asyncio.gather(*asks))
    await is_used_again(one)
    assert [(await other.get("counter", name))["value"] for name in "ab"] == [1, 1]


@OF_REDIS
async def test_a_clock_that_is_set_back_keeps_nobody_from_coming_back(open_beside, between, monkeypatch):
    one = await open_beside(between)
    between.refuse()
    for _ in range(5):
        await one.save("counter", {"name": secrets.token_hex(4)})
    assert not one.session.cache.tier.is_up
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86_400)
    between.accept()
    await is_used_again(one)


async def test_what_could_not_be_told_before_closing_is_told_once_it_is_open_again(open_beside, between, caplog):
    one, other = await open_beside(between, cache_recheck=0), await open_beside(cache_recheck=0)
    await one.save("counter", {"name": "a"})
    assert (await other.get("counter", "a"))["value"] == 0
    between.refuse()
    await one.update("counter", "a", {"value": 1})
    with caplog.at_level(logging.WARNING, "soulspot_db.cache"):
        await within(5, one.close())
    assert "without having told Redis" in caplog.text
    between.accept()
    await one.open()
    await is_used_again(one)  # which is idle
    assert (await other.get("counter", "a"))["value"] == 1


@OF_REDIS
async def test_of_a_great_many_that_could_not_be_dropped_all_is_dropped(open_beside, between):
    one, other = await open_beside(between, cache_recheck=0), await open_beside(cache_recheck=0)
    await one.save("counter", {"name": "a"})
    assert (await other.get("counter", "a"))["value"] == 0
    between.refuse()
    await one.update("counter", "a", {"value": 1})
    one.session.cache.tier.owe([b"s%d" % number for number in range(20_000)])
    assert one.session.cache.tier.owes == 1
    between.accept()
    await is_used_again(one)
    assert (await other.get("counter", "a"))["value"] == 1


@OF_REDIS
async def test_what_is_in_memory_is_believed_until_its_look_has_aged_and_no_longer(open_beside, server):
    one = await open_beside(cache_recheck=0.4)
    await one.save("counter", {"name": "a"})
    await one.get("counter", "a")
    server.stop()
    hits = one.session.cache.hits
    await one.get("counter", "a")
    assert one.session.cache.hits == hits + 1
    await asyncio.sleep(0.45)
    for _ in range(5):
        await one.get("counter", "a")
    assert one.session.cache.hits == hits + 1


@OF_REDIS
async def test_a_server_without_memory_serves_what_it_can(open_database):
    with redis_servers.redis_server(maxmemory="1mb", maxmemory_policy="noeviction") as server:
        one = await open_database(redis=server.address, single_instance=False, cache_recheck=0)
        for number in range(30):
            await one.save("counter", {"name": f"n{number}", "value": number})
        for _ in range(3):
            for number in range(30):
                assert (await one.get("counter", f"n{number}"))["value"] == number
        assert one.session.cache.tier.is_up


@OF_REDIS
@pytest.mark.parametrize(
    "policy", ["allkeys-lru", pytest.param("allkeys-random", marks=pytest.mark.slow), "volatile-ttl"]
)
async def test_a_server_that_evicts_makes_nothing_old(open_database, policy):
    with redis_servers.redis_server(maxmemory="1200kb", maxmemory_policy=policy) as server:
        prefix = f"test.{secrets.token_hex(4)}"
        programs = [
            await open_database(
                redis=server.address, redis_prefix=prefix, single_instance=False, cache_recheck=0, cache_max_size=30
            )
            for _ in range(2)
        ]
        load = Load(*programs)
        async with load.running():
            filler, end = 0, time.monotonic() + 30
            while b"evicted_keys:0\r\n" in _info(server) and time.monotonic() < end:
                for _ in range(100):
                    filler += 1
                    await programs[0].get("counter", f"missing {filler}")
            for _ in range(300):
                filler += 1
                await programs[0].get("counter", f"missing {filler}")
        assert load.stale == []
        assert b"evicted_keys:0\r\n" not in _info(server)
        assert all(db.session.cache.tier.is_up for db in programs)


@pytest.mark.slow
@pytest.mark.sqlite_only
async def test_a_million_keys_leave_memory_here_and_there_as_it_was_after_a_tenth_of_them(open_database):
    process = psutil.Process()
    with redis_servers.redis_server(maxmemory="64mb", maxmemory_policy="allkeys-lru") as server:
        one = await open_database(redis=server.address, single_instance=False)
        region, after_a_tenth = one.session.plans.of(support.CounterSchema).region, 0
        for first in range(0, 1_000_000, 500):
            await asyncio.gather(*(one.get("counter", f"n{number}") for number in range(first, first + 500)))
            if first == 100_000:
                after_a_tenth = process.memory_info().rss
        assert process.memory_info().rss < after_a_tenth + 30_000_000
        assert len(region._entries) == len(region._looks) == 1_000
        assert len(one.session.cache._stamps) <= 2_100
        assert not region._loads
        assert one.session.cache.tier.is_up
        assert one.session.cache.tier.owes == 0
        assert b"evicted_keys:0\r\n" not in _info(server)


def _info(server):
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(b"INFO stats\r\nQUIT\r\n")
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
        return answer


@OF_REDIS
async def test_a_reply_that_comes_too_late_is_nobody_elses(open_beside, between):
    one = await open_beside(between, cache_recheck=0)
    await one.save_many("counter", [{"name": f"n{number}", "value": number} for number in range(50)])
    tasks = []
    for number in range(200):
        between.delay = 0.04 if number % 20 == 7 else 0.0
        task = asyncio.create_task(one.get("counter", f"n{number % 50}"))
        tasks.append((number % 50, task))
        await asyncio.sleep(0.001)
        if number % 3 == 0:
            task.cancel()
    for number, task in tasks:
        await asyncio.wait({task})
        if not task.cancelled():
            assert task.result()["value"] == number


@OF_REDIS
async def test_closing_tells_what_is_owed(open_beside, between):
    one, other = await open_beside(between, cache_recheck=0), await open_beside(cache_recheck=0)
    await one.save("counter", {"name": "a"})
    assert (await other.get("counter", "a"))["value"] == 0
    between.cut()
    await one.update("counter", "a", {"value": 1})
    await within(5, one.close())
    assert (await other.get("counter", "a"))["value"] == 1


@OF_REDIS
@pytest.mark.parametrize("fault", ["refusals", "silence", "none"])
async def test_closing_leaves_nothing_at_work(open_beside, between, fault):
    one = await open_beside(between, cache_recheck=0)
    await one.save("counter", {"name": "a"})
    if fault == "refusals":
        between.refuse()
    elif fault == "silence":
        between.hush()
    for value in range(3):
        await one.update("counter", "a", {"value": value})
        await one.get("counter", "a")
    await within(5, one.close())
    between.listen()
    between.accept()
    await asyncio.sleep(0.1)
    made = between.connections
    assert [task for task in asyncio.all_tasks() if task.get_name() == "soulspot-db cache"] == []
    await asyncio.sleep(0.7)
    assert between.connections == made  # nobody comes back
