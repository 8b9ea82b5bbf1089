"""What is told of rows that stop a migration: in words, by today's names, for one row as for many."""

import pytest
from planted_edits import entity, song
from soulspot_db import MigrationError

ENUM = "mood: {type: enum, values: [%s]}"
MOODS = "INSERT INTO m_songs (id, mood) VALUES (1, 'sad'), (2, 'gay'), (3, 'glad')"
TEXT = "title: {type: string%s}"
TITLES = "INSERT INTO m_songs (id, title) VALUES (1, 'Nina'), (2, 'nina'), (3, 'Ella')"
PIECE = "renamed_from: song\n"

# Each: the schemas before, the rows, the schemas after, and what is told.
TOLD = {
    "a value taken away": (
        song(ENUM % "sad, glad, gay"),
        MOODS,
        song(ENUM % "sad, glad"),
        "there is 1 row of m_songs whose mood is 'gay', no longer among its values (2)",
    ),
    "values taken away and one added": (
        song(ENUM % "sad, glad, gay"),
        MOODS,
        song(ENUM % "glad, mad"),
        "there are 2 rows of m_songs whose mood is 'sad' or 'gay', no longer among its values (1, 2)",
    ),
    "text that becomes an enum": (
        song("mood: {type: string}"),
        MOODS,
        song(ENUM % "sad, glad"),
        "there is 1 row of m_songs whose mood is none of 'sad', 'glad' (2)",
    ),
    "a length": (
        song(TEXT % ""),
        TITLES,
        song(TEXT % ", max_length: 3"),
        "there are 3 rows of m_songs whose title is longer than 3 characters (1, 2, 3)",
    ),
    "a length of bytes": (
        song("cover: {type: bytes}"),
        "INSERT INTO m_songs (id, cover) VALUES (1, x'0102')",
        song("cover: {type: bytes, max_length: 1}"),
        "there is 1 row of m_songs whose cover is longer than 1 byte (1)",
    ),
    "text that becomes a date": (
        song(TEXT % ""),
        TITLES,
        song("title: {type: date}"),
        "there are 3 rows of m_songs whose title is no valid date (1, 2, 3)",
    ),
    "a check of the schema": (
        song("n: {type: integer}"),
        "INSERT INTO m_songs (id, n) VALUES (1, 1), (2, 5)",
        song("n: {type: integer}", tail="checks: {sane: {n: {gte: 2}}}\n"),
        "there is 1 row of m_songs against the check ck_m_songs_sane (1)",
    ),
    "a check of the schema that is called like one of a column": (
        song("n: {type: integer}"),
        "INSERT INTO m_songs (id, n) VALUES (1, 1), (2, 5)",
        song("n: {type: integer}", tail="checks: {n_length: {n: {gte: 2}}, n_values: {n: {in: [5]}}}\n"),
        (
            "there is 1 row of m_songs against the check ck_m_songs_n_length (1); "
            "there is 1 row of m_songs against the check ck_m_songs_n_values (1)"
        ),
    ),
    "duplicates": (
        song(TEXT % ""),
        TITLES,
        song(TEXT % "", tail="indexes: [{fields: [lower(title)], unique: true}]\n"),
        "there are 2 rows of m_songs with the same title as another (1, 2)",
    ),
    "a value that is missing": (
        song(TEXT % ", nullable: true"),
        "INSERT INTO m_songs (id) VALUES (7)",
        song(TEXT % ""),
        "there is 1 row of m_songs without title, which is required from here on (7)",
    ),
    "values of another type": (
        song(TEXT % ""),
        TITLES,
        song("title: {type: integer}"),
        "there are 3 rows of m_songs whose title cannot become an integer (1, 2, 3)",
    ),
    "new names": (
        song(TEXT % ""),
        TITLES,
        {"m/piece.yaml": entity("name: {type: string, max_length: 3, unique: true, renamed_from: title}", head=PIECE)},
        "there are 3 rows of m_songs whose title is longer than 3 characters (1, 2, 3)",
    ),
    "rows that refer to nothing": (
        {**song(), "m/play.yaml": entity("song: {type: integer}")},
        "INSERT INTO m_plays (id, song) VALUES (7, 1)",
        {
            "m/piece.yaml": entity(head=PIECE),
            "m/play.yaml": entity("piece: {type: integer, renamed_from: song, references: m.piece}"),
        },
        "there is 1 row of m_plays whose song refers to nothing in m_songs (7)",
    ),
    "rows that refer to a table that is new": (
        {"m/play.yaml": entity("song: {type: integer}")},
        "INSERT INTO m_plays (id, song) VALUES (7, 1), (8, 1)",
        {**song(), "m/play.yaml": entity("song: {type: integer, references: m.song}")},
        "there are 2 rows of m_plays whose song refers to nothing in m_songs (7, 8)",
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_rows_that_stop_a_migration_are_told_in_words(home, name):
    before, rows, after, told = TOLD[name]
    home.generate(before)
    home.migrate()
    home.sql(rows)
    revision = home.generate(after).revision
    with pytest.raises(MigrationError) as caught:
        home.migrate()
    assert caught.value.message == f"revision {revision.id} cannot be applied: {told}"


LOST = {
    ("{type: float}", "1.5", "{type: integer}"): "the part of n of m_songs that an integer cannot hold",
    ("{type: integer}", "9007199254740993", "{type: float}"): "the part of n of m_songs that a float cannot hold",
}


@pytest.mark.parametrize("case", LOST)
def test_what_a_conversion_drops_is_told_in_words(home, case):
    before, value, after = case
    home.generate(song(f"n: {before}"))
    home.migrate()
    home.sql(f"INSERT INTO m_songs (id, n) VALUES (1, {value})")
    home.generate(song(f"n: {after}"))
    with pytest.raises(MigrationError, match=f"{LOST[case]} would be lost, in 1 row"):
        home.migrate()


BURIED = "removed: {title: {data: %s, reason: It is unused.}}\n"
ONE_WAY = {
    "it dropped title of m_songs": (song(TEXT % ""), song(tail=BURIED % "archive")),
    "the values of a and b of m_songs would be lost": (
        song(),
        song("a: {type: string, default: ''}", "b: {type: string, nullable: true}"),
    ),
    "nobody knows in which rows n of m_songs was missing": (
        song("n: {type: integer, nullable: true}"),
        song("n: {type: integer, backfill: 1}"),
    ),
    "nobody knows what n of m_songs was as float": (song("n: {type: float}"), song("n: {type: integer}")),
    "the rows of m_albums would be lost": (song(), {**song(), "m/album.yaml": entity()}),
    "it dropped m_albums": (
        {**song(), "m/album.yaml": entity()},
        {**song(), "m/_module.yaml": BURIED.replace("title", "album") % "discard"},
    ),
}


@pytest.mark.parametrize("why", ONE_WAY)
def test_a_revision_that_cannot_be_undone_says_why(home, why):
    before, after = ONE_WAY[why]
    parent = home.generate(before).revision
    revision = home.generate(after).revision
    home.migrate()
    with pytest.raises(MigrationError, match=f"revision {revision.id} cannot be undone: .*{why}"):
        home.migrate(to=parent.id)
