"""Whatever fails, wherever: the database is as it was, or as it should be, and the next run does the rest."""

import asyncio
import random
import signal
from contextlib import suppress

import homes
import pytest
from soulspot_db import DatabaseError, LockedError
from soulspot_db.migrations.runner import migrate, status

from tests.migrations.postgresql.sessions import Losing
from tests.migrations.postgresql.test_steps import ADD_COVER

SERVERS = ("started",)
PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from soulspot_db import DatabaseSettings
from soulspot_db.migrations.runner import migrate
settings = DatabaseSettings(database=sys.argv[1], user=sys.argv[2], _env_file=None)
last = int(sys.argv[4])
done = 0
def count(*_arguments):
    global done
    done += 1
    if done == last:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "before_cursor_execute", count)
def report(line):
    print(line, flush=True)
asyncio.run(migrate(settings, Path(sys.argv[3]), report))
"""
# A year of each album's own, which can be done twice.
COUNTING = """
tracks = sa.table("tracks", sa.column("id"), sa.column("old"))
for rows in steps.batches(tracks, size=500):
    op.execute(tracks.update().where(tracks.c.id.between(rows[0].id, rows[-1].id)).values(old=tracks.c.old + 1))
"""
KEEP_OLD = '    sa.Column("old", ddl.integer(), nullable=True),\n    sa.Column("album_id"'
NEW_INDEX = 'op.create_index("ix_tracks_album_id", "tracks", ["album_id"])'
MADE_LATER = "to_regclass('soulspot_db_later')::text"


@pytest.fixture
def start(settings, revisions, programs):
    """Starts a process that migrates, and is killed when it is about to send that statement."""

    def run(*, killed_at=0):
        return programs.start(PROGRAM, settings.database, settings.user, revisions.folder, killed_at)

    return run


async def ended(*processes):
    found = [await asyncio.to_thread(process.communicate, timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), found
    return "".join(output for output, _errors in found)


@pytest.mark.parametrize("apart", [20, pytest.param(1, marks=pytest.mark.slow)])
async def test_a_session_that_is_lost_at_any_statement_leaves_the_old_database_or_the_new_one(
    settings, filled, sql, code, content, apart
):
    filled.add(ADD_COVER)
    filled.add(code["rebuild_albums"] + code["rebuild_tracks"] + NEW_INDEX)
    before = content()
    name = settings.servers[2]
    other = settings.model_copy(update={"database": settings.database.replace(name, "postgres")})

    def as_before():
        homes.on_server(other, f"DROP DATABASE {name} WITH (FORCE)", ())
        homes.on_server(other, f"CREATE DATABASE {name} TEMPLATE {name}_kept", ())

    homes.on_server(other, f"CREATE DATABASE {name}_kept TEMPLATE {name}", ())
    try:
        with Losing(settings) as whole:
            await migrate(settings, filled.folder)
        after = content()
        last = len(whole.statements)
        assert last > 60
        commit = whole.statements.index("COMMIT") + 1
        for at in sorted({*range(1, last + 1, apart), commit, commit + 1, last}):
            as_before()
            with Losing(settings, at=at) as losing, suppress(DatabaseError):
                await migrate(settings, filled.folder)
            assert losing.is_lost
            if "COMMIT" not in losing.statements[: at - 1]:
                assert content() == before, losing.statements[at - 1]
            else:
                assert (await status(settings, filled.folder)).pending == ()
                await migrate(settings, filled.folder)
                assert content() == after, losing.statements[at - 1]
                assert sql(f"SELECT {MADE_LATER}") == [(None,)]
    finally:
        homes.on_server(other, f"DROP DATABASE {name}_kept", ())


@pytest.fixture
async def many(settings, revisions, sql, code):
    """20,000 tracks, and pending: another form, a data revision, another form with an index."""
    revisions.add(code["tables"])
    await migrate(settings, revisions.folder)
    sql(
        "INSERT INTO albums VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO tracks SELECT i, 'title ' || i, i, 1 + i % 2, nullif(i - 1, 0) FROM generate_series(1, 20000) AS i",
    )
    revisions.add(code["rebuild_albums"])
    revisions.add(COUNTING, data=True)
    revisions.add(code["rebuild_tracks"].replace('    sa.Column("album_id"', KEEP_OLD, 1) + NEW_INDEX)
    return revisions


def require_all_done(sql, structure):
    assert sql("SELECT count(*), count(album_id), count(parent_id) FROM tracks") == [(20000, 20000, 19999)]
    assert sql("SELECT count(*) FROM tracks WHERE old <> id + 1 OR title <> 'title ' || id") == [(0,)]
    assert sql(f"SELECT {MADE_LATER}, to_regclass('soulspot_db_progress')::text") == [(None, None)]
    assert structure()["tracks"].indexes["ix_tracks_album_id"].parts == "album_id"


@pytest.mark.parametrize("number", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 100))])
async def test_a_process_that_is_killed_at_any_moment_is_gone_on_with(settings, many, start, sql, structure, number):
    # Among the first and among the last are revisions that change tables; between them one goes through rows.
    process = start(killed_at=random.Random(number).randint(1, 400))
    found = await asyncio.to_thread(process.communicate, timeout=120)
    assert process.returncode == -signal.SIGKILL, found
    assert (await status(settings, many.folder)).current in many.ids
    await migrate(settings, many.folder)
    require_all_done(sql, structure)


@pytest.mark.parametrize("number", [*range(2), *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 100))])
async def test_pitfall_27_of_two_processes_that_start_at_once_both_end_well_and_each_revision_runs_once(
    many, start, sql, structure, number
):
    lines = await ended(start(), start())
    require_all_done(sql, structure)
    assert [lines.count(id) for id in many.ids[1:]] == [1, 1, 1]


async def test_who_waits_too_long_for_another_process_is_told(settings, filled, start):
    filled.add("op.execute('SELECT pg_sleep(2)')")
    first = start()
    while filled.ids[1] not in await asyncio.to_thread(first.stdout.readline):
        pass
    impatient = settings.model_copy(update={"pool_timeout": 0.3})
    with pytest.raises(LockedError, match="another process has been migrating"):
        await migrate(impatient, filled.folder)
    await ended(first)


async def test_a_table_that_is_locked_for_a_while_is_tried_again(settings, filled, holding, structure):
    filled.add(ADD_COVER)
    transaction = await holding("SELECT * FROM albums")
    run = asyncio.create_task(migrate(settings, filled.folder))
    await asyncio.sleep(4)
    assert not run.done()
    await transaction.rollback()
    await run
    assert "cover" in structure()["albums"].columns


async def test_a_table_that_stays_locked_is_an_error_and_nothing_is_changed(settings, filled, holding, content):
    before = content()
    filled.add(ADD_COVER)
    transaction = await holding("SELECT * FROM albums")
    impatient = settings.model_copy(update={"pool_timeout": 0.5})
    with pytest.raises(LockedError, match="a table"):
        await migrate(impatient, filled.folder)
    await transaction.rollback()
    assert content() == before
