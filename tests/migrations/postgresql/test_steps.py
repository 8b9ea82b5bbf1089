"""What the steps of revisions do on PostgreSQL: tables are altered, and what hangs on them stays."""

import asyncio

import asyncpg
import pytest
from soulspot_db import MigrationError
from soulspot_db.migrations.runner import migrate, status

from tests.migrations.test_steps import DATA, OLD, looking

ADD_COVER = 'steps.add_column("albums", sa.Column("cover", ddl.string(), nullable=True))'
IN_A_CIRCLE = """
op.create_table(
    "pages",
    sa.Column("id", ddl.integer(), nullable=False),
    sa.Column("book_id", ddl.integer(), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_pages"),
    sa.ForeignKeyConstraint(["book_id"], ["books.id"], name="fk_pages_book_id", ondelete="CASCADE"),
)
op.create_table(
    "books",
    sa.Column("id", ddl.integer(), nullable=False),
    sa.Column("first_page_id", ddl.integer(), nullable=True),
    sa.PrimaryKeyConstraint("id", name="pk_books"),
    sa.ForeignKeyConstraint(["first_page_id"], ["pages.id"], name="fk_books_first_page_id", ondelete="SET NULL"),
)
"""


def without_albums(code):
    return 'op.drop_table("albums")\n' + (
        code["rebuild_tracks"]
        .replace('    sa.Column("album_id", ddl.integer(), nullable=True),\n', "")
        .replace(
            '    sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name="fk_tracks_album_id", ondelete="CASCADE"),\n',
            "",
        )
        .replace("    values=", '    without=["old", "album_id"],\n    values=')
    )


async def test_tables_may_refer_to_each_other_in_a_circle(settings, revisions, structure):
    revisions.add(IN_A_CIRCLE)
    await migrate(settings, revisions.folder)
    assert structure()["pages"].foreign_keys["book_id"].table == "books"
    assert structure()["books"].foreign_keys["first_page_id"].on_delete == "SET NULL"


async def test_a_table_takes_another_form_with_its_rows_keys_and_children(settings, filled, sql, code, structure):
    filled.add(code["rebuild_albums"] + code["rebuild_tracks"])
    await migrate(settings, filled.folder)
    assert sql("SELECT id, name, year FROM albums ORDER BY id") == [
        (1, "Pastel Blues", None),
        (2, "Little Girl Blue", None),
    ]
    assert sql("SELECT id, title, album_id, parent_id FROM tracks ORDER BY id") == [
        (-7, "minus", 1, None),
        (1, "Sinnerman", 1, None),
        (2, "?", 2, 1),
        (3, "Be My Husband", 1, 2),
    ]
    tracks = structure()["tracks"]
    assert not tracks.columns["title"].nullable
    assert tracks.foreign_keys["album_id"].on_delete == "CASCADE"
    assert [*tracks.indexes] == ["ix_tracks_title"]
    assert structure()["albums"].checks["ck_albums_name_length"] == "CHECK ((length(name) <= 100))"


async def test_what_was_made_by_hand_stays_where_it_fits(settings, filled, sql, code, structure):
    sql(
        "CREATE INDEX by_hand ON tracks (lower(title))",
        "CREATE INDEX of_old ON tracks (old, title)",
        "ALTER TABLE tracks ADD COLUMN mine integer",
        "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER spying BEFORE UPDATE ON tracks FOR EACH ROW EXECUTE FUNCTION spy()",
    )
    filled.add(code["rebuild_tracks"].replace("    values=", '    without=["old"],\n    values='))
    lines = []
    await migrate(settings, filled.folder, lines.append)
    assert {*structure()["tracks"].indexes} == {"ix_tracks_title", "by_hand"}
    assert "mine" in structure()["tracks"].columns
    assert [line for line in lines if "left out the index of_old" in line]
    assert sql("SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal") == [("spying",)]


async def test_a_view_that_would_stop_working_is_named_and_nothing_is_changed(settings, filled, sql, code, content):
    sql("CREATE VIEW olds AS SELECT old FROM tracks")
    before = content()
    filled.add(ADD_COVER)
    filled.add(code["rebuild_tracks"])
    with pytest.raises(MigrationError, match=r"view olds depends on column old of table tracks") as raised:
        await migrate(settings, filled.folder)
    assert "Nothing was changed" in raised.value.resolution
    assert content() == before


