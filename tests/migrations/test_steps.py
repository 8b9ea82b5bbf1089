"""What revisions are written with: looks before anything is changed, added columns, archives, batches."""

import sqlite3

import pytest
from soulspot_db import MigrationError
from soulspot_db.migrations.runner import migrate, status

MISSING = 'SELECT "id" FROM "tracks" WHERE "title" IS NULL'
OLD = 'SELECT "id" FROM "tracks" WHERE "old" IS NOT NULL'


def looking(*looks):
    return "with steps.first() as first:\n" + "".join(
        f"    first.{name}({what!r}, {rows!r})\n" for name, what, rows in looks
    )


async def test_pitfall_17_rows_that_must_not_be_there_are_counted_and_shown_by_key_before_anything_is_changed(
    settings, filled, sql, code
):
    id = filled.add(looking(("refuse", "of tracks whose title is missing", MISSING)) + code["rebuild_tracks"])
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert (
        raised.value.message == f"revision {id} cannot be applied: there is 1 row of tracks whose title is missing (2)"
    )
    assert f"1. Correct or delete the 1 row of tracks whose title is missing. They are found by: {MISSING};" in str(
        raised.value
    )
    sql("UPDATE tracks SET title = 'found' WHERE title IS NULL")
    await migrate(settings, filled.folder)


async def test_pitfall_32_duplicates_under_a_new_unique_index_are_told_with_examples(settings, filled, sql):
    sql("INSERT INTO albums SELECT i + 10, 'same' FROM (SELECT 1 AS i UNION ALL SELECT 2 UNION ALL SELECT 3)")
    twice = (
        'SELECT "name", "id" FROM "albums" WHERE "name" IN (SELECT "name" FROM "albums" GROUP BY 1 HAVING count(*) > 1)'
    )
    keys = f'SELECT "id" FROM ({twice})'
    filled.add(
        looking(("refuse", "of albums that share their name", keys))
        + "op.create_index('uq', 'albums', ['name'], unique=True)"
    )
    with pytest.raises(MigrationError, match=r"3 rows of albums that share their name \(11, 12, 13\)"):
        await migrate(settings, filled.folder)


async def test_all_problems_of_a_revision_are_told_at_once_and_five_examples_of_each(settings, filled, sql):
    sql("INSERT INTO tracks (id) VALUES (10), (11), (12), (13), (14), (15)")
    id = filled.add(
        looking(("refuse", "of tracks whose title is missing", MISSING), ("loses", "the values of old of tracks", OLD))
    )
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert "there are 7 rows of tracks whose title is missing (2, 10, 11, 12, 13, ...)" in raised.value.message
    assert "the values of old of tracks would be lost, in 2 rows" in raised.value.message
    assert f"soulspot-db migrate --allow-destructive {id}" in raised.value.resolution
    assert "Nothing was changed." in raised.value.resolution


async def test_no_value_but_a_key_is_ever_shown(settings, filled, code):
    filled.add(looking(("refuse", "of tracks", 'SELECT "id" FROM "tracks"'), ("loses", "the titles of tracks", OLD)))
    with pytest.raises(MigrationError) as raised:
        await migrate(settings, filled.folder)
    assert "Sinnerman" not in str(raised.value.to_dict())


async def test_what_is_lost_needs_consent_to_that_very_revision(settings, filled, sql, code):
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    other = filled.ids[0]
    for allowed in ([], [other]):
        with pytest.raises(MigrationError, match="the values of old of tracks would be lost, in 2 rows"):
            await migrate(settings, filled.folder, allow_destructive=allowed)
    assert sql("SELECT sum(old) FROM tracks") == [(6,)]
    await migrate(settings, filled.folder, allow_destructive=[id])
    assert "old" not in sql("SELECT sql FROM sqlite_master WHERE name = 'tracks'")[0][0]


async def test_a_fresh_database_needs_no_consent(settings, revisions, code):
    revisions.add(code["tables"])
    revisions.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    assert (await migrate(settings, revisions.folder)).current == revisions.ids[-1]


async def test_status_says_what_the_next_revision_loses_and_changes_nothing(settings, filled, code):
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    later = filled.add(looking(("loses", "the rows of songs", "SELECT id FROM songs")))
    filled.add(looking(("loses", "nothing", OLD)), downgrade="first.loses('x', 'y')")
    before = settings.database_path.read_bytes()
    losses = (await status(settings, filled.folder)).losses
    assert losses[id] == ("the values of old of tracks, in 2 rows",)
    assert losses[later] == ("the rows of songs",)
    assert settings.database_path.read_bytes() == before


