"""A table in another form: what it keeps, and what hangs on it."""

import pytest
from soulspot_db import MigrationError
from soulspot_db.migrations.runner import migrate


async def rebuilt(settings, revisions, body):
    revisions.add(body)
    return await migrate(settings, revisions.folder)


async def test_rows_arrive_in_the_new_form_and_values_are_made_where_they_are_asked_for(settings, filled, sql, code):
    await rebuilt(settings, filled, code["rebuild_tracks"])
    assert sql("SELECT id, title, album_id, parent_id FROM tracks ORDER BY id") == [
        (-7, "minus", 1, None),
        (1, "Sinnerman", 1, None),
        (2, "?", 2, 1),
        (3, "Be My Husband", 1, 2),
    ]


async def test_pitfall_01_rebuilding_a_parent_neither_deletes_nor_empties_its_children(settings, filled, sql, code):
    await rebuilt(settings, filled, code["rebuild_albums"] + code["rebuild_tracks"])
    assert sql("SELECT count(*), count(album_id), count(parent_id) FROM tracks") == [(4, 4, 2)]
    assert sql("PRAGMA foreign_key_check") == []
    assert {row[2:7] for row in sql("PRAGMA foreign_key_list(tracks)")} == {
        ("albums", "album_id", "id", "NO ACTION", "CASCADE"),
        ("tracks", "parent_id", "id", "NO ACTION", "SET NULL"),
    }


async def test_pitfall_02_and_03_where_foreign_keys_are_enforced_nothing_is_rebuilt(settings, filled, sql, code):
    # Of a data revision; the pragmas are too late inside its transaction, and do not prevent the cascade.
    filled.add(
        "op.execute('PRAGMA foreign_keys = OFF')\nop.execute('PRAGMA defer_foreign_keys = ON')\n"
        + code["rebuild_albums"],
        data=True,
    )
    with pytest.raises(MigrationError, match="cannot be rebuilt while foreign keys are enforced"):
        await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM tracks") == [(4,)]


async def test_pitfall_04_checks_stay_named_and_hold(settings, filled, sql, code):
    import sqlite3

    await rebuilt(settings, filled, code["rebuild_tracks"])
    assert "CONSTRAINT ck_tracks_title_length CHECK" in sql("SELECT sql FROM sqlite_master WHERE name = 'tracks'")[0][0]
    with pytest.raises(sqlite3.IntegrityError, match="ck_tracks_title_length"):
        sql("INSERT INTO tracks VALUES (9, printf('%300s', ''), NULL, NULL)")


@pytest.mark.parametrize(
    "index",
    [
        pytest.param("CREATE INDEX by_hand ON tracks (lower(title))", id="pitfall_05_over_an_expression"),
        pytest.param("CREATE INDEX by_hand ON tracks (title DESC, album_id)", id="pitfall_06_downwards"),
        pytest.param("CREATE INDEX by_hand ON tracks (title COLLATE NOCASE)", id="pitfall_07_with_a_collation"),
        pytest.param("CREATE UNIQUE INDEX by_hand ON tracks (title) WHERE album_id = 1", id="pitfall_11_partial"),
    ],
)
async def test_an_index_made_by_hand_comes_along_as_it_was_written(settings, filled, sql, code, index):
    sql(index)
    await rebuilt(settings, filled, code["rebuild_tracks"])
    assert sql("SELECT sql FROM sqlite_master WHERE name = 'by_hand'") == [(index,)]
    assert sql("SELECT count(*) FROM sqlite_master WHERE name = 'ix_tracks_title'") == [(1,)]


async def test_the_new_form_is_strict_and_a_value_of_another_type_stops_the_migration(settings, filled, sql, code):
    filled.add(code["rebuild_albums"].replace('"NULL"', '"name"'))
    with pytest.raises(MigrationError, match="cannot store TEXT value in INTEGER column _soulspot_rebuild_albums"):
        await migrate(settings, filled.folder)


async def test_an_index_that_the_revision_drops_does_not_come_back(settings, filled, sql, code):
    sql("CREATE INDEX ours ON tracks (title)")
    await rebuilt(settings, filled, "op.drop_index('ours', table_name='tracks')\n" + code["rebuild_tracks"])
    assert sql("SELECT count(*) FROM sqlite_master WHERE name = 'ours'") == [(0,)]