async def test_losses_are_asked_about_and_told_by_status(settings, filled, sql, code, content):
    before = content()
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    assert (await status(settings, filled.folder)).losses == {id: ("the values of old of tracks, in 2 rows",)}
    with pytest.raises(MigrationError, match="the values of old of tracks would be lost, in 2 rows"):
        await migrate(settings, filled.folder)
    assert content() == before
    await migrate(settings, filled.folder, allow_destructive=[id])
    assert (await status(settings, filled.folder)).current == id


async def test_what_is_looked_at_for_another_database_is_left_out(settings, filled):
    filled.add(
        "with steps.first() as first:\n"
        "    first.refuse('never', 'SELECT nonsense', dialect='sqlite')\n"
        "    first.refuse('of tracks', 'SELECT \"id\" FROM \"tracks\" WHERE \"old\" = 5', dialect='postgresql')"
    )
    with pytest.raises(MigrationError, match=r"there is 1 row of tracks \(1\)"):
        await migrate(settings, filled.folder)


async def test_rows_change_in_batches(settings, filled, sql):
    sql("INSERT INTO tracks (id, title, old) SELECT n, 'title', n FROM generate_series(10, 400) AS n")
    filled.add(DATA, data=True)
    filled.add(ADD_COVER)
    await migrate(settings, filled.folder)
    assert sql("SELECT count(*) FROM tracks WHERE title NOT LIKE '%!' OR title LIKE '%!!'") == [(0,)]
    assert sql("SELECT to_regclass('soulspot_db_progress')::text") == [(None,)]


async def test_batches_go_by_keys_of_any_type(settings, revisions, sql):
    revisions.add("""
op.create_table(
    "plays",
    sa.Column("id", ddl.uuid(), nullable=False),
    sa.Column("at", ddl.datetime(), nullable=False),
    sa.Column("price", ddl.decimal(8, 2), nullable=False),
    sa.Column("count", ddl.integer(), nullable=False),
    sa.PrimaryKeyConstraint("id", "at", "price", name="pk_plays"),
)
""")
    await migrate(settings, revisions.folder)
    sql("INSERT INTO plays SELECT gen_random_uuid(), now() + n * interval '1 hour', n, 0 FROM generate_series(1, 95) n")
    revisions.add(
        """
plays = sa.table("plays", *map(sa.column, ("id", "at", "price", "count")))
for rows in steps.batches(plays, key=["id", "at", "price"], size=10):
    for row in rows:
        op.execute(plays.update().where(plays.c.id == row.id).values(count=plays.c.count + 1))
""",
        data=True,
    )
    await migrate(settings, revisions.folder)
    assert sql("SELECT min(count), max(count), count(*) FROM plays") == [(1, 1, 95)]


async def test_what_is_archived_is_kept_in_a_table_of_its_own(settings, filled, sql, code):
    filled.add(
        """steps.archive("archived_tracks_old", 'SELECT "id", "old" FROM "tracks" WHERE "old" IS NOT NULL')\n"""
        """steps.archive("archived_nothing", 'SELECT "id" FROM "tracks" WHERE false')\n""" + code["rebuild_tracks"]
    )
    await migrate(settings, filled.folder)
    assert sql("SELECT id, old FROM archived_tracks_old ORDER BY id") == [(-7, 1), (1, 5)]
    assert sql("SELECT to_regclass('archived_nothing')::text") == [(None,)]


async def test_a_table_that_others_refer_to_may_go_with_their_columns(settings, filled, sql, structure, code):
    filled.add(without_albums(code))
    await migrate(settings, filled.folder)
    assert [*structure()] == ["tracks"]
    assert [*structure()["tracks"].foreign_keys] == ["parent_id"]
    assert {*structure()["tracks"].columns} == {"id", "title", "parent_id"}


@pytest.mark.parametrize(("table", "called"), [("mine", '"mine"'), ("other.mine", '"other"."mine"')])
async def test_a_table_is_not_dropped_that_somebody_elses_refers_to(
    settings, filled, sql, code, content, structure, table, called
):
    sql("CREATE SCHEMA other", f"CREATE TABLE {table} (album_id bigint CONSTRAINT to_albums REFERENCES albums)")
    before = content()
    filled.add(without_albums(code))
    with pytest.raises(MigrationError, match=f"{called} refers to albums, which revision") as raised:
        await migrate(settings, filled.folder)
    assert content() == before
    assert f'ALTER TABLE {called} DROP CONSTRAINT "to_albums"' in raised.value.resolution
    sql(f"ALTER TABLE {table} DROP CONSTRAINT to_albums")
    await migrate(settings, filled.folder)
    assert "albums" not in structure()