async def test_an_added_column_has_its_default_its_checks_and_its_foreign_key(settings, filled, sql):
    filled.add(
        """
        steps.add_column("tracks", sa.Column("rating", ddl.integer(), nullable=False, server_default=ddl.default(3)),
            ddl.check('"rating" BETWEEN 1 AND 5', name="ck_tracks_rating"),
            ddl.check('1 = 0', name="ck_elsewhere", dialect="postgresql"))
        steps.add_column("tracks", sa.Column("cover", ddl.string(), nullable=True, server_default=ddl.default("a:b%s")),
            ddl.check("\\"cover\\" LIKE '%:%'", name="ck_tracks_cover"))
        steps.add_column("tracks", sa.Column("x_id", ddl.integer(), nullable=True),
            sa.ForeignKeyConstraint(["x_id"], ["albums.id"], name="fk_tracks_x_id", ondelete="SET NULL"))
        """
    )
    await migrate(settings, filled.folder)
    assert sql("SELECT DISTINCT rating, cover, x_id FROM tracks") == [(3, "a:b%s", None)]
    with pytest.raises(sqlite3.IntegrityError, match="ck_tracks_rating"):
        sql("UPDATE tracks SET rating = 6")
    assert ("albums", "x_id", "id", "NO ACTION", "SET NULL") in {
        row[2:7] for row in sql("PRAGMA foreign_key_list(tracks)")
    }
    assert "ck_elsewhere" not in sql("SELECT sql FROM sqlite_master WHERE name = 'tracks'")[0][0]


async def test_an_archive_keeps_what_is_dropped_and_is_not_made_of_nothing(settings, filled, sql, code):
    filled.add(
        'steps.archive("archived_tracks_old", \'SELECT "id", "old" FROM "tracks" WHERE "old" IS NOT NULL\')\n'
        'steps.archive("archived_nothing", \'SELECT "id" FROM "tracks" WHERE 0\')\n' + code["rebuild_tracks"]
    )
    await migrate(settings, filled.folder)
    assert sql("SELECT * FROM archived_tracks_old ORDER BY id") == [(-7, 1), (1, 5)]
    assert sql("SELECT count(*) FROM sqlite_master WHERE name = 'archived_nothing'") == [(0,)]


async def test_an_archive_is_never_mixed_with_another(settings, filled, sql):
    sql("CREATE TABLE archived_x (a)")
    filled.add("steps.archive('archived_x', 'SELECT * FROM tracks')")
    with pytest.raises(MigrationError, match="there is a table archived_x already"):
        await migrate(settings, filled.folder)


@pytest.mark.parametrize(
    ("rename", "query"),
    [
        ("op.rename_table('tracks', 'songs')", "SELECT * FROM songs WHERE title = 'x'"),
        ("op.alter_column('tracks', 'title', new_column_name='name')", "SELECT * FROM tracks WHERE name = 'x'"),
        (
            "op.rename_table('albums', 'records')",
            "SELECT * FROM tracks JOIN records ON records.id = album_id WHERE title = 'x'",
        ),
    ],
)
async def test_pitfall_14_views_triggers_indexes_and_references_follow_a_rename(settings, filled, sql, rename, query):
    sql(
        "CREATE VIEW titles AS SELECT tracks.title, albums.name FROM tracks JOIN albums ON albums.id = tracks.album_id",
        "CREATE TRIGGER shout AFTER INSERT ON tracks BEGIN UPDATE tracks SET title = 'x' WHERE id = NEW.id; END",
    )
    filled.add(rename)
    await migrate(settings, filled.folder)
    columns = "id, album_id"
    table = "songs" if "songs" in query else "tracks"
    sql(f"INSERT INTO {table} ({columns}) VALUES (99, 1)")
    assert len(sql(query)) == 1
    assert len(sql("SELECT * FROM titles")) == 5
    assert sql("PRAGMA foreign_key_check") == []
    parents = {row[2] for row in sql(f"PRAGMA foreign_key_list({table})")}
    assert parents == {"records" if "records" in rename else "albums", table}


async def test_tables_may_change_names_with_each_other_though_their_rows_are_counted(settings, filled, sql):
    filled.add("op.rename_table('albums', '_x')\nop.rename_table('tracks', 'albums')\nop.rename_table('_x', 'tracks')")
    await migrate(settings, filled.folder)
    assert sql("SELECT (SELECT count(*) FROM albums), (SELECT count(*) FROM tracks)") == [(4, 2)]


async def test_a_table_may_be_dropped_and_another_takes_its_name(settings, filled, sql):
    filled.add("op.drop_table('tracks')\nop.rename_table('albums', 'tracks')")
    await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM tracks") == [(2,)]


DATA = """
    tracks = sa.table("tracks", sa.column("id"), sa.column("title"))
    for rows in steps.batches(tracks, key="id", size=3):
        for row in rows:
            op.execute(tracks.update().where(tracks.c.id == row.id).values(title=(row.title or "") + "!"))
"""


