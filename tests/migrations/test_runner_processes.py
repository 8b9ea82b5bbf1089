"""Processes that are killed, and processes that start at once."""

import asyncio
import random
import signal

import pytest
import sqlalchemy as sa
from soulspot_db.migrations.runner import migrate, status

PROGRAM = """
import asyncio, resource, sys, time
from pathlib import Path
from soulspot_db import DatabaseSettings
from soulspot_db.migrations.runner import migrate
settings = DatabaseSettings(database_path=sys.argv[1], _env_file=None)
def report(line):
    print(line, flush=True)
started = time.monotonic()
asyncio.run(migrate(settings, Path(sys.argv[2]), report, allow_destructive=sys.argv[3:], backup=False))
print("done", time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
"""

COUNTING = """
tracks = sa.table("tracks", sa.column("id"), sa.column("old"))
for rows in steps.batches(tracks, size=500):
    op.execute(tracks.update().where(tracks.c.id.between(rows[0].id, rows[-1].id)).values(old=tracks.c.old + 1))
"""


@pytest.fixture
def start(settings, revisions, programs):
    return lambda: programs.start(PROGRAM, settings.database_path, revisions.folder)


@pytest.fixture
async def many(settings, revisions, sql, code):
    """20,000 tracks, and pending: a rebuild, a data revision, a rebuild."""
    revisions.add(code["tables"])
    await migrate(settings, revisions.folder)
    sql(
        "INSERT INTO albums VALUES (1, 'a'), (2, 'b')",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        " INSERT INTO tracks SELECT i, 'title ' || i, i, 1 + i % 2, nullif(i - 1, 0) FROM n",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    revisions.add(code["rebuild_albums"])
    revisions.add(COUNTING, data=True)
    revisions.add(
        code["rebuild_tracks"].replace(
            '    sa.Column("album_id"',
            '    sa.Column("old", ddl.integer(), nullable=True),\n    sa.Column("album_id"',
            1,
        )
    )
    return revisions


def verify_all_done(sql):
    assert sql("PRAGMA integrity_check") == [("ok",)]
    assert sql("PRAGMA foreign_key_check") == []
    assert sql("SELECT count(*), count(album_id), count(parent_id) FROM tracks") == [(20000, 20000, 19999)]
    assert sql("SELECT count(*) FROM tracks WHERE old IS NOT id + 1 OR title IS NOT 'title ' || id") == [(0,)]
    assert sql("SELECT count(*) FROM sqlite_master WHERE name LIKE '%rebuild%' OR name LIKE '%progress%'") == [(0,)]


@pytest.mark.parametrize("number", [*range(5), *(pytest.param(n, marks=pytest.mark.slow) for n in range(5, 100))])
async def test_a_process_that_is_killed_at_any_moment_is_gone_on_with(settings, many, start, sql, number):
    process = start()
    line = await asyncio.to_thread(process.stdout.readline)
    assert many.ids[1] in line, line
    await asyncio.sleep(random.Random(number).random() * 0.16)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = (await status(settings, many.folder)).current
    assert found in many.ids
    if found == many.ids[0]:
        assert "year" not in sql("SELECT sql FROM sqlite_master WHERE name = 'albums'")[0][0]
    await migrate(settings, many.folder, backup=False)
    verify_all_done(sql)


@pytest.mark.parametrize("number", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 100))])
async def test_pitfall_27_of_two_processes_that_start_at_once_both_end_well_and_each_revision_runs_once(
    many, start, sql, number
):
    processes = [start(), start()]
    ended = [await asyncio.to_thread(process.communicate, timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    verify_all_done(sql)
    lines = "".join(output for output, _errors in ended)
    assert lines.count(many.ids[1]) == 1  # what changes tables runs in one of them
    assert lines.count(many.ids[3]) == 1


async def test_two_processes_may_share_the_batches_of_a_data_revision(settings, many, start, sql):
    await migrate(settings, many.folder, to=many.ids[1], backup=False)
    processes = [start() for _ in range(3)]
    ended = [await asyncio.to_thread(process.communicate, timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    verify_all_done(sql)


async def test_who_is_overtaken_on_the_way_to_a_revision_does_not_take_the_other_back(settings, many, start, sql):
    turns = []

    def overtake(_connection, _cursor, statement, *_rest):
        # Between two batches, while nobody has the lock, another process goes all the way.
        if statement == "PRAGMA foreign_keys = ON":
            turns.append(statement)
            if len(turns) == 3:
                start().communicate(timeout=60)

    sa.event.listen(sa.Engine, "before_cursor_execute", overtake)
    try:
        state = await migrate(settings, many.folder, to=many.ids[2], backup=False)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", overtake)
    assert state.current == many.ids[3]
    verify_all_done(sql)


@pytest.mark.slow
def test_a_rebuild_of_100_000_rows_takes_bounded_memory(settings, revisions, start, sql, code):
    revisions.add(code["tables"])
    asyncio.run(migrate(settings, revisions.folder))
    peaks = []
    for rows in (1000, 99_000):
        sql(
            "WITH RECURSIVE n(i) AS (SELECT coalesce(max(id), 0) + 1 FROM tracks UNION ALL SELECT i + 1 FROM n)"
            f" INSERT INTO tracks SELECT i, printf('%200s', i), i, NULL, NULL FROM n LIMIT {rows}"
        )
        revisions.add(
            code["rebuild_tracks"].replace(
                '    sa.Column("album_id"',
                '    sa.Column("old", ddl.integer(), nullable=True),\n    sa.Column("album_id"',
                1,
            )
        )
        process = start()
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        _done, seconds, peak = output.splitlines()[-1].split()
        peaks.append(int(peak))
        assert float(seconds) < 60
    assert sql("SELECT count(*) FROM tracks") == [(100_000,)]
    assert peaks[1] - peaks[0] < 24 * 1024  # KiB; the rows are over 20 MB