async def test_a_key_that_another_schema_refers_to_may_move(settings, filled, sql, code):
    sql(
        "CREATE UNIQUE INDEX unique_id ON albums (id)",
        "CREATE SCHEMA other",
        "CREATE TABLE other.mine (album_id bigint CONSTRAINT to_albums REFERENCES albums)",
    )
    filled.add(code["rebuild_albums"].replace('"id", name="pk_albums"', '"id", "name", name="pk_albums"'))
    await migrate(settings, filled.folder)
    assert sql("SELECT conrelid::regclass::text FROM pg_constraint WHERE conname = 'to_albums'") == [("other.mine",)]


@pytest.mark.parametrize(("keys", "follows"), [((7, 41), 42), ((-41, -7), 1), ((7, 2**63 - 1), None)])
async def test_a_key_that_becomes_a_number_goes_on_after_the_largest(settings, revisions, sql, keys, follows):
    revisions.add("""
op.create_table(
    "notes",
    sa.Column("name", ddl.string(), nullable=False),
    sa.Column("number", ddl.integer(), nullable=False),
    sa.PrimaryKeyConstraint("name", name="pk_notes"),
)
""")
    await migrate(settings, revisions.folder)
    sql(f"INSERT INTO notes VALUES ('a', {keys[0]}), ('b', {keys[1]})")
    revisions.add("""
steps.rebuild_table(
    "notes",
    sa.Column("name", ddl.string(), nullable=False),
    sa.Column("number", ddl.integer(), nullable=False),
    sa.PrimaryKeyConstraint("number", name="pk_notes"),
)
""")
    await migrate(settings, revisions.folder)
    try:
        (found,) = sql("INSERT INTO notes (name) VALUES ('c') RETURNING number")[0]
    except asyncpg.SequenceGeneratorLimitExceededError:
        found = None  # there is no larger one
    assert found == follows


async def test_a_revision_that_only_goes_forward_says_so_and_names_the_dump(settings, filled, content):
    filled.add(ADD_COVER, 'steps.refuse_to_go_back("the values of cover of albums would be lost")')
    await migrate(settings, filled.folder)
    before = content()
    with pytest.raises(MigrationError, match="cannot be undone: the values of cover") as raised:
        await migrate(settings, filled.folder, to=filled.ids[0])
    assert "Restore the dump" in raised.value.resolution
    assert content() == before


async def test_rows_that_are_looked_at_first_stay_as_they_are_until_the_end(settings, filled, sql):
    filled.add(
        looking(("refuse", "of tracks", 'SELECT "id" FROM "tracks" WHERE "old" = 99'))
        + "op.execute('SELECT pg_sleep(1)')"
    )
    run = asyncio.create_task(migrate(settings, filled.folder))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    while sql(waiting) == [(0,)]:
        await asyncio.sleep(0.05)
    with pytest.raises(asyncpg.LockNotAvailableError):
        sql("DO $$ BEGIN SET LOCAL lock_timeout = 200; UPDATE tracks SET old = 99; END $$")
    sql("SELECT * FROM tracks")
    await run


async def test_tables_are_locked_that_are_joined_and_none_that_text_names(settings, filled, sql):
    where = """'from tracks' <> 'join tracks' AND "from tracks" IS DISTINCT FROM 1 AND extract(year FROM now()) < 0"""
    filled.add(
        looking(("refuse", "of albums", f"""SELECT 1 FROM (SELECT 1 AS "from tracks") AS x JOIN "albums" ON {where}"""))
        + "op.execute('SELECT pg_sleep(1)')"
    )
    run = asyncio.create_task(migrate(settings, filled.folder))
    while sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == [(0,)]:
        assert not run.done()
        await asyncio.sleep(0.05)
    locked = (
        "SELECT relation::regclass::text FROM pg_locks WHERE mode = 'ShareRowExclusiveLock' AND relation IS NOT NULL"
    )
    assert sql(locked) == [("albums",)]
    await run