async def test_batches_go_through_every_row_once_in_the_order_of_the_key(settings, filled, sql):
    filled.add(DATA, data=True)
    told = []
    await migrate(settings, filled.folder, progress=lambda *step: told.append(step[1:]))
    assert sql("SELECT title FROM tracks ORDER BY id") == [("minus!",), ("Sinnerman!",), ("!",), ("Be My Husband!",)]
    assert told == [(3, 4), (4, 4)]
    assert sql("SELECT count(*) FROM sqlite_master WHERE name LIKE 'soulspot_db_progress%'") == [(0,)]


async def test_batches_go_on_where_a_run_was_stopped_and_no_row_is_changed_twice(settings, filled, sql):
    code = DATA.replace(
        "for row in rows:", "if 3 in {row.id for row in rows}: raise KeyError('stop')\n        for row in rows:"
    )
    id = filled.add(code, data=True)
    with pytest.raises(MigrationError, match=f"revision {id} failed: KeyError in 0002_revision.py, line ") as raised:
        await migrate(settings, filled.folder)
    assert f"The batches of revision {id} that were done stay" in raised.value.resolution
    assert (await status(settings, filled.folder)).current == filled.ids[0]
    assert sql("SELECT done, position FROM soulspot_db_progress") == [(3, "[2]")]
    path = filled.folder / "versions" / "0002_revision.py"
    path.write_text(path.read_text().replace("if 3 in", "if 30 in"))
    from soulspot_db.language.history import SUMS, dump_sums, sums_of

    files = {file.name: file.read_text() for file in sorted(path.parent.glob("*.py"))}
    (filled.folder / SUMS).write_text(dump_sums(sums_of(files)))
    await migrate(settings, filled.folder)
    assert sql("SELECT title FROM tracks ORDER BY id") == [("minus!",), ("Sinnerman!",), ("!",), ("Be My Husband!",)]


async def test_batches_page_through_composite_keys_and_several_loops(settings, revisions, sql):
    revisions.add(
        """
        op.create_table("pairs", sa.Column("a", ddl.string()), sa.Column("b", ddl.integer()), sa.Column("n", ddl.integer()),
            sa.PrimaryKeyConstraint("a", "b", name="pk_pairs"), sqlite_strict=True)
        """
    )
    await migrate(settings, revisions.folder)
    sql("INSERT INTO pairs SELECT a.value, b.value, 0 FROM json_each('[\"x\", \"y\"]') a, json_each('[1, 2, 3]') b")
    loop = """
    for rows in steps.batches(pairs, key=("a", "b"), size=2):
        for row in rows:
            op.execute(pairs.update().where(pairs.c.a == row.a, pairs.c.b == row.b).values(n=pairs.c.n + 1))
    """
    revisions.add(
        'pairs = sa.table("pairs", sa.column("a"), sa.column("b"), sa.column("n"))'
        + loop.replace("\n    ", "\n")
        + loop.replace("\n    ", "\n"),
        data=True,
    )
    await migrate(settings, revisions.folder)
    assert sql("SELECT DISTINCT n FROM pairs") == [(2,)]


async def test_foreign_keys_are_enforced_where_rows_change(settings, filled, sql):
    filled.add("op.execute('UPDATE tracks SET album_id = 77')", data=True)
    with pytest.raises(MigrationError, match="FOREIGN KEY constraint failed"):
        await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM tracks WHERE album_id = 77") == [(0,)]


async def test_a_revision_that_loses_data_is_not_undone(settings, filled, sql):
    id = filled.add(
        "op.drop_index('ix_tracks_title', table_name='tracks')", "steps.refuse_to_go_back('it drops what was there')"
    )
    await migrate(settings, filled.folder)
    with pytest.raises(MigrationError, match=f"revision {id} cannot be undone: it drops what was there"):
        await migrate(settings, filled.folder, to=filled.ids[0])
    assert (await status(settings, filled.folder)).current == id


async def test_batches_are_refused_where_tables_change_because_they_commit(settings, filled):
    filled.add(DATA)
    with pytest.raises(MigrationError, match="does not say that it changes rows"):
        await migrate(settings, filled.folder)


async def test_status_does_not_fail_over_what_somebody_has_changed_by_hand(settings, filled, sql):
    id = filled.add(looking(("loses", "the rows of gone", "SELECT id FROM gone")))
    assert (await status(settings, filled.folder)).losses[id] == ("the rows of gone",)


async def test_a_table_with_rows_may_be_dropped_by_the_revision_that_says_so(settings, filled, sql):
    filled.add("op.drop_table('tracks')")
    await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM sqlite_master WHERE name = 'tracks'") == [(0,)]