async def test_an_index_made_by_hand_over_what_is_gone_is_left_out_and_said(settings, filled, sql, code):
    sql("CREATE INDEX by_hand ON tracks (old)")
    filled.add(code["rebuild_tracks"])
    lines = []
    await migrate(settings, filled.folder, lines.append)
    assert any("left out the index by_hand, which was made by hand: " in line for line in lines)
    assert sql("SELECT count(*) FROM sqlite_master WHERE name = 'by_hand'") == [(0,)]


async def test_pitfall_07_collations_and_autoincrement_stay_and_no_key_is_given_twice(settings, revisions, sql):
    form = """
    sa.Column("id", ddl.integer(), nullable=False),
    sa.Column("name", sa.Text(collation="NOCASE"), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_x"),
    """
    revisions.add(f"op.create_table('x', {form} sqlite_strict=True, sqlite_autoincrement=True)")
    await migrate(settings, revisions.folder)
    sql("INSERT INTO x (name) VALUES ('a'), ('b'), ('c')", "DELETE FROM x WHERE id > 1")
    await rebuilt(settings, revisions, f"steps.rebuild_table('x', {form})")
    assert sql("SELECT id FROM x WHERE name = 'A'") == [(1,)]
    assert sql("INSERT INTO x (name) VALUES ('d') RETURNING id") == [(4,)]
    assert sql("SELECT * FROM sqlite_sequence") == [("x", 4)]
    sql("DELETE FROM x")
    await rebuilt(settings, revisions, f"steps.rebuild_table('x', {form})")
    assert sql("INSERT INTO x (name) VALUES ('e') RETURNING id") == [(5,)]


async def test_pitfall_08_triggers_of_the_table_and_of_others_that_name_it_still_fire(settings, filled, sql, code):
    sql(
        "CREATE TABLE log (what TEXT)",
        "CREATE TRIGGER named AFTER UPDATE OF title ON tracks BEGIN INSERT INTO log VALUES (NEW.title); END",
        "CREATE TRIGGER emptied AFTER DELETE ON albums BEGIN INSERT INTO log SELECT title FROM tracks; END",
    )
    await rebuilt(settings, filled, code["rebuild_tracks"])
    assert sql("SELECT * FROM log") == []  # copying the rows has fired nothing
    sql(
        "UPDATE tracks SET title = 'x' WHERE id = 1",
        "DELETE FROM tracks WHERE id <> 1",
        "DELETE FROM albums WHERE id = 2",
    )
    assert sql("SELECT * FROM log") == [("x",), ("x",)]


@pytest.mark.parametrize("on", ["tracks", "albums"])
async def test_pitfall_08_a_trigger_that_would_stop_working_is_named_and_stops_the_migration(
    settings, filled, sql, code, on
):
    row = "OLD.old" if on == "tracks" else "(SELECT tracks.old FROM tracks)"
    sql("CREATE TABLE log (what)", f"CREATE TRIGGER spy AFTER DELETE ON {on} BEGIN INSERT INTO log VALUES ({row}); END")
    with pytest.raises(MigrationError, match="the trigger spy was made by hand and would stop working") as raised:
        await rebuilt(settings, filled, code["rebuild_tracks"])
    assert 'DROP TRIGGER "spy";' in raised.value.resolution
    assert "Nothing was changed." in raised.value.resolution
    assert sql("SELECT sum(old) FROM tracks") == [(6,)]


async def test_pitfall_09_a_view_on_the_table_stays_and_works(settings, filled, sql, code):
    sql("CREATE VIEW titles AS SELECT title FROM tracks")
    await rebuilt(settings, filled, code["rebuild_tracks"])
    assert len(sql("SELECT * FROM titles")) == 4


async def test_pitfall_09_a_view_that_would_stop_working_is_named_and_stops_the_migration(settings, filled, sql, code):
    sql("CREATE VIEW olds AS SELECT tracks.old FROM tracks")
    with pytest.raises(MigrationError, match="the view olds was made by hand and would stop working") as raised:
        await rebuilt(settings, filled, code["rebuild_tracks"])
    assert 'DROP VIEW "olds";' in raised.value.resolution
    assert sql("SELECT sum(old) FROM olds") == [(6,)]


