"""Ctrl-C while `soulspot-db migrate` runs: it stops, and says where the database is."""

import asyncio
import signal
import sqlite3
import time

import pytest
from soulspot_db.migrations.runner import migrate, status

PROGRAM = "from soulspot_db.cli import main; main(prog_name='soulspot-db')"
ENDLESS = 'op.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")'
SLOWLY = """
import time
tracks = sa.table("tracks", sa.column("id"), sa.column("title"))
for rows in steps.batches(tracks, size=1):
    print("a batch", flush=True)
    op.execute(tracks.update().where(tracks.c.id == rows[0].id).values(title=tracks.c.title + "!"))
    time.sleep(0.5)
"""


@pytest.fixture
def start(settings, tmp_path, programs):
    started = []

    def begin(folder):
        arguments = ("migrate", "--migrations", folder)
        process = programs.start(PROGRAM, *arguments, merged=True, cwd=tmp_path, DATABASE=str(settings.database_path))
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def interrupt(process, after):
    """What a run says that is interrupted when it has said `after`, and how long it took to end."""
    said = []
    while not said or after not in said[-1]:
        said.append(process.stdout.readline())
        assert said[-1], said
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    rest, _errors = process.communicate(timeout=60)
    return "".join(said) + rest, time.monotonic() - began


async def test_ctrl_c_stops_the_running_statement_and_nothing_is_changed(settings, filled, start, sql):
    before = filled.ids[-1]
    filled.add("op.rename_table('albums', 'records')")
    endless = filled.add(ENDLESS)
    process = start(filled.folder)
    said, took = await asyncio.to_thread(interrupt, process, endless)
    assert took < 5
    assert process.returncode == 130
    assert "Aborted" not in said
    assert f"stopped in revision {endless}. Nothing was changed." in said
    assert f"interrupted: {settings.database_path} is at revision {before}, 2 pending" in said
    assert "run the same command again to go on from there" in said
    assert sql("SELECT count(*) FROM albums") == [(2,)]
    assert not list(settings.database_path.parent.glob("*before-migration*"))


async def test_ctrl_c_stops_a_data_revision_between_batches_and_the_next_run_goes_on_there(
    settings, filled, start, sql
):
    changed = filled.add("op.rename_table('albums', 'records')")
    data = filled.add(SLOWLY, data=True)
    process = start(filled.folder)
    said, _took = await asyncio.to_thread(interrupt, process, "a batch")
    assert process.returncode == 130
    assert f"The batches of revision {data} that were done stay, and the next run goes on after them." in said
    assert f"is at revision {changed}, 1 pending" in said
    done = sql("SELECT count(*) FROM tracks WHERE title LIKE '%!'")
    assert done != [(3,)]
    await migrate(settings, filled.folder)
    assert sql("SELECT title FROM tracks ORDER BY id") == [("minus!",), ("Sinnerman!",), (None,), ("Be My Husband!",)]


async def test_ctrl_c_stops_who_waits_for_another_program(settings, filled, start):
    filled.add("pass")
    other = sqlite3.connect(settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        process = start(filled.folder)
        said, took = await asyncio.to_thread(interrupt, process, "migrations from")
    finally:
        other.close()
    assert took < 5
    assert process.returncode == 130
    assert "1 pending" in said


async def test_ctrl_c_again_ends_what_does_not_stop_and_the_database_is_as_it_was(settings, filled, start, sql):
    filled.add("op.rename_table('albums', 'records')\nimport time\nprint('asleep', flush=True)\ntime.sleep(60)")
    process = start(filled.folder)

    def twice():
        while "asleep" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert "press Ctrl-C again" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=5)

    assert await asyncio.to_thread(twice) == -signal.SIGINT
    assert sql("SELECT count(*) FROM albums") == [(2,)]


async def test_who_is_cancelled_goes_on_when_the_run_has_stopped_and_not_before(settings, filled):
    filled.add(ENDLESS)
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    run = asyncio.create_task(
        migrate(settings, filled.folder, lambda _line: loop.call_soon_threadsafe(began.set), backup=False)
    )
    await began.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert (await status(settings, filled.folder)).current == filled.ids[0]
    await migrate(settings.model_copy(update={"pool_timeout": 0.1}), filled.folder, to=filled.ids[0])
