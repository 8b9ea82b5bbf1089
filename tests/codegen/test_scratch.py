"""The scratch database has a project's tables as SQLite will have them, and plans as if they were as full as is expected."""

import sqlite3

import pytest
from projects import write_project
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas
from soulspot_db_codegen.scratch import expect_rows, scratch_database

SCHEMA = """\
fields:
  id: {type: integer, primary_key: true}
  name: {type: string, unique: true}
  size: {type: decimal, precision: 8, scale: 2, nullable: true}
  weight: {type: float, nullable: true}
  cover: {type: bytes, nullable: true}
  status: {type: enum, values: [new, done], default: new}
indexes:
- {fields: [lower(name), size desc], where: {status: new}}
"""


@pytest.fixture
def scratch(tmp_path):
    root = write_project(tmp_path, {"music/track.yaml": SCHEMA, "music/album.yaml": SCHEMA})
    tables = [entity.table for entity in read_schemas(load_configuration(root)).entities]
    connection = scratch_database(tables)
    yield connection
    connection.close()


def plan(connection, sql):
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


def test_columns_have_the_types_that_are_stored(scratch):
    columns = scratch.execute("SELECT name, type, pk FROM pragma_table_info('music_tracks')").fetchall()
    assert columns == [
        ("id", "INTEGER", 1),
        ("name", "TEXT", 0),
        ("size", "INTEGER", 0),
        ("weight", "REAL", 0),
        ("cover", "BLOB", 0),
        ("status", "TEXT", 0),
    ]


def test_values_of_other_types_are_refused_as_in_the_real_one(scratch):
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT value in REAL column"):
        scratch.execute("INSERT INTO music_tracks (id, name, weight, status) VALUES (1, 'a', 'heavy', 'new')")
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        scratch.execute("INSERT INTO music_tracks (id, status) VALUES (1, 'new')")


def test_indexes_are_there_with_their_expressions_and_conditions(scratch):
    sql = "SELECT id FROM music_tracks WHERE lower(name) = 'a' AND status = 'new' ORDER BY size DESC"
    assert plan(scratch, sql) == [
        "SEARCH music_tracks USING INDEX ix_music_tracks_lower_name_size (<expr>=?)",
    ]


@pytest.mark.parametrize(
    ("rows", "found"), [((100, 100_000), "music_albums"), ((100_000, 100), "music_tracks")], ids=["albums", "tracks"]
)
def test_the_smaller_of_two_tables_is_the_one_that_gets_an_index_for_the_moment(scratch, rows, found):
    expect_rows(scratch, dict(zip(("music_albums", "music_tracks"), rows, strict=True)))
    sql = "SELECT 1 FROM music_albums JOIN music_tracks ON music_albums.status = music_tracks.status"
    assert plan(scratch, sql)[-1].startswith(f"SEARCH {found} USING AUTOMATIC")
