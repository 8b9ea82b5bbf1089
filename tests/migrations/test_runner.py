"""Migrating a database: all pending revisions or none, and what happens when it cannot be done."""

import asyncio
import shutil
import sqlite3
import threading

import greenlet
import pytest
from soulspot_db import EntityRegistry, LockedError, MigrationError, SchemaAheadError
from soulspot_db.migrations.differences import compare_structures
from soulspot_db.migrations.live import read_structure
from soulspot_db.migrations.runner import migrate, status
from soulspot_db_entities import MIGRATION_HEAD


def tables(path):
    connection = sqlite3.connect(path)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()


async def test_a_fresh_database_comes_to_the_head_that_the_code_was_generated_for(settings, migrations):
    state = await migrate(settings, migrations)
    assert state.current == state.head == MIGRATION_HEAD
    assert state.pending == ()
    assert {"spotify_playlists", "library_tracks", "soulseek_downloads"} <= tables(settings.database_path)


async def test_every_revision_is_reported_before_it_runs(settings, migrations, ids):
    lines = []
    await migrate(settings, migrations, lines.append)
    assert [line.partition(" ")[0] for line in lines if line[:12] in ids] == ids


async def test_migrating_twice_changes_nothing(settings, migrations):
    await migrate(settings, migrations)
    before = settings.database_path.read_bytes()
    lines = []
    await migrate(settings, migrations, lines.append)
    assert lines == []
    assert settings.database_path.read_bytes() == before


async def test_status_names_what_is_pending_and_creates_no_file(settings, migrations, ids):
    state = await status(settings, migrations)
    assert (state.current, state.head) == (None, MIGRATION_HEAD)
    assert [revision for revision, _title in state.pending] == ids
    assert not settings.database_path.exists()


async def test_a_database_that_is_ahead_of_the_code_is_refused_and_left_alone(settings, migrations):
    await migrate(settings, migrations)
    with sqlite3.connect(settings.database_path) as connection:
        connection.execute("UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")
    connection.close()
    with pytest.raises(SchemaAheadError) as raised:
        await migrate(settings, migrations)
    assert raised.value.code == "DATABASE_SCHEMA_AHEAD"
    assert "ffffffffffff" in raised.value.message
    assert (await status(settings, migrations)).ahead


@pytest.fixture
def adding(migrations, tmp_path, recorded):
    """The migrations, with statements added at the end of the last upgrade."""

    def add(*statements):
        changed = tmp_path / "migrations"
        shutil.copytree(migrations, changed)
        revision = max((changed / "versions").glob("*.py"))
        added = "".join(f"\n    op.execute({sql!r})" for sql in statements)
        text = revision.read_text()
        assert "\n\n\ndef downgrade" in text
        revision.write_text(text.replace("\n\n\ndef downgrade", f"{added}\n\n\ndef downgrade"))
        recorded(changed)
        return changed

    return add


async def test_a_revision_that_fails_half_way_leaves_the_database_as_it_was(settings, adding):
    with pytest.raises(MigrationError, match="missing"):
        await migrate(settings, adding("INSERT INTO missing VALUES (1)"))
    assert tables(settings.database_path) == set()


async def test_an_error_that_ends_the_transaction_itself_is_not_hidden_by_the_rollback(settings, adding):
    with pytest.raises(MigrationError, match="missing"):
        await migrate(settings, adding("ROLLBACK", "INSERT INTO missing VALUES (1)"))
    assert tables(settings.database_path) == set()


async def test_a_lock_that_is_not_had_in_time_is_an_error_that_says_so(settings, migrations):
    other = sqlite3.connect(settings.database_path, isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LockedError) as raised:
            await migrate(settings.model_copy(update={"pool_timeout": 0.1}), migrations)
    finally:
        other.close()
    assert raised.value.code == "DATABASE_LOCKED"
    assert tables(settings.database_path) == set()


async def test_migrating_runs_beside_the_event_loop_and_in_no_greenlet(settings, migrations):
    found = []

    def report(_line):
        found.append((threading.current_thread() is threading.main_thread(), greenlet.getcurrent().parent))

    await migrate(settings, migrations, report)
    assert set(found) == {(False, None)}


async def test_two_processes_that_start_at_once_both_succeed_and_one_migrates(settings, migrations, programs):
    program = (
        "import asyncio, sys; from pathlib import Path; from soulspot_db import DatabaseSettings;"
        "from soulspot_db.migrations.runner import migrate;"
        "settings = DatabaseSettings(database_path=sys.argv[1], _env_file=None);"
        "asyncio.run(migrate(settings, Path(sys.argv[2]), print))"
    )
    started = [programs.start(program, settings.database_path, migrations) for _ in range(3)]
    ended = [await asyncio.to_thread(process.communicate, timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended
    assert sum(MIGRATION_HEAD in output for output, _errors in ended) == 1


async def test_a_folder_without_migrations_is_an_error_that_says_so(settings, tmp_path):
    with pytest.raises(MigrationError, match="is not a migrations folder"):
        await migrate(settings, tmp_path)


async def test_every_table_is_strict_and_has_the_structure_that_the_generated_code_describes(settings, migrations):
    import sqlalchemy as sa
    from soulspot_db_entities._metadata import METADATA

    for entity_type in EntityRegistry.list_entity_types():
        EntityRegistry.get_schema(entity_type)
    await migrate(settings, migrations)
    engine = sa.create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as connection:
        described = read_structure(connection)
    engine.dispose()
    migrated_engine = sa.create_engine(f"sqlite:///{settings.database_path}")
    with migrated_engine.connect() as connection:
        migrated = read_structure(connection)
        made = dict(connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all())
        assert [name for name in migrated if not made[name].rstrip().endswith("STRICT")] == []
    migrated_engine.dispose()
    # Columns that came later stand elsewhere, which is no difference.
    assert compare_structures(described, migrated) == []
