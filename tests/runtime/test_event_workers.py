"""The tasks that call handlers: one at a time for each queue, whoever cancels them or makes tasks."""

import asyncio

import pytest
from soulspot_db import Event, EventBus
from support import until, within


def figures(bus):
    return {name: count for name, count in bus.stats().items() if count}


@pytest.mark.parametrize("catches", [False, True], ids=["cancelled", "catches it"])
async def test_a_handler_that_cancels_its_own_task_fails_and_the_next_event_goes_on(catches, caplog):
    bus, heard = EventBus(), []

    @bus.subscribe("t")
    async def handler(event):
        heard.append(event.data)
        if event.data == 1:
            asyncio.current_task().cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if not catches:
                raise

    for number in (1, 2, 3):
        await bus.publish("t", number)
    await until(lambda: len(heard) == 3)
    await within(5, bus.settle())
    assert figures(bus) == {"published": 3, "handled": 2, "failed": 1, "subscriptions": 1}
    assert "failed on t" in caplog.text


async def test_a_function_that_cancels_the_task_it_is_called_in_fails_and_the_next_event_goes_on():
    bus, heard = EventBus(), []

    @bus.subscribe("t")
    def handler(event):
        heard.append(event.data)
        if event.data in {1, 4}:
            asyncio.current_task().cancel()

    for number in (1, 2, 3, 4):
        await bus.publish("t", number)
    await until(lambda: len(heard) == 4)
    await bus.publish("t", 5)
    await until(lambda: len(heard) == 5)
    assert figures(bus) == {"published": 5, "handled": 3, "failed": 2, "subscriptions": 1}


async def test_settle_waits_for_events_after_one_whose_handler_has_cancelled_its_own_task():
    bus, heard = EventBus(), []

    @bus.subscribe("t")
    async def handler(event):
        if event.data == 1:
            asyncio.current_task().cancel()
        await asyncio.sleep(0.01)
        heard.append(event.data)

    for number in (1, 2, 3):
        await bus.publish("t", number)
    await within(5, bus.settle())
    assert heard == [2, 3]


async def test_an_event_whose_handling_is_cancelled_from_outside_counts_as_dropped():
    bus, working = EventBus(), []

    @bus.subscribe("t")
    async def handler(_event):
        working.append(asyncio.current_task())
        await asyncio.Event().wait()

    await bus.publish("t", {})
    await until(lambda: working)
    working[0].cancel()
    await asyncio.wait(working)
    assert figures(bus) == {"published": 1, "dropped": 1, "subscriptions": 1}


def eager(loop, coroutine, *, context=None, **options):
    """What `asyncio.eager_task_factory` does from Python 3.12 on: the first step is taken at once."""
    if not loop.is_running():
        return asyncio.Task(coroutine, loop=loop, context=context, **options)
    try:
        first = context.run(coroutine.send, None) if context else coroutine.send(None)
    except StopIteration:
        return asyncio.Task(asyncio.sleep(0), loop=loop)
    return asyncio.Task(_Rest(coroutine, first).run(), loop=loop, context=context, **options)


class _Rest:
    def __init__(self, coroutine, first):
        self.coroutine = coroutine
        self.first = first

    async def run(self):
        await self

    def __await__(self):
        waited = self.first
        while True:
            sent = yield waited
            try:
                waited = self.coroutine.send(sent)
            except StopIteration:
                return


@pytest.fixture
async def eager_tasks():
    loop = asyncio.get_running_loop()
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", eager))
    yield
    loop.set_task_factory(None)


async def test_where_tasks_start_at_once_a_handler_still_gets_one_event_at_a_time_and_in_order(eager_tasks):
    bus, seen, busy = EventBus(), [], []

    @bus.subscribe("t")
    async def first(event):
        assert not busy
        busy.append(event.data)
        if event.data < 3:
            await bus.publish("t", event.data + 1)
        busy.clear()

    @bus.subscribe("t")
    async def second(event):
        seen.append(event.data)

    await bus.publish("t", 0)
    await within(5, bus.settle())
    assert seen == [0, 1, 2, 3]
    assert figures(bus) == {"published": 4, "handled": 8, "subscriptions": 2}


async def test_where_tasks_start_at_once_no_handler_runs_in_the_step_that_publishes(eager_tasks):
    bus, heard = EventBus(), []
    bus.subscribe("t", heard.append)
    bus.deliver([Event("t", 1), Event("t", 2)])
    assert heard == []
    await within(5, bus.settle())
    assert len(heard) == 2
