"""Shards: several events are handled at once, those of one row never."""

import asyncio
import zlib

from hypothesis import given
from hypothesis import strategies as st
from soulspot_db import EventBus
from support import within

SHARDS = 4


def names(shard, count, shards=SHARDS):
    """Ids that go to one shard: which one, must not change from run to run."""
    ids = (f"id {number}" for number in range(1000))
    return [name for name in ids if zlib.crc32(name.encode()) % shards == shard][:count]


steps = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), max_size=60)


@given(steps=steps, shards=st.integers(1, 5))
def test_events_of_one_row_are_handled_in_order_and_never_at_once(steps, shards):
    started, busy = [], set()

    async def handler(event):
        about = event.data["entity_id"]
        assert about not in busy
        busy.add(about)
        started.append((about, event.data["number"]))
        for _ in range(event.data["turns"]):
            await asyncio.sleep(0)
        busy.remove(about)

    async def run():
        bus = EventBus()
        bus.subscribe("t", handler, shards=shards)
        for number, (about, turns) in enumerate(steps):
            await bus.publish("t", {"entity_id": about, "number": number, "turns": turns})
        await bus.settle()
        return bus.stats()

    stats = asyncio.run(run())
    assert stats["handled"] == len(steps)
    for about in {about for about, _ in steps}:
        numbers = [number for name, number in started if name == about]
        assert numbers == [number for number, (name, _) in enumerate(steps) if name == about]
    if shards == 1:
        assert [number for _, number in started] == list(range(len(steps)))


async def test_as_many_events_are_handled_at_once_as_there_are_shards():
    bus, started, go = EventBus(), [], asyncio.Event()

    @bus.subscribe("t", shards=SHARDS)
    async def handler(event):
        started.append(event.data["entity_id"])
        await go.wait()

    first = [names(shard, 2)[0] for shard in range(SHARDS)]
    second = [names(shard, 2)[1] for shard in range(SHARDS)]
    for name in [*first, *second]:
        await bus.publish("t", {"entity_id": name})
    for _ in range(5):
        await asyncio.sleep(0)
    assert started == first
    go.set()
    await within(5, bus.settle())
    assert started == [*first, *second]


async def test_what_is_about_no_row_goes_by_its_topic():
    bus, heard = EventBus(), []

    @bus.subscribe("**", shards=SHARDS)
    async def handler(event):
        await asyncio.sleep(0 if event.data else 0.01)
        heard.append(event.event_type)

    for data in (None, ["no mapping"], {"no": "id"}, "text"):
        await bus.publish("first", data)
    await bus.publish("t", {"entity_id": 7})
    await bus.publish("t", {"entity_id": "\ud800"})
    await within(5, bus.settle())
    assert sorted(heard) == ["first"] * 4 + ["t"] * 2
    assert bus.stats()["failed"] == 0


async def test_a_row_whose_handling_hangs_costs_other_shards_no_event():
    bus, heard = EventBus(patience=0), []
    (fine, *_), (hanging, *_) = names(0, 1), names(1, 1)

    @bus.subscribe("t", shards=SHARDS, max_pending=10)
    async def handler(event):
        if event.data["entity_id"] == hanging:
            await asyncio.Event().wait()
        heard.append(event.data["number"])

    for number in range(100):
        await bus.publish("t", {"entity_id": hanging})
        await bus.publish("t", {"entity_id": fine, "number": number})
        if number % 3 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert heard == list(range(100))
    stats = bus.stats()
    assert stats["pending"] <= 11
    assert stats["dropped"] + stats["pending"] == 100
