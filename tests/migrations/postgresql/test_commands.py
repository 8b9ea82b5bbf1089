"""SoulSpot's own migrations and the commands on PostgreSQL."""

import asyncio
import importlib
import re
import subprocess

import pytest
import servers
import soulspot_db_entities
from click.testing import CliRunner
from soulspot_db import Database, EntityRegistry, MigrationRequiredError, SchemaAheadError
from soulspot_db.cli import main
from soulspot_db.migrations.inspection import inspect_database
from soulspot_db.migrations.runner import migrate, status
from soulspot_db_entities import MIGRATION_HEAD

from tests.migrations.conftest import ROOT
from tests.migrations.postgresql.test_steps import ADD_COVER
from tests.migrations.test_plain_alembic import ALEMBIC


@pytest.fixture
def run(settings, monkeypatch):
    """The command line, in a thread that has no event loop."""
    monkeypatch.setenv("DATABASE", settings.database)
    monkeypatch.setenv("DATABASE_USER", settings.user)
    monkeypatch.chdir(ROOT)

    async def invoke(*arguments):
        return await asyncio.to_thread(CliRunner().invoke, main, list(arguments), catch_exceptions=False)

    return invoke


async def test_soulspot_is_migrated_from_nothing_and_looks_as_its_schemas_say(settings, run, structure, ids):
    assert f"pending   {len(ids)}" in (await run("migrate", "--status")).output
    behind = await run("check", "--database")
    assert (behind.exit_code, f"{len(ids)} behind" in behind.output) == (1, True)
    done = await run("migrate")
    assert done.exit_code == 0, done.output
    assert f"{settings.address} is at revision {MIGRATION_HEAD}" in done.output
    assert len(structure()) == 25
    checked = await run("check", "--database")
    assert (checked.exit_code, checked.output) == (0, f"{settings.address} is as the schemas say\n")
    again = await run("migrate")
    assert again.output.splitlines()[1:] == [f"{settings.address} is at revision {MIGRATION_HEAD}"]


async def test_what_was_changed_by_hand_is_found(settings, filled, sql, code):
    revisions = ROOT / "migrations"
    sql("DROP TABLE tracks", "DROP TABLE albums", "DROP TABLE soulspot_db_version")
    await migrate(settings, revisions)
    sql(
        "DROP INDEX ix_automation_rules_name",
        "CREATE INDEX mine ON automation_rules (name)",
        "ALTER TABLE automation_rules ALTER priority TYPE integer",
        "ALTER TABLE automation_rules ALTER enabled DROP DEFAULT",
        "ALTER TABLE automation_rules DROP CONSTRAINT ck_automation_rules_name_length",
    )
    lines = await inspect_database(settings, revisions)
    found = "\n".join(lines)
    assert "index ix_automation_rules_name of automation_rules is missing: CREATE INDEX" in found
    assert "index mine of automation_rules is in no schema: DROP INDEX" in found
    assert "column priority of automation_rules: type is integer and should be bigint" in found
    assert "column enabled of automation_rules: default is none and should be true" in found
    assert "check ck_automation_rules_name_length of automation_rules is missing" in found
    assert len(lines) == 5
    for line in lines:
        sql(re.search("(CREATE INDEX|DROP INDEX|ALTER TABLE)[^;]*", line)[0])
    assert await inspect_database(settings, revisions) == []
    assert sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'soulspot_db_check%'") == [(0,)]


async def test_a_database_that_is_behind_is_compared_with_what_its_own_revision_left(settings, filled, sql):
    filled.add("op.execute('SELECT 1')", data=True)
    await migrate(settings, filled.folder)
    filled.add(ADD_COVER)
    (line,) = await inspect_database(settings, filled.folder)
    assert "1 behind" in line
    assert "and as that revision left it" in line
    sql("ALTER TABLE albums ADD COLUMN mine integer")
    assert "column mine of albums is in no schema" in (await inspect_database(settings, filled.folder))[0]


async def test_a_check_leaves_nothing_behind_where_a_data_revision_goes_through_rows_that_it_made(
    settings, filled, sql
):
    filled.add(
        """
op.execute("INSERT INTO albums (id, name) VALUES (10, 'Seed'), (11, 'Seed')")
albums = sa.table("albums", sa.column("id"), sa.column("name"))
for rows in steps.batches(albums, size=1):
    op.execute(albums.update().where(albums.c.id == rows[0].id).values(name="Sprout"))
""",
        data=True,
    )
    filled.add('op.create_index("ix_albums_name", "albums", ["name"])')
    await migrate(settings, filled.folder)
    filled.add(ADD_COVER)
    (line,) = await inspect_database(settings, filled.folder)
    assert "and as that revision left it" in line
    assert sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'soulspot_db_check%'") == []


async def test_sql_is_printed_that_psql_can_run(settings, server, database, run, sql, structure, ids):
    printed = await run("migrate", "--sql", "--to", ids[0])  # which makes every table
    assert printed.exit_code == 0, printed.output
    command = [servers.PROGRAMS / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.host]
    command += ["-p", str(server.port), "-U", server.user, "-d", database]
    await asyncio.to_thread(subprocess.run, command, input=printed.output, text=True, check=True, capture_output=True)
    assert (await status(settings, ROOT / "migrations")).current == ids[0]
    await migrate(settings, ROOT / "migrations")
    assert await inspect_database(settings, ROOT / "migrations") == []


async def test_sql_of_a_table_that_takes_another_form_is_refused(settings, filled, run, code):
    filled.add(code["rebuild_albums"])
    refused = await run("migrate", "--sql", "--migrations", str(filled.folder))
    assert refused.exit_code == 1
    assert "how depends on what the database has" in refused.output


async def test_the_plain_alembic_command_runs_the_revisions_as_well(settings, ids, programs):
    environment = {"DATABASE": settings.database, "DATABASE_USER": settings.user}

    def alembic(*arguments):
        done = programs.run(ALEMBIC, "-c", ROOT / "pyproject.toml", *arguments, cwd=ROOT, **environment)
        assert done.returncode == 0, done.err
        return done.out

    await asyncio.to_thread(alembic, "upgrade", "head")
    assert (await asyncio.to_thread(alembic, "current")).split()[0] == MIGRATION_HEAD
    assert "CREATE TABLE" in await asyncio.to_thread(alembic, "upgrade", ids[0], "--sql")


async def test_opening_a_database_says_whether_it_is_behind_or_ahead(settings, sql):
    with EntityRegistry.isolated():
        importlib.reload(soulspot_db_entities)
        with pytest.raises(MigrationRequiredError, match="is at revision none"):
            await Database(settings).open()
        willing = settings.model_copy(update={"auto_migrate": True})
        async with Database(willing) as db:
            assert await db.count("track") == 0
        sql("UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")
        with pytest.raises(SchemaAheadError):
            await Database(settings).open()
