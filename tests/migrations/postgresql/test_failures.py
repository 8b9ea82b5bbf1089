"""Whatever fails, wherever: the database is as it was, or as it should be, and the next run does the rest."""

import asyncio
import itertools
import random
import signal
import subprocess
import sys
from contextlib import suppress

import asyncpg
import homes
import pytest
from soulspot_db import DatabaseError, LockedError, MigrationError
from soulspot_db.migrations.runner import migrate, status

from tests.migrations.postgresql.test_steps import ADD_COVER
from tests.migrations.test_runner_failures import Failing

SERVERS = ("started",)
PROGRAM = """
import asyncio, sys
from pathlib import Path
from soulspot_db import DatabaseSettings
from soulspot_db.migrations.runner import migrate
settings = DatabaseSettings(database=sys.argv[1], user=sys.argv[2], _env_file=None)
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


def start(settings, revisions):
    command = [sys.executable, "-c", PROGRAM, settings.database, settings.user, str(revisions.folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def ended(*processes):
    found = [await asyncio.to_thread(process.communicate, timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), found
    return "".join(output for output, _errors in found)


async def test_an_error_at_any_statement_leaves_the_old_database_or_the_new_one(settings, filled, sql, code, content):
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
        await migrate(settings, filled.folder)
        after = content()
        for at in itertools.count(1):
            as_before()
            with Failing(at) as failing, suppress(DatabaseError, OSError):
                await migrate(settings, filled.folder)
            if len(failing.statements) < at:
                break
            if "COMMIT" not in failing.statements[:-1]:
                assert content() == before, failing.statements[-1]
            else:
                assert (await status(settings, filled.folder)).pending == ()
                await migrate(settings, filled.folder)
                assert content() == after, failing.statements[-1]
                assert sql(f"SELECT {MADE_LATER}") == [(None,)]
        assert at > 60
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
async def test_a_process_that_is_killed_at_any_moment_is_gone_on_with(settings, many, sql, structure, number):
    process = start(settings, many)
    line = await asyncio.to_thread(process.stdout.readline)
    while "no backup" in line:
        line = await asyncio.to_thread(process.stdout.readline)
    assert many.ids[1] in line, line
    await asyncio.sleep(random.Random(number).random() * 0.5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (await status(settings, many.folder)).current in many.ids
    await migrate(settings, many.folder)
    require_all_done(sql, structure)


@pytest.mark.parametrize("number", [*range(5), *(pytest.param(n, marks=pytest.mark.slow) for n in range(5, 100))])
async def test_of_two_processes_that_start_at_once_both_end_well_and_each_revision_runs_once(
    settings, many, sql, structure, number
):
    lines = await ended(start(settings, many), start(settings, many))
    require_all_done(sql, structure)
    assert [lines.count(id) for id in many.ids[1:]] == [1, 1, 1]


async def test_who_waits_too_long_for_another_process_is_told(settings, filled, sql):
    filled.add("op.execute('SELECT pg_sleep(3)')")
    first = start(settings, filled)
    while filled.ids[1] not in await asyncio.to_thread(first.stdout.readline):
        pass
    impatient = settings.model_copy(update={"pool_timeout": 0.3})
    with pytest.raises(LockedError, match="another process has been migrating"):
        await migrate(impatient, filled.folder)
    await ended(first)


@pytest.fixture
async def holding(settings):
    """Runs a statement in a transaction that stays open until it is told to end."""
    (host,), (port,), name = settings.servers
    connection = await asyncpg.connect(host=host, port=port, database=name, user=settings.user)

    async def hold(statement):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(statement)
        return transaction

    yield hold
    await connection.close()


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


async def test_an_index_of_a_table_with_rows_is_made_beside_those_who_write(settings, filled, sql):
    filled.add(NEW_INDEX + '\nop.create_index("uq_albums_name", "albums", ["name"], unique=True)')
    with Failing() as counted:
        await migrate(settings, filled.folder)
    made = [line for line in counted.statements if line.startswith("CREATE INDEX CONCURRENTLY")]
    assert made == ["CREATE INDEX CONCURRENTLY ix_tracks_album_id ON tracks (album_id)"]
    unique = next(at for at, line in enumerate(counted.statements) if line.startswith("CREATE UNIQUE INDEX"))
    assert unique < counted.statements.index("COMMIT") < counted.statements.index(made[0])


async def test_rows_are_looked_at_after_the_commit_for_a_new_constraint_that_holds_for_new_ones_before(
    settings, filled, code
):
    filled.add(code["rebuild_albums"])
    with Failing() as counted:
        await migrate(settings, filled.folder)

    def at(end):
        return next(number for number, line in enumerate(counted.statements) if line.endswith(end))

    assert at("NOT VALID") < at("COMMIT") < at('VALIDATE CONSTRAINT "ck_albums_name_length"')


async def test_an_index_that_was_left_unfinished_is_made_again(settings, filled, sql, structure):
    filled.add(NEW_INDEX)
    await migrate(settings, filled.folder)
    sql(
        "CREATE TABLE soulspot_db_later (number integer, name text, statement text)",
        "INSERT INTO soulspot_db_later VALUES"
        " (1, 'ix_tracks_album_id', 'CREATE INDEX ix_tracks_album_id ON tracks (album_id)')",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_tracks_album_id'::regclass",
    )
    assert "(invalid)" in structure()["tracks"].indexes["ix_tracks_album_id"].parts
    await migrate(settings, filled.folder)
    assert structure()["tracks"].indexes["ix_tracks_album_id"].parts == "album_id"
    assert sql(f"SELECT {MADE_LATER}") == [(None,)]


async def test_rows_that_came_meanwhile_against_a_new_check_are_told_and_the_next_run_finishes(settings, filled, sql):
    filled.add(
        'op.execute("ALTER TABLE albums ADD CONSTRAINT ck_albums_short CHECK (length(name) < 10) NOT VALID")\n'
        'op.execute("CREATE TABLE soulspot_db_later (number integer, name text, statement text)")\n'
        'op.execute("INSERT INTO soulspot_db_later VALUES'
        " (1, 'ck_albums_short', 'ALTER TABLE albums VALIDATE CONSTRAINT ck_albums_short')\")"
    )
    with pytest.raises(MigrationError, match="ck_albums_short is not finished: rows do not fulfil it"):
        await migrate(settings, filled.folder)
    assert (await status(settings, filled.folder)).current == filled.ids[-1]
    sql("UPDATE albums SET name = 'short'")
    await migrate(settings, filled.folder)
    assert sql("SELECT convalidated FROM pg_constraint WHERE conname = 'ck_albums_short'") == [(True,)]


async def test_what_was_put_off_is_done_before_the_next_revision_renames_it(settings, filled, structure):
    filled.add(NEW_INDEX)
    filled.add('op.alter_column("tracks", "album_id", new_column_name="record_id")')
    await migrate(settings, filled.folder)
    assert structure()["tracks"].indexes["ix_tracks_album_id"].parts == "record_id"
