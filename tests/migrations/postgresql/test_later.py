"""What is put off until after the COMMIT: what it may be, and that it never stands in the way."""

import asyncio
import logging

import pytest
from soulspot_db import MigrationError
from soulspot_db.migrations.check import require_heads
from soulspot_db.migrations.inspection import inspect_database
from soulspot_db.migrations.printing import print_sql
from soulspot_db.migrations.runner import migrate, status

from tests.migrations.postgresql.sessions import StoppedAt
from tests.migrations.postgresql.test_commands import run
from tests.migrations.postgresql.test_failures import MADE_LATER, NEW_INDEX
from tests.migrations.postgresql.test_steps import ADD_COVER
from tests.migrations.test_runner_failures import Failing

SERVERS = ("started",)
__all__ = ["run"]
CHECKED = 'steps.add_column("albums", sa.Column("year", ddl.integer(), server_default="5"), {check})'
TRUE = CHECKED.format(check="""ddl.check('"year" > 0', name="ck_albums_year")""")
FALSE = CHECKED.format(check="""ddl.check('"year" > 9', name="ck_albums_year")""")


@pytest.fixture
def stopped(settings, filled):
    """Applies revisions by a process that is killed when it is to do the first statement that begins so."""

    async def stop(beginning):
        with StoppedAt(settings, beginning=beginning), pytest.raises(KeyboardInterrupt):
            await asyncio.to_thread(asyncio.run, migrate(settings, filled.folder))
        assert (await status(settings, filled.folder)).pending == ()

    return stop


async def test_an_index_of_a_table_with_rows_is_made_beside_those_who_write(settings, filled):
    filled.add(NEW_INDEX + '\nop.create_index("uq_albums_name", "albums", ["name"], unique=True)')
    with Failing() as counted:
        await migrate(settings, filled.folder)
    made = [line for line in counted.statements if line.startswith("CREATE INDEX CONCURRENTLY")]
    assert made == ["CREATE INDEX CONCURRENTLY ix_tracks_album_id ON tracks (album_id)"]
    unique = next(at for at, line in enumerate(counted.statements) if line.startswith("CREATE UNIQUE INDEX"))
    assert unique < counted.statements.index("COMMIT") < counted.statements.index(made[0])


async def test_pitfall_28_who_waits_for_the_lock_does_not_keep_an_index_from_being_made(settings, filled, structure):
    """CREATE INDEX CONCURRENTLY waits for every transaction that is older than it: a waiter must be in none."""
    filled.add(NEW_INDEX)
    waiters = [migrate(settings.model_copy(update={"pool_timeout": 15}), filled.folder) for _ in range(3)]
    async with asyncio.timeout(10):
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, waiter) for waiter in waiters))
    assert structure()["tracks"].indexes["ix_tracks_album_id"].parts == "album_id"


async def test_pitfall_30_an_index_commits_nothing_of_the_revisions_before_the_last_is_done(settings, filled, content):
    filled.add(NEW_INDEX)
    filled.add('op.execute("SELECT * FROM nothing")')
    before = content()
    with pytest.raises(MigrationError, match='relation "nothing" does not exist'):
        await migrate(settings, filled.folder)
    assert content() == before


async def test_rows_are_looked_at_after_the_commit_for_a_new_column_that_is_checked_from_then_on(settings, filled):
    filled.add(TRUE)
    with Failing() as counted:
        await migrate(settings, filled.folder)

    def at(end):
        return next(number for number, line in enumerate(counted.statements) if line.endswith(end))

    assert at("NOT VALID") < at("COMMIT") < at('VALIDATE CONSTRAINT "ck_albums_year"')


async def test_a_table_that_takes_another_form_is_looked_at_before_the_commit(settings, filled, code):
    filled.add(code["rebuild_albums"] + code["rebuild_tracks"])
    with Failing() as counted:
        await migrate(settings, filled.folder)
    assert [line for line in counted.statements if "VALID" in line] == []


@pytest.mark.parametrize(
    ("drop", "spoil"),
    [
        ("ck_tracks_title_length", "UPDATE tracks SET title = repeat('x', 300)"),
        ("fk_tracks_album_id", "UPDATE tracks SET album_id = 99"),
    ],
)
async def test_a_constraint_dropped_by_hand_that_is_false_when_it_comes_back_changes_nothing(
    settings, filled, sql, code, content, drop, spoil
):
    sql(f"ALTER TABLE tracks DROP CONSTRAINT {drop}", spoil)
    before = content()
    filled.add(code["rebuild_tracks"])
    with pytest.raises(MigrationError, match=f"refuses the row: {drop}"):
        await migrate(settings, filled.folder)
    assert content() == before


async def test_rows_that_do_not_fulfil_what_was_put_off_are_told_and_the_next_run_finishes(settings, filled, sql):
    filled.add(FALSE)
    with pytest.raises(MigrationError, match=r"ck_albums_year is not finished: rows do not fulfil it\n") as raised:
        await migrate(settings, filled.folder)
    assert "migrate` again" in raised.value.resolution
    assert (await status(settings, filled.folder)).current == filled.ids[-1]
    sql("UPDATE albums SET year = 2000")
    await migrate(settings, filled.folder)
    assert sql("SELECT convalidated FROM pg_constraint WHERE conname = 'ck_albums_year'") == [(True,)]


async def test_a_revision_may_remove_what_cannot_be_finished(settings, filled, structure, sql):
    filled.add(FALSE)
    with pytest.raises(MigrationError, match="is not finished"):
        await migrate(settings, filled.folder)
    filled.add('op.execute("ALTER TABLE albums DROP CONSTRAINT ck_albums_year")')
    await migrate(settings, filled.folder)
    assert structure()["albums"].checks == {}
    assert sql(f"SELECT {MADE_LATER}") == [(None,)]


