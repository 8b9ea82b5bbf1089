"""A live database compared with what the newest revision leaves."""

import json

import pytest
from soulspot_db import SchemaAheadError
from soulspot_db.migrations.inspection import inspect_database
from soulspot_db.migrations.runner import migrate
from soulspot_db.migrations.sql_text import checks_of, collations_of, normal, parts_of_index

COLUMN = {"nullable": True, "default": None}
SPEC = {
    "table": "songs",
    "columns": [
        {"name": "id", "type": {"name": "integer"}, "nullable": False, "default": None},
        {"name": "title", "type": {"name": "string"}, "nullable": False, "default": "a'b"},
        {"name": "price", "type": {"name": "decimal", "precision": 6, "scale": 2}, "nullable": True, "default": 1.5},
        {"name": "album_id", "type": {"name": "integer"}, "nullable": True, "default": None},
    ],
    "primary_key": ["id"],
    "checks": [
        {"name": "ck_songs_title_length", "sql": 'length("title") <= 255', "dialect": None},
        {"name": "ck_elsewhere", "sql": "false", "dialect": "postgresql"},
    ],
    "foreign_keys": [
        {"name": "fk_songs_album_id", "column": "album_id", "table": "songs", "target": "id", "on_delete": "set_null"}
    ],
    "indexes": [
        {
            "name": "ix_songs_title",
            "columns": [
                {"column": "title", "function": "lower", "descending": True},
                {"column": "price", "function": None, "descending": False},
            ],
            "unique": False,
            "where": {"sqlite": '"price" > 0', "postgresql": '"price" > 0'},
        },
        {
            "name": "uq_songs_title",
            "columns": [{"column": "title", "function": None, "descending": False}],
            "unique": True,
            "where": None,
        },
    ],
}

MADE = """
CREATE TABLE songs (
    price integer DEFAULT 150, -- order and spelling do not matter
    "album_id" INTEGER CONSTRAINT fk_songs_album_id REFERENCES songs (id) ON DELETE SET NULL,
    `title` TEXT NOT NULL DEFAULT ('a''b') CONSTRAINT ck_songs_title_length CHECK (((length([title])<=255))),
    id INTEGER NOT NULL PRIMARY KEY
) STRICT
"""
TITLE = 'create index "ix_songs_title" on "songs" (LOWER(title) desc, "price" ASC) where (price>0)'
UNIQUE = "CREATE UNIQUE INDEX uq_songs_title ON songs (title)"


@pytest.fixture
async def check(settings, revisions, sql):
    """What is said about a database that was made by the given statements."""
    revisions.add("pass")
    await migrate(settings, revisions.folder)
    file = revisions.folder / "snapshot" / "library" / "song.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(SPEC))

    async def run(*statements):
        sql(*statements)
        return await inspect_database(settings, revisions.folder)

    return run


async def test_spelling_and_order_make_no_difference(check):
    assert await check(MADE, TITLE, UNIQUE) == []


async def test_tables_of_others_archives_and_views_are_left_alone(check):
    others = (
        "CREATE TABLE version_2 (x)",
        "CREATE TABLE archived_songs_old (x)",
        "CREATE VIEW v AS SELECT * FROM songs",
    )
    assert await check(MADE, TITLE, UNIQUE, *others) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("TEXT NOT NULL", "TEXT"), "column title of songs: nullable is yes and should be no"),
        (("DEFAULT 150", "DEFAULT 15"), "column price of songs: default is 15 and should be 150"),
        (("DEFAULT 150", ""), "column price of songs: default is none and should be 150"),
        (("price integer", "price real"), "column price of songs: type is REAL and should be INTEGER"),
        (
            ("`title` TEXT", "`title` TEXT COLLATE nocase"),
            "column title of songs: collation is nocase and should be binary",
        ),
        (
            ("price integer DEFAULT 150", "price integer AS (150)"),
            "column price of songs: generated is yes and should be no",
        ),
        (("price integer DEFAULT 150,", ""), "column price of songs is missing"),
        (("price integer", "extra TEXT, price integer"), "column extra of songs is in no schema"),
        (
            ("price integer", "extra TEXT NOT NULL, price integer"),
            "column extra of songs is in no schema; it must not be null, so",
        ),
        (
            ("<=255", "<= 25"),
            "check ck_songs_title_length of songs is length ( title ) <= 25 and should be length ( title ) <= 255",
        ),
        (("CHECK (((length([title])<=255)))", ""), "check ck_songs_title_length of songs is missing"),
        (
            ("INTEGER NOT NULL PRIMARY KEY", "INTEGER NOT NULL PRIMARY KEY CHECK (id > 0)"),
            "check CHECK (id > 0) of songs is in no schema",
        ),
        (("SET NULL", "CASCADE"), "foreign key album_id of songs: ON DELETE is CASCADE and should be SET NULL"),
        (
            ("REFERENCES songs (id)", "REFERENCES albums (id)"),
            "foreign key album_id of songs: table is albums and should be songs",
        ),
        (("REFERENCES songs (id) ON DELETE SET NULL", "NULL"), "foreign key album_id of songs is missing"),
        (("STRICT", ""), "table songs is not STRICT"),
        (("PRIMARY KEY", ""), "column id of songs: place in the primary key is 0 and should be 1"),
    ],
)
async def test_a_difference_of_a_table_is_told_in_one_line_with_what_to_do(check, change, words):
    statement = MADE.replace(*change)
    assert statement != MADE
    lines = [line for line in await check(statement, UNIQUE.replace("title)", "title)")) if "index" not in line]
    assert len(lines) == (2 if "generated" in words else 1), lines
    assert any(line.startswith(words) for line in lines), lines
    assert all(line.endswith("change the schema then, and run `soulspot-db generate`") for line in lines)


