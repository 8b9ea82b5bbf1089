"""A table that somebody else keeps locked is waited for in turns, each a new attempt, and the run tells its story once."""

import asyncio

from soulspot_db.migrations.runner import migrate

from tests.migrations.postgresql.test_steps import ADD_COVER

SERVERS = ("started",)


async def release_soon(transaction, seconds):
    await asyncio.sleep(seconds)
    await transaction.rollback()


async def test_what_is_tried_again_is_told_once(settings, filled, holding):
    id = filled.add(ADD_COVER, title="Add cover")
    lines = []
    transaction = await holding("SELECT * FROM albums")
    patient = settings.model_copy(update={"pool_timeout": 1})
    await asyncio.gather(migrate(patient, filled.folder, lines.append), release_soon(transaction, 1.2))
    assert [line for line in lines if line.startswith(id)] == [f"{id}  Add cover."]
    assert len([line for line in lines if "no backup" in line]) == 1
    assert len([line for line in lines if line.startswith("waiting: ")]) == 1
    assert "kept a table locked" in lines[-1]


async def test_the_time_for_waiting_begins_with_the_first_wait_and_not_with_the_run(settings, filled, holding):
    filled.add("op.execute('SELECT pg_sleep(2)')", data=True)
    id = filled.add(ADD_COVER)
    transaction = await holding("SELECT * FROM albums")
    impatient = settings.model_copy(update={"pool_timeout": 1})
    state, _ = await asyncio.gather(migrate(impatient, filled.folder), release_soon(transaction, 3.2))
    assert state.current == id