async def test_a_view_that_worked_no_more_before_does_not_stop_a_migration(settings, filled, sql, code):
    sql("CREATE VIEW broken AS SELECT tracks.missing FROM tracks")
    await rebuilt(settings, filled, code["rebuild_tracks"])
    assert sql("SELECT count(*) FROM tracks") == [(4,)]


async def test_pitfall_10_what_lies_in_the_way_is_refused_by_name(settings, filled, sql, code):
    sql("CREATE TABLE _soulspot_rebuild_tracks (x)")
    with pytest.raises(MigrationError, match="the table _soulspot_rebuild_tracks is in the way") as raised:
        await rebuilt(settings, filled, code["rebuild_tracks"])
    assert 'DROP TABLE "_soulspot_rebuild_tracks"' in raised.value.resolution
    sql("DROP TABLE _soulspot_rebuild_tracks")
    await migrate(settings, filled.folder)


async def test_legacy_alter_table_is_off_again_afterwards(settings, filled, sql, code):
    # The native rename that follows takes the views along, which it does not in legacy mode.
    sql("CREATE VIEW titles AS SELECT title FROM tracks")
    await rebuilt(settings, filled, code["rebuild_tracks"] + "op.rename_table('tracks', 'songs')")
    assert sql("SELECT count(*) FROM titles") == [(4,)]


async def test_hidden_row_ids_stay_because_full_text_tables_refer_to_them(settings, revisions, sql):
    form = 'sa.Column("id", ddl.string(), nullable=False), sa.PrimaryKeyConstraint("id", name="pk_x")'
    revisions.add(f"op.create_table('x', {form}, sqlite_strict=True)")
    await migrate(settings, revisions.folder)
    sql("INSERT INTO x (rowid, id) VALUES (5, 'b'), (9223372036854775807, 'a'), (-9223372036854775808, 'c')")
    await rebuilt(settings, revisions, f"steps.rebuild_table('x', {form})")
    assert sql("SELECT rowid, id FROM x ORDER BY id") == [(2**63 - 1, "a"), (5, "b"), (-(2**63), "c")]


async def test_columns_may_be_named_as_sqlite_names_its_row_ids(settings, revisions, sql):
    names = ("rowid", "oid", "_rowid_")
    form = ", ".join(f'sa.Column("{name}", ddl.string(), nullable=False)' for name in names)
    form += ', sa.PrimaryKeyConstraint("oid", name="pk_x")'
    revisions.add(f"op.create_table('x', {form}, sqlite_strict=True)")
    await migrate(settings, revisions.folder)
    sql("INSERT INTO x VALUES ('a', 'b', 'c')")
    await rebuilt(settings, revisions, f"steps.rebuild_table('x', {form}, values={{'rowid': \"'z'\"}})")
    assert sql("SELECT * FROM x") == [("z", "b", "c")]


async def test_a_table_and_columns_that_need_quotes_are_rebuilt_too(settings, revisions, sql):
    form = 'sa.Column("order", ddl.integer(), nullable=False), sa.Column("a b", ddl.string(), nullable=True), sa.PrimaryKeyConstraint("order", name="pk_x")'
    revisions.add(f"op.create_table('group', {form}, sqlite_strict=True)")
    await migrate(settings, revisions.folder)
    sql("""INSERT INTO "group" VALUES (1, 'x:y%(z)s')""")
    await rebuilt(
        settings, revisions, f"steps.rebuild_table('group', {form}, values={{'a b': '''\"a b\" || ':q%s' '''}})"
    )
    assert sql('SELECT * FROM "group"') == [(1, "x:y%(z)s:q%s")]


async def test_a_column_that_is_missing_in_the_old_table_is_an_error_and_no_text(settings, filled, code):
    with pytest.raises(MigrationError, match=r"no such column: albums\.year"):
        await rebuilt(settings, filled, code["rebuild_albums"].replace('values={"year": "NULL"},', ""))


