"""A program that runs while another one migrates stops, instead of writing with the old meaning of the columns."""

import asyncio
import contextlib
import shutil
import sqlite3
from contextlib import closing

import pytest
from soulspot_db import Database, SchemaAheadError
from soulspot_db.migrations.runner import migrate
from soulspot_db_entities import MIGRATION_HEAD
from support import until

LATER = "ffffffffffff"
REBUILD = f'''"""Index names."""

from alembic import op

revision = "aaaaaaaaaaaa"
down_revision = "{MIGRATION_HEAD}"
branch_labels = None
depends_on = None
modules = ["library"]
schema_after = "0000"


def upgrade() -> None:
    op.create_index("ix_metadata_artists_note", "metadata_artists", ["name"])


def downgrade() -> None:
    op.drop_index("ix_metadata_artists_note")
'''


@pytest.fixture
async def db(migrated):
    async with Database(migrated.model_copy(update={"cache_recheck": 0})) as opened:
        yield opened


def execute(db, sql):
    with closing(sqlite3.connect(db.settings.database_path)) as connection, connection:
        return connection.execute(sql).fetchall()


def go_to(db, revision):
    execute(db, f"UPDATE soulspot_db_version SET version_num = '{revision}'")


async def in_a_block(db):
    async with db.transaction() as tx:
        await tx.save("artist", {"name": "Nina Simone"})


WRITES = {
    "save": lambda db: db.save("artist", {"name": "Nina Simone"}),
    "a block": in_a_block,
    "run_in_transaction": lambda db: db.run_in_transaction(lambda tx: tx.save("artist", {"name": "Nina Simone"})),
}


@pytest.mark.parametrize("how", WRITES)
async def test_the_first_write_after_another_program_has_migrated_is_refused(db, how):
    await db.save("artist", {"name": "Miles Davis"})
    go_to(db, LATER)
    with pytest.raises(SchemaAheadError, match="revision ffffffffffff") as raised:
        await WRITES[how](db)
    assert (raised.value.context["current"], raised.value.context["head"]) == (LATER, MIGRATION_HEAD)
    assert execute(db, "SELECT name FROM metadata_artists") == [("Miles Davis",)]


async def test_that_nothing_is_done_any_more_is_logged_once(db, caplog):
    go_to(db, LATER)
    for _ in range(3):
        with pytest.raises(SchemaAheadError):
            await db.save("artist", {"name": "Nina Simone"})
    told = [record for record in caplog.records if "DATABASE_SCHEMA_AHEAD" in record.getMessage()]
    assert [(record.name, record.levelname) for record in told] == [("soulspot_db.monitoring", "ERROR")]


async def test_every_write_of_a_group_is_refused(db):
    go_to(db, LATER)
    ended = await asyncio.gather(*(WRITES["save"](db) for _ in range(5)), return_exceptions=True)
    assert [type(error) for error in ended] == [SchemaAheadError] * 5


async def test_reads_are_refused_once_it_has_been_seen_also_those_from_memory(db):
    artist = await db.save("artist", {"name": "Nina Simone"})
    await db.get("artist", artist)
    go_to(db, LATER)
    with contextlib.suppress(SchemaAheadError):
        await db.get("artist", artist)  # looks whether others have written
    await until(lambda: db._engine._writer.ousted)
    for read in (db.get("artist", artist), db.query("artist"), db.get("artist", artist, fresh=True)):
        with pytest.raises(SchemaAheadError):
            await read


async def test_a_program_stops_when_a_migration_has_gone_through_beside_it(db, migrations, tmp_path, recorded):
    newer = shutil.copytree(migrations, tmp_path / "newer")
    (newer / "versions" / "9999_rebuild.py").write_text(REBUILD)
    recorded(newer)
    assert (await migrate(db.settings, newer)).current == "aaaaaaaaaaaa"
    with pytest.raises(SchemaAheadError, match="aaaaaaaaaaaa"):
        await WRITES["save"](db)


async def test_a_program_stops_when_the_version_is_gone(db):
    execute(db, "DROP TABLE soulspot_db_version")
    with pytest.raises(SchemaAheadError, match="revision none"):
        await WRITES["save"](db)


async def test_other_commits_of_other_programs_stop_nobody(db):
    execute(db, "CREATE TABLE notes (text TEXT)")
    execute(db, "INSERT INTO notes VALUES ('mine')")
    await WRITES["save"](db)
    assert await db.count("artist") == 1


async def test_a_database_that_is_back_at_its_revision_can_be_opened_again(db):
    go_to(db, LATER)
    with pytest.raises(SchemaAheadError):
        await WRITES["save"](db)
    go_to(db, MIGRATION_HEAD)
    await db.close()
    async with Database(db.settings) as again:
        await WRITES["save"](again)
