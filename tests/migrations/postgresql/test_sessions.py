"""Sessions that are lost, refused or kept waiting, whatever the run is at: what is told is true."""

import asyncio

import pytest
from soulspot_db import CommitOutcomeUnknownError, ConnectionFailedError, LockedError, MigrationError
from soulspot_db.migrations.runner import migrate, status

from tests.migrations.postgresql.sessions import Losing
from tests.migrations.postgresql.test_commands import run
from tests.migrations.postgresql.test_failures import COUNTING
from tests.migrations.postgresql.test_steps import ADD_COVER

SERVERS = ("started",)
__all__ = ["run"]


async def test_the_session_that_does_the_work_holds_the_lock(settings, filled, sql):
    filled.add("op.execute('SELECT pg_sleep(2)')")
    running = asyncio.create_task(migrate(settings, filled.folder))
    working = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    while not sql(working):
        await asyncio.sleep(0.05)
    assert sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted") == sql(working)
    assert sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'soulspot-db'") == [(1,)]
    await running


async def test_a_session_that_is_ended_in_the_middle_says_that_nothing_was_changed(settings, filled, content):
    before = content()
    filled.add(ADD_COVER)
    with Losing(settings, beginning="ALTER TABLE"), pytest.raises(ConnectionFailedError, match="was lost") as raised:
        await migrate(settings, filled.folder)
    assert "Nothing was changed" in raised.value.resolution
    assert content() == before


async def test_a_session_that_is_ended_between_batches_says_that_those_before_stay(settings, filled, sql):
    sql("INSERT INTO tracks (id, title, old) SELECT n, 'title', n FROM generate_series(10, 1400) AS n")
    filled.add(ADD_COVER)
    filled.add(COUNTING, data=True)
    losing = Losing(settings, beginning="UPDATE tracks")
    losing.is_lost = True
    with losing, pytest.raises(ConnectionFailedError) as raised:
        running = asyncio.create_task(migrate(settings, filled.folder))
        while sum(line.startswith("UPDATE tracks") for line in losing.statements) < 2:
            await asyncio.sleep(0)
        losing.is_lost = False
        await running
    assert f"The batches of revision {filled.ids[-1]} that were done stay" in raised.value.resolution
    await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM tracks WHERE id >= 10 AND old <> id + 1") == [(0,)]


async def test_a_session_that_is_ended_during_commit_leaves_an_outcome_that_nobody_knows(settings, filled):
    filled.add(ADD_COVER)
    with (
        Losing(settings, beginning="COMMIT"),
        pytest.raises(CommitOutcomeUnknownError, match="may be applied") as raised,
    ):
        await migrate(settings, filled.folder)
    assert "migrate --status" in raised.value.resolution
    await migrate(settings, filled.folder)
    assert (await status(settings, filled.folder)).pending == ()


async def test_a_session_that_is_ended_after_the_commit_says_that_the_revisions_are_applied(settings, filled):
    filled.add('op.create_index("ix_tracks_album_id", "tracks", ["album_id"])')
    with Losing(settings, beginning="CREATE INDEX CONC"), pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert f"ix_tracks_album_id is not finished: the connection to {settings.address} was lost" in str(raised.value)


@pytest.mark.parametrize(
    "arguments", [("migrate",), ("migrate", "--status"), ("migrate", "--sql"), ("check", "--database")]
)
async def test_a_database_that_does_not_exist_is_told_with_the_command_that_makes_it(
    settings, run, monkeypatch, arguments
):
    (host,), (port,), _name = settings.servers
    monkeypatch.setenv("DATABASE", f"{host}:{port}/nonesuch")
    told = await run(*arguments)
    assert told.exit_code == 1
    assert f"there is no database 'nonesuch' at {host}:{port}/nonesuch" in told.output
    assert f"createdb -h {host} -p {port} -U {settings.user} nonesuch" in told.output


async def test_a_role_that_does_not_exist_is_told(settings, run, monkeypatch):
    monkeypatch.setenv("DATABASE_USER", "nobody_of_that_name")
    told = await run("migrate")
    assert told.exit_code == 1
    assert "refuses the user 'nobody_of_that_name'" in told.output


async def test_a_role_that_may_not_change_a_table_is_told_what_to_grant(settings, filled, sql):
    role = f"reader_of_{settings.servers[2]}"
    sql(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        filled.add(ADD_COVER)
        with pytest.raises(MigrationError, match="must be owner of table albums") as raised:
            await migrate(settings.model_copy(update={"user": role}), filled.folder)
        assert "GRANT owner TO" in raised.value.resolution
    finally:
        sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_a_table_that_stays_locked_in_a_data_revision_is_told_with_what_stays(settings, filled, sql, holding):
    sql("INSERT INTO tracks (id, title, old) SELECT n, 'title', n FROM generate_series(10, 1400) AS n")
    filled.add(COUNTING, data=True)
    transaction = await holding("UPDATE tracks SET title = 'kept' WHERE id = 1300")
    impatient = settings.model_copy(update={"pool_timeout": 0.5})
    with pytest.raises(LockedError) as raised:
        await migrate(impatient, filled.folder)
    await transaction.rollback()
    assert f"The batches of revision {filled.ids[-1]} that were done stay" in raised.value.resolution
    assert "nothing" not in raised.value.resolution.lower()
    assert sql("SELECT count(*) FROM tracks WHERE old = id + 1 AND id BETWEEN 10 AND 100") == [(91,)]