async def test_a_column_that_somebody_added_by_hand_is_not_lost(settings, filled, sql, code):
    sql("ALTER TABLE tracks ADD COLUMN mine TEXT")
    dropping = code["rebuild_tracks"].replace("values=", "without=['old'], values=")
    with pytest.raises(MigrationError, match="tracks has columns that no schema knows, and would lose them: mine"):
        await rebuilt(settings, filled, dropping)
    sql("ALTER TABLE tracks DROP COLUMN mine")
    await migrate(settings, filled.folder)


async def test_pitfall_12_a_generated_column_made_by_hand_is_refused_by_name_and_not_filled(
    settings, filled, sql, code
):
    sql("ALTER TABLE tracks ADD COLUMN twice INTEGER AS (old * 2)")
    dropping = code["rebuild_tracks"].replace("values=", "without=['old'], values=")
    with pytest.raises(MigrationError, match="would lose them: twice"):
        await rebuilt(settings, filled, dropping)


async def test_a_row_that_does_not_arrive_stops_the_migration(settings, filled, sql, code):
    body = code["rebuild_tracks"].replace("steps.rebuild_table", "_spoil()\nsteps.rebuild_table")
    spoil = """
    import sqlalchemy
    def _spoil():
        def ignore(connection, cursor, statement, *rest):
            if "CREATE TABLE _soulspot" in statement:
                cursor.execute("CREATE TRIGGER spoil BEFORE INSERT ON _soulspot_rebuild_tracks WHEN NEW.id = 3 BEGIN SELECT RAISE(IGNORE); END")
        sqlalchemy.event.listen(op.get_bind(), "after_cursor_execute", ignore)
    """
    import textwrap

    with pytest.raises(MigrationError, match="of 4 rows of tracks, 3 arrived in its new form"):
        await rebuilt(settings, filled, textwrap.dedent(spoil) + body)
    assert sql("SELECT count(*) FROM tracks") == [(4,)]


async def test_progress_is_told_in_rows(settings, filled, sql, code):
    sql(
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 25005) INSERT INTO tracks (id) SELECT i FROM n"
    )
    filled.add(code["rebuild_tracks"])
    told = []
    await migrate(settings, filled.folder, progress=lambda *step: told.append(step))
    assert told == [("rebuilding tracks", done, 25_000) for done in (10_000, 20_000, 25_000)]


@pytest.mark.parametrize("view", ["SELECT tracks.missing FROM tracks", "SELECT tracks.title FROM tracks"])
async def test_a_view_that_a_rename_stumbles_over_is_named_with_the_way_out(settings, filled, sql, view):
    sql(f"CREATE VIEW mine AS {view}")
    filled.add("op.drop_table('tracks')\nop.rename_table('albums', 'records')")
    with pytest.raises(MigrationError, match="error in view mine") as raised:
        await migrate(settings, filled.folder)
    assert 'Nothing was changed. Keep its text, then drop it: DROP VIEW "mine";' in raised.value.resolution
    sql("DROP VIEW mine")
    await migrate(settings, filled.folder)


@pytest.mark.parametrize(
    ("made", "name", "body", "drop"),
    [
        ("CREATE INDEX mine ON tracks (old)", "mine", "op.create_index('mine', 'tracks', ['title'])", "INDEX"),
        ("CREATE TABLE mine (x)", "mine", "op.create_table('mine', sa.Column('id', ddl.integer()))", "TABLE"),
        ("CREATE VIEW mine AS SELECT 1", "mine", "op.create_table('mine', sa.Column('id', ddl.integer()))", "VIEW"),
        ("CREATE TABLE mine (x)", "mine", "op.rename_table('albums', 'mine')", "TABLE"),
        ('CREATE INDEX "my one" ON tracks (old)', "my one", "op.create_index('my one', 'tracks', ['title'])", "INDEX"),
    ],
)
async def test_a_name_that_somebody_has_taken_by_hand_is_told_with_the_way_out(
    settings, filled, sql, made, name, body, drop
):
    sql(made)
    filled.add(body)
    with pytest.raises(MigrationError, match="already") as raised:
        await migrate(settings, filled.folder)
    assert f'Look at what it is, then rename or drop it: DROP {drop} "{name}";' in raised.value.resolution
    sql(f'DROP {drop} "{name}"')
    await migrate(settings, filled.folder)