@pytest.mark.parametrize(
    ("change", "words", "way"),
    [
        (
            (" desc", ""),
            "index ix_songs_title of songs: parts is lower ( title ), price and should be lower ( title ) desc, price",
            'DROP INDEX "ix_songs_title", then CREATE INDEX',
        ),
        (
            ("price>0", "price>1"),
            "index ix_songs_title of songs: condition is price > 1 and should be price > 0",
            'DROP INDEX "ix_songs_title", then CREATE INDEX',
        ),
        (
            ("create index", "create unique index"),
            "index ix_songs_title of songs: UNIQUE is yes and should be no",
            'DROP INDEX "ix_songs_title"',
        ),
        (
            (" where (price>0)", ""),
            "index ix_songs_title of songs: condition is none and should be price > 0",
            'DROP INDEX "ix_songs_title"',
        ),
    ],
)
async def test_pitfall_05_06_11_a_different_index_is_told_with_the_statements_that_mend_it(
    check, sql, change, words, way
):
    (line,) = await check(MADE, UNIQUE, TITLE.replace(*change))
    assert line.startswith(words)
    assert way in line
    *_, mend = line.partition(": DROP INDEX")
    assert await check(*f"DROP INDEX{mend}".split(", then ")) == []


async def test_a_missing_index_is_made_by_the_statement_that_is_told_and_one_too_many_goes(check):
    (line,) = await check(MADE, UNIQUE)
    words, _, mend = line.partition(": ")
    assert words == "index ix_songs_title of songs is missing"
    (line,) = await check(mend, "CREATE INDEX by_hand ON songs (price)")
    assert (
        line
        == 'index by_hand of songs is in no schema: DROP INDEX "by_hand"; if it is wanted, declare it in the schema then'
    )


async def test_a_missing_table_and_one_of_a_rebuild_are_told(check):
    assert await check("CREATE TABLE _soulspot_rebuild_songs (x)") == [
        "table songs is missing: restore a backup that has it",
        'table _soulspot_rebuild_songs is not ours: look at what is in it, then DROP TABLE "_soulspot_rebuild_songs"',
    ]


async def test_an_empty_database_is_told_to_be_behind_and_is_not_made(settings, revisions):
    revisions.add("pass")
    (line,) = await inspect_database(settings, revisions.folder)
    assert (
        line
        == f"{settings.database_path} is at revision none, 1 behind {revisions.ids[0]}: run `soulspot-db migrate`, then check again"
    )
    assert not settings.database_path.exists()


async def test_a_database_that_is_behind_is_compared_with_what_its_revision_left(settings, filled, sql, code):
    filled.add("op.execute(\"UPDATE tracks SET title = 'x'\")", data=True)
    here = filled.add(code["rebuild_albums"])
    await migrate(settings, filled.folder)
    filled.add(code["rebuild_tracks"])
    behind = f"{settings.database_path} is at revision {here}, 1 behind {filled.ids[-1]}"
    assert await inspect_database(settings, filled.folder) == [
        f"{behind}, and as that revision left it: run `soulspot-db migrate`, then check again"
    ]
    sql("ALTER TABLE tracks ADD COLUMN mine TEXT", "DROP INDEX ix_tracks_title")
    before = sql("SELECT sql FROM sqlite_master ORDER BY name"), sql("SELECT * FROM tracks")
    column, index, last = await inspect_database(settings, filled.folder)
    assert (sql("SELECT sql FROM sqlite_master ORDER BY name"), sql("SELECT * FROM tracks")) == before
    assert column.startswith("column mine of tracks is in no schema: undo what was changed by hand")
    assert index == 'index ix_tracks_title of tracks is missing: CREATE INDEX "ix_tracks_title" ON "tracks" (title)'
    assert last == f"{behind}, and not as that revision left it: mend the above, then run `soulspot-db migrate`"
    sql(index.partition(": ")[2], "ALTER TABLE tracks DROP COLUMN mine")
    assert len(await inspect_database(settings, filled.folder)) == 1
    await migrate(settings, filled.folder)


async def test_a_database_that_is_ahead_is_told_so(check, sql):
    with pytest.raises(SchemaAheadError):
        await check("UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")


async def test_soulspots_own_database_is_as_its_snapshot_says(settings, migrations):
    await migrate(settings, migrations)
    assert await inspect_database(settings, migrations) == []


def test_comments_and_quotes_in_values_do_not_confuse_the_reading():
    sql = """CREATE TABLE "t (" ( -- a comment, with 'quotes' and CHECK (
        "a" TEXT /* COLLATE nocase */ CHECK ("a" <> 'CHECK (''x'')'), b TEXT COLLATE RTRIM,
        "c d" TEXT COLLATE NOCASE, CONSTRAINT "my check" CHECK ((a) || (b) = ')'))"""
    assert checks_of(sql) == {
        "CHECK (a <> 'CHECK (''x'')')": "a <> 'CHECK (''x'')'",
        '"my check"': "( a ) || ( b ) = ')'",
    }
    assert collations_of(sql) == {"b": "rtrim", '"c d"': "nocase"}
    assert normal("((1))") == "1"
    assert parts_of_index("CREATE INDEX i ON t (a COLLATE NOCASE ASC, f(a, b) DESC)") == (
        "a collate nocase, f ( a , b ) desc",
        "",
    )
