"""What must not change while tables change, and what other programs' tables may not stop."""

import pytest
from soulspot_db import MigrationError
from soulspot_db.migrations.runner import migrate


async def test_rows_that_are_lost_after_a_table_was_made_anew_stop_the_migration(settings, filled, sql, code):
    filled.add(code["rebuild_albums"] + "op.execute('DELETE FROM albums WHERE id = 2')")
    with pytest.raises(MigrationError, match="rows would be lost that no revision says it loses: 1 of albums"):
        await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM albums") == [(2,)]


async def test_rows_that_are_lost_between_a_new_form_and_a_new_name_stop_the_migration(settings, filled, code):
    filled.add(
        "op.rename_table('tracks', 'songs')\n" + code["rebuild_albums"] + "op.rename_table('albums', 'records')\n"
        "op.execute('UPDATE songs SET album_id = NULL')\nop.execute('DELETE FROM records')"
    )
    with pytest.raises(MigrationError, match="rows would be lost that no revision says it loses: 2 of records"):
        await migrate(settings, filled.folder)


async def test_a_table_that_is_dropped_on_purpose_may_go_with_its_rows(settings, filled, sql):
    filled.add("op.drop_table('tracks')")
    await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM sqlite_master WHERE name = 'tracks'") == [(0,)]


async def test_a_trigger_made_by_hand_on_a_table_that_is_dropped_is_named_and_stops_the_migration(
    settings, filled, sql
):
    sql("CREATE TABLE log (what)", "CREATE TRIGGER spy AFTER DELETE ON tracks BEGIN INSERT INTO log VALUES (1); END")
    filled.add("op.drop_table('tracks')")
    with pytest.raises(MigrationError, match="the trigger spy was made by hand and would go with tracks") as raised:
        await migrate(settings, filled.folder)
    assert 'DROP TRIGGER "spy";' in raised.value.resolution
    sql("DROP TRIGGER spy")
    await migrate(settings, filled.folder)


async def test_rows_of_other_programs_that_refer_to_nothing_stop_no_migration_as_long_as_they_are_not_more(
    settings, filled, sql, code
):
    sql(
        "CREATE TABLE plugin_parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE plugin_rows (id INTEGER PRIMARY KEY, parent REFERENCES plugin_parents (id), track REFERENCES tracks (id))",
        "INSERT INTO plugin_rows VALUES (1, 77, 3)",
    )
    filled.add("op.rename_table('albums', 'records')\n" + code["rebuild_tracks"].replace("albums.id", "records.id"))
    await migrate(settings, filled.folder)
    filled.add("op.drop_table('tracks')")
    with pytest.raises(MigrationError, match="rows refer to rows that do not exist: 1 of plugin_rows"):
        await migrate(settings, filled.folder)


async def test_a_reference_of_another_program_that_sqlite_cannot_check_stops_no_migration(settings, filled, sql, code):
    sql(
        "CREATE TABLE plugin_parents (name TEXT)",
        "CREATE TABLE plugin_rows (id INTEGER PRIMARY KEY, parent REFERENCES plugin_parents (name))",
    )
    filled.add(code["rebuild_albums"])
    await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM albums") == [(2,)]