@pytest.mark.parametrize(
    ("revision", "beginning", "by_hand"),
    [
        (TRUE, 'ALTER TABLE "albums" VALIDATE', "ALTER TABLE albums DROP CONSTRAINT ck_albums_year"),
        (TRUE, 'ALTER TABLE "albums" VALIDATE', "DROP TABLE albums CASCADE"),
        (NEW_INDEX, "CREATE INDEX CONCURRENTLY", "DROP TABLE tracks"),
        (NEW_INDEX, "CREATE INDEX CONCURRENTLY", "ALTER TABLE tracks DROP COLUMN album_id"),
    ],
)
@pytest.mark.parametrize("next_one", ["", "op.execute('SELECT 1')"])
async def test_what_was_put_off_and_has_gone_by_hand_is_left_out_and_told(
    settings, filled, stopped, sql, caplog, revision, beginning, by_hand, next_one
):
    filled.add(revision)
    await stopped(beginning)
    sql(by_hand)
    if next_one:
        filled.add(next_one)
    await migrate(settings, filled.folder)
    assert "is not there any more, and is left out" in caplog.text
    assert sql(f"SELECT {MADE_LATER}") == [(None,)]


async def test_pitfall_29_an_index_that_was_left_invalid_is_made_again(settings, filled, holding, structure, sql):
    filled.add(NEW_INDEX)
    transaction = await holding("LOCK TABLE tracks IN ROW EXCLUSIVE MODE")
    with pytest.raises(MigrationError, match="is not finished: another transaction kept it waiting"):
        await migrate(settings.model_copy(update={"pool_timeout": 0.5}), filled.folder)
    await transaction.rollback()
    assert "(invalid)" in structure()["tracks"].indexes["ix_tracks_album_id"].parts
    await migrate(settings, filled.folder)
    assert structure()["tracks"].indexes["ix_tracks_album_id"].parts == "album_id"
    assert sql(f"SELECT {MADE_LATER}") == [(None,)]


async def test_an_index_that_somebody_made_by_hand_under_the_same_name_is_not_taken_for_it(
    settings, filled, sql, content
):
    sql("CREATE INDEX ix_tracks_album_id ON tracks (old)")
    before = content()
    filled.add(ADD_COVER)
    filled.add(NEW_INDEX)
    with pytest.raises(MigrationError, match="there is an index ix_tracks_album_id already") as raised:
        await migrate(settings, filled.folder)
    assert 'DROP INDEX "ix_tracks_album_id"' in raised.value.resolution
    assert "Nothing was changed" in raised.value.resolution
    assert content() == before


async def test_what_was_put_off_is_done_before_the_next_revision_renames_it(settings, filled, structure):
    filled.add(NEW_INDEX)
    filled.add('op.alter_column("tracks", "album_id", new_column_name="record_id")')
    await migrate(settings, filled.folder)
    assert structure()["tracks"].indexes["ix_tracks_album_id"].parts == "record_id"


async def test_what_is_not_finished_is_told_by_status_and_check_and_refuses_sql(settings, filled, stopped, run):
    filled.add(NEW_INDEX + "\n" + TRUE)
    await stopped("CREATE INDEX CONCURRENTLY")
    assert (await status(settings, filled.folder)).unfinished == ("ix_tracks_album_id", "ck_albums_year")
    told = await run("migrate", "--status", "--migrations", str(filled.folder))
    assert "ix_tracks_album_id is not finished yet: run `soulspot-db migrate`" in told.output
    filled.add(ADD_COVER)
    lines = await inspect_database(settings, filled.folder)
    advice = "not finished yet: run `soulspot-db migrate`"
    assert [line for line in lines if line.endswith(advice)] == lines[:2]
    assert len(lines) == 3
    with pytest.raises(MigrationError, match="ix_tracks_album_id, ck_albums_year"):
        await print_sql(settings, filled.folder)
    await migrate(settings, filled.folder)
    assert (await status(settings, filled.folder)).unfinished == ()


async def test_a_start_that_may_migrate_finishes_and_one_that_may_not_says_so(
    settings, filled, stopped, structure, monkeypatch, caplog
):
    monkeypatch.setattr("soulspot_db.migrations.locate.migrations_of", lambda _package: filled.folder)
    filled.add(NEW_INDEX)
    await stopped("CREATE INDEX CONCURRENTLY")
    await require_heads(settings, {"ours": filled.ids[-1]})
    assert "ix_tracks_album_id" not in structure()["tracks"].indexes
    assert [record.levelno for record in caplog.records if "not finished" in record.message] == [logging.WARNING]
    await require_heads(settings.model_copy(update={"auto_migrate": True}), {"ours": filled.ids[-1]})
    assert structure()["tracks"].indexes["ix_tracks_album_id"].parts == "album_id"


async def test_a_start_goes_on_with_what_cannot_be_finished_and_says_why(settings, filled, monkeypatch, caplog):
    monkeypatch.setattr("soulspot_db.migrations.locate.migrations_of", lambda _package: filled.folder)
    filled.add(FALSE)
    willing = settings.model_copy(update={"auto_migrate": True})
    with pytest.raises(MigrationError, match="is not finished"):
        await require_heads(willing, {"ours": filled.ids[-1]})
    await require_heads(willing, {"ours": filled.ids[-1]})
    assert "ck_albums_year is not finished: rows do not fulfil it" in caplog.text
