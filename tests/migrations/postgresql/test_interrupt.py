"""A run on PostgreSQL that is stopped: the server's statement ends too, and a COMMIT that has begun is left alone."""

import asyncio

import pytest
from soulspot_db.migrations.runner import migrate, status

SERVERS = ("started",)
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
SLOW_COMMIT = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$",
    """CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON albums DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION slow()""",
)


@pytest.fixture
def begin(settings, filled):
    """Start a run, and go on when a line that it tells holds this."""
    lines = []

    async def run(text):
        loop = asyncio.get_running_loop()
        told = asyncio.Event()

        def report(line):
            lines.append(line)
            if text in line:
                loop.call_soon_threadsafe(told.set)

        task = asyncio.create_task(migrate(settings, filled.folder, report))
        await told.wait()
        await asyncio.sleep(0.3)
        return task, lines

    return run


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await task


async def test_the_running_statement_is_cancelled_on_the_server_and_nothing_is_changed(settings, filled, sql, begin):
    filled.add("op.rename_table('albums', 'records')")
    id = filled.add("op.execute('SELECT pg_sleep(60)')")
    task, lines = await begin(id)
    await cancelled(task)
    assert f"stopped in revision {id}. Nothing was changed." in lines
    assert (await status(settings, filled.folder)).current == filled.ids[0]
    assert sql(SLEEPING) == [(0,)]
    assert sql("SELECT count(*) FROM albums") == [(2,)]
    assert sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


async def test_who_waits_for_another_process_is_stopped(settings, filled, begin):
    id = filled.add("op.execute('SELECT pg_sleep(60)')")
    first, _lines = await begin(id)
    second = asyncio.create_task(migrate(settings, filled.folder))
    await asyncio.sleep(0.5)
    await cancelled(first)
    await cancelled(second)


async def test_a_commit_that_has_begun_is_not_interrupted(settings, filled, sql, begin):
    sql(*SLOW_COMMIT)
    id = filled.add("op.execute('UPDATE albums SET id = id WHERE id = 1')")
    task, _lines = await begin(id)
    assert sql("SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'") == [(1,)]
    await cancelled(task)
    assert (await status(settings, filled.folder)).current == id
