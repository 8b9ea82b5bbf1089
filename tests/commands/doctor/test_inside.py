"""`soulspot-db doctor` on SQLite: what is wrong with rows, tables, indexes and migrations, each made for real."""

import json
import re
import sqlite3
from contextlib import closing

import pytest
from doctor_reports import MIGRATIONS, change, levels, one
from soulspot_db.doctor import sqlite

JOBS = "core_background_jobs"


def test_rows_that_refer_to_nothing_are_counted(doctor, database):
    change(
        database,
        "CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT",
        "CREATE TABLE children (parent INTEGER REFERENCES parents) STRICT",
        "INSERT INTO children VALUES (1), (2), (NULL)",
    )
    level, said = one(doctor(), "foreign_keys")
    assert level == "must"
    assert "2 rows of children refer to rows of parents that are not there" in said


def test_a_table_that_is_not_strict_is_told(doctor, database):
    with closing(sqlite3.connect(database)) as connection:
        ((sql,),) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", [JOBS])
        indexes = connection.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type = 'index' AND sql IS NOT NULL", [JOBS]
        ).fetchall()
    change(database, f"DROP TABLE {JOBS}", sql.rpartition("STRICT")[0], *(text for (text,) in indexes))
    found = doctor()
    level, said = one(found, "strict")
    assert (level, JOBS in said) == ("must", True)
    assert one(found, "structure")[0] == "ok"


def test_another_journal_mode_is_a_note(doctor, database):
    change(database, "PRAGMA journal_mode = DELETE")
    level, said = one(doctor(), "journal_mode")
    assert (level, "is delete" in said) == ("note", True)


def test_a_log_that_a_reader_keeps_from_being_moved_is_told(doctor, database):
    with closing(sqlite3.connect(database)) as reader, closing(sqlite3.connect(database)) as writer:
        writer.execute("CREATE TABLE filling (data BLOB) STRICT")
        writer.commit()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM filling").fetchone()
        assert one(doctor(), "wal_size")[0] == "ok"
        writer.executemany("INSERT INTO filling VALUES (zeroblob(1000000))", [()] * 70)
        writer.commit()
        level, said = one(doctor(), "wal_size")
    assert level == "note"
    assert re.search(r"soulspot\.db-wal has 7\d\.\d MB", said)
    assert "fuser -v" in said


@pytest.mark.parametrize(
    ("version", "level"), [((3, 36, 0), "must"), ((3, 37, 0), "note"), ((3, 51, 2), "note"), ((3, 51, 3), "ok")]
)
def test_what_sqlite_s_version_is_known_for(version, level):
    (finding,) = sqlite.version(None, version)
    assert finding.level == level
    assert ".".join(map(str, version)) in finding.message


def test_a_foreign_key_without_an_index_is_told(doctor, database):
    assert one(doctor(), "missing_indexes")[0] == "ok"
    change(database, "DROP INDEX ix_library_tracks_album_id")
    found = doctor()
    level, said = one(found, "missing_indexes")
    assert level == "note"
    assert "no index of library_tracks begins with album_id: deleting a row of metadata_albums" in said
    level, said = one(found, "structure")
    assert (level, "ix_library_tracks_album_id of library_tracks is missing" in said) == ("must", True)


@pytest.mark.parametrize(
    ("index", "other"),
    [
        ("INDEX by_hand ON {} (id)", f"the primary key of {JOBS}"),
        ("UNIQUE INDEX by_hand ON {} (id)", f"the primary key of {JOBS}"),
        ("INDEX by_hand ON {} (status)", None),
    ],
)
def test_an_index_made_by_hand_that_does_nothing_new_is_told(doctor, database, index, other):
    change(database, f"CREATE {index.format(JOBS)}")
    found = doctor()
    said = found["needless_indexes"][0]
    assert said["level"] == "note"
    assert said["message"].startswith(f"the index by_hand of {JOBS} is needless")
    assert said["resolution"] == '1. DROP INDEX "by_hand"'
    assert other is None or other in said["message"]
    level, text = one(found, "structure")
    assert (level, f"by_hand of {JOBS}" in text) == ("note", True)


def test_a_unique_or_a_partial_index_is_not_needless(doctor, database):
    change(
        database,
        f"CREATE UNIQUE INDEX by_hand ON {JOBS} (status)",
        f"CREATE INDEX by_hand_as_well ON {JOBS} (status) WHERE status = 'pending'",
    )
    assert "by_hand" not in json.dumps(doctor()["needless_indexes"])


def test_a_database_that_is_behind_must_be_migrated(doctor, cli, database):
    database.unlink()
    assert cli("migrate", "--migrations", MIGRATIONS, "--to", "483679588199").code == 0
    found = doctor()
    level, said = one(found, "migrations")
    assert level == "must"
    assert "3 behind 2f393002537d" in said
    assert "soulspot-db migrate" in said
    assert one(found, "structure")[0] == "note"


def test_a_database_that_is_ahead_is_told(doctor, database):
    change(database, "UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")
    level, said = one(doctor(), "migrations")
    assert (level, "does not know" in said) == ("must", True)


def test_a_missing_table_is_told(doctor, database):
    change(database, f"DROP TABLE {JOBS}")
    level, said = one(doctor(), "structure")
    assert (level, f"table {JOBS} is missing" in said) == ("must", True)


def test_without_migrations_it_says_what_it_cannot_tell(doctor, database):
    found = doctor(migrations=None)
    assert {"migrations", "structure", "encryption_keys"} <= {
        check for check, level in levels(found) if level == "note"
    }
    assert one(found, "strict")[0] == "ok"
