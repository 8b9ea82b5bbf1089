"""`soulspot-db doctor` on SQLite: whatever may be wrong with the file itself: what it is, who may read and write it, its bytes."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from doctor_reports import MIGRATIONS, change, one
from soulspot_db.doctor.checks import AROUND, DATABASE, INSIDE

UNPRIVILEGED = Path(__file__).parents[2] / "unprivileged_doctor.py"
CHECKS = [DATABASE, *(check.name for check in (*INSIDE["sqlite"], *AROUND["sqlite"]))]


def missing(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def text(path):
    path.write_text("this is no database at all\n" * 100)


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:20_000])


def header_alone(path):
    path.write_bytes(path.read_bytes()[:100])


def first_page_flipped(path):
    path.write_bytes(path.read_bytes()[:100] + bytes(4000) + path.read_bytes()[4100:])


def no_folder(path):
    shutil.rmtree(path.parent)


def device(path):
    path.unlink()
    path.symlink_to("/dev/null")


def loop(path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("break_", "check"),
    [
        (missing, DATABASE),
        (folder, DATABASE),
        (text, DATABASE),
        (empty, "migrations"),
        (truncated, DATABASE),
        (header_alone, DATABASE),
        (first_page_flipped, DATABASE),
        (no_folder, DATABASE),
        (device, None),
        (loop, DATABASE),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_whatever_is_there_instead_is_told_without_a_traceback(program, doctor, database, break_, check):
    break_(database)
    before = sorted(path.name for path in database.parent.parent.rglob("*"))
    found = doctor()
    assert list(found) == CHECKS
    if check is not None:
        assert found[check][0]["level"] == "must"
        assert found[check][0]["resolution"].startswith("1. ")
    told = program("doctor", "--migrations", MIGRATIONS)
    assert (told.code, told.err) == (1, "")
    assert "Traceback" not in told.out
    assert sorted(path.name for path in database.parent.parent.rglob("*")) == before


def test_a_file_that_another_process_keeps_for_itself_is_told(doctor, database):
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        level, said = one(doctor(), DATABASE)
    assert level == "must"
    assert "another process kept the database locked" in said
    assert "fuser -v" in said


def unprivileged(*arguments):
    command = [sys.executable, UNPRIVILEGED, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("mode", "level"), [(0o000, "must"), (0o400, "must"), (0o600, "ok")])
def test_whether_this_user_may_write_the_file(database, mode, level):
    database.chmod(mode)
    done = unprivileged("doctor", "--json", "--migrations", MIGRATIONS)
    assert done.stderr == ""
    found = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert found["permissions"]["level"] == level
    assert (found[DATABASE]["level"] == "must") == (mode == 0)
    assert done.returncode == (level == "must")


def test_a_folder_that_cannot_be_written_is_told(database):
    database.parent.chmod(0o500)
    try:
        done = unprivileged("doctor", "--json", "--migrations", MIGRATIONS)
    finally:
        database.parent.chmod(0o700)
    found = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert found["permissions"]["level"] == "must"
    assert f"the folder {database.parent}" in found["permissions"]["message"]


def test_a_file_that_everybody_can_read_is_a_note_where_they_can_reach_it(doctor, database, monkeypatch):
    database.chmod(0o644)
    assert one(doctor(), "permissions")[0] == "ok"  # the folders of tests are closed
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        shutil.copy(database, Path(name, "soulspot.db"))
        monkeypatch.setenv("DATABASE", f"{name}/soulspot.db")
        level, said = one(doctor(), "permissions")
        assert level == "note"
        assert f"chmod o-rwx {name}/soulspot.db" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_log_of_another_user_is_told(doctor, database):
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("CREATE TABLE others (a TEXT) STRICT")
        os.chown(database.with_name("soulspot.db-wal"), 65534, 65534)
        level, said = one(doctor(), "permissions")
    assert (level, "different users" in said) == ("must", True)


@pytest.mark.parametrize(
    ("between", "check"), [(lambda pages: (pages - 10, pages), "integrity"), (lambda pages: (1, pages), DATABASE)]
)
def test_flipped_bytes_are_found_and_the_backup_is_named(doctor, database, tmp_path, between, check):
    change(
        database,
        "CREATE TABLE others (a TEXT) STRICT",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999) INSERT INTO others SELECT i FROM n",
    )
    pages = database.stat().st_size // 4096
    with database.open("r+b") as file:
        for page in range(*between(pages)):
            file.seek(page * 4096)
            file.write(b"\xff" * 64)
    level, said = one(doctor(), check)
    assert level == "must"
    assert "damaged" in said
    (copy,) = (tmp_path / "backups").iterdir()
    assert str(copy) in said


def test_an_index_that_lacks_a_row_is_damage_too(doctor, database):
    change(
        database,
        "CREATE TABLE others (a TEXT, b TEXT) STRICT",
        "INSERT INTO others VALUES ('a', 'b')",
        "CREATE INDEX of_a ON others (a)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX of_a ON others (b)' WHERE name = 'of_a'",
    )
    level, said = one(doctor(), "integrity")
    assert (level, "missing from index of_a" in said) == ("must", True)
