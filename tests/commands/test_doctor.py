"""`soulspot-db doctor` on SQLite: every fault is made for real, and found with what to do about it."""

import asyncio
import importlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import soulspot_db_entities
from doctor_reports import levels, one, report
from soulspot_db import Database, DatabaseSettings, EntityRegistry
from soulspot_db.doctor import clock, disk, sqlite
from soulspot_db.doctor.checks import AROUND, DATABASE, INSIDE
from soulspot_db.doctor.disk import kind_of
from soulspot_db.engine.sqlite.versions import HERE, has_wal_reset_bug
from soulspot_db.migrations.runner import migrate

ROOT = Path(__file__).parents[2]
MIGRATIONS = ROOT / "migrations"
UNPRIVILEGED = ROOT / "tests" / "unprivileged_doctor.py"
KEY = "A" * 43 + "="  # of the right form, and nobody's
CHECKS = [DATABASE, *(check.name for check in (*INSIDE["sqlite"], *AROUND["sqlite"]))]
JOBS = "core_background_jobs"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    path = tmp_path_factory.mktemp("migrated") / "soulspot.db"
    asyncio.run(migrate(DatabaseSettings(database_path=path), MIGRATIONS))
    return path


@pytest.fixture
def database(migrated, tmp_path, monkeypatch):
    """A database without a fault, in a folder that is no project, with a backup in `backups`."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config"
    backups = tmp_path / "backups"
    folder.mkdir()
    backups.mkdir()
    shutil.copy(migrated, folder / "soulspot.db")
    shutil.copy(migrated, backups / named(datetime.now(UTC)))
    values = {"DATABASE": folder / "soulspot.db", "DATABASE_BACKUP_PATH": backups, "ENCRYPTION_KEYS": KEY}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DATABASE_POOL_TIMEOUT", "0.2")
    return folder / "soulspot.db"


@pytest.fixture
def doctor(cli):
    """What it finds, by the name of the check; that the exit code fits is looked at each time."""

    def call(migrations=MIGRATIONS):
        return report(cli, *(["--migrations", migrations] if migrations else []))

    return call


def named(made):
    """A backup of that time."""
    return f"soulspot.{made:%Y%m%dT%H%M%S.%fZ}.db"


def change(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def everything_in(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


ALWAYS = {("needless_indexes", "note")} | ({("sqlite_version", "note")} if has_wal_reset_bug(HERE) else set())
"""SoulSpot's own schemas have four such; and the SQLite of this machine may have its bug."""


def test_a_database_without_a_fault_has_none_and_stays_as_it_is(doctor, cli, database):
    before = everything_in(database.parent)
    found = doctor()
    assert list(found) == CHECKS
    assert levels(found) == ALWAYS
    outcome = cli("doctor", "--migrations", MIGRATIONS)
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.split()[1] for line in outcome.out.splitlines() if re.match("(ok|note|must) ", line)] == CHECKS
    assert "0 to be done now" in outcome.out
    assert everything_in(database.parent) == before


def test_while_others_write_it_keeps_nobody_waiting_and_moves_no_log(doctor, database):
    with closing(sqlite3.connect(database, isolation_level=None, timeout=0)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE others (a TEXT) STRICT")
        assert levels(doctor()) == ALWAYS
        writer.execute("COMMIT")
        log = database.with_name("soulspot.db-wal")
        before = (database.read_bytes(), log.read_bytes())
        assert levels(doctor()) == ALWAYS
        assert (database.read_bytes(), log.read_bytes()) == before
        writer.execute("DROP TABLE others")


def test_the_log_of_a_program_that_was_killed_is_left_to_the_next_that_writes(doctor, database):
    killed = f"import os, sqlite3; c = sqlite3.connect({str(database)!r}); c.execute('CREATE TABLE others (a TEXT) STRICT'); c.commit(); os._exit(1)"
    subprocess.run([sys.executable, "-c", killed], check=False)
    before = (database.read_bytes(), database.with_name("soulspot.db-wal").read_bytes())
    assert levels(doctor()) == ALWAYS
    assert (database.read_bytes(), database.with_name("soulspot.db-wal").read_bytes()) == before


def test_it_works_beside_a_running_program(doctor, database):
    async def run():
        async with Database(DatabaseSettings()) as db:
            found = await asyncio.to_thread(doctor)
            assert levels(found) == ALWAYS
            assert await db.count("artist", fresh=True) == 0

    with EntityRegistry.isolated():
        importlib.reload(soulspot_db_entities)
        asyncio.run(run())


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


usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own


@pytest.mark.parametrize(
    ("free", "size", "level", "said"),
    [
        (99_000_000, 0, "must", "soon nothing more can be written"),
        (150_000_000, 100_000_000, "note", "no room for a migration with its backup"),
        (150_000_000, 200_000_000, "note", "no room for a backup there or a migration"),
        (500_000_000, 200_000_000, "ok", "500.0 MB are free"),
    ],
)
def test_how_much_room_there_is(doctor, database, monkeypatch, free, size, level, said):
    if size:
        os.truncate(database, size)  # a file with a hole, which takes no room here
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage(0, 0, free))
    found = one(doctor(), "disk_space")
    assert (found[0], said in found[1]) == (level, True)


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/music /mnt/music nfs4 rw 0 0
//nas/share /mnt/my\\040share cifs rw 0 0
/dev/vdb /mnt/music/local xfs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
overlay /over overlay rw 0 0
server:/x /over nfs rw 0 0
host /mnt/host 9p rw 0 0
tmpfs /mnt/musical tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind", "is_network"),
    [
        ("/config", "ext4", False),
        ("/mnt/music/here", "nfs4", True),
        ("/mnt/my share", "cifs", True),
        ("/mnt/music/local/x", "xfs", False),
        ("/mnt/ssh", "fuse.sshfs", True),
        ("/over", "nfs", True),
        ("/mnt/host/a", "9p", True),
        ("/mnt/musical", "tmpfs", False),
    ],
)
def test_which_file_systems_are_those_of_a_network(doctor, database, tmp_path, monkeypatch, folder, kind, is_network):
    assert kind_of(Path(folder), MOUNTS) == kind
    mounts = tmp_path / "mounts"
    mounts.write_text(f"x / ext4 rw 0 0\nx {database.parent} {kind} rw 0 0\n")
    monkeypatch.setattr(disk, "_MOUNTS", mounts)
    level, said = one(doctor(), "file_system")
    assert (level, kind in said) == ("must" if is_network else "ok", True)


def test_a_clock_that_is_behind_the_file_is_told(doctor, database):
    ahead = time.time() + 30
    os.utime(database, (ahead, ahead))
    assert one(doctor(), "clock")[0] == "ok"
    os.utime(database, (ahead + 3600, ahead + 3600))
    level, said = one(doctor(), "clock")
    assert (level, "the file was written at" in said, "timedatectl" in said) == ("note", True, True)


def test_a_clock_that_was_never_set_is_told(doctor, database, monkeypatch):
    monkeypatch.setattr(clock, "_EARLIEST", datetime.now(UTC) + timedelta(days=1))
    level, said = one(doctor(), "clock")
    assert (level, "long past" in said) == ("note", True)


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


def test_what_stopped_migrations_and_backups_have_left_is_told(doctor, database, tmp_path):
    old, new = (tmp_path / "backups" / f"soulspot.20260101T000000.000000Z.db.0123456{n}.unfinished" for n in (7, 8))
    of_migration = database.with_name("soulspot.before-migration.abc.20260101T000000Z.db.01234567.unfinished")
    for left in (old, new, of_migration):
        left.touch()
    for left in (old, of_migration):
        os.utime(left, (time.time() - 90_000,) * 2)
    change(
        database,
        "CREATE TABLE _soulspot_rebuild_x (a TEXT) STRICT",
        "CREATE TABLE soulspot_db_progress (a TEXT) STRICT",
    )
    rebuild, progress, files = doctor()["leftovers"]
    assert (rebuild["level"], "_soulspot_rebuild_x" in rebuild["message"]) == ("must", True)
    assert (progress["level"], "soulspot-db migrate" in progress["resolution"]) == ("must", True)
    assert files["level"] == "note"
    assert [str(left) in files["message"] for left in (old, new, of_migration)] == [True, False, True]


def test_how_old_the_newest_backup_is(doctor, cli, database, tmp_path, monkeypatch):
    folder = tmp_path / "backups"
    (copy,) = folder.iterdir()
    copy.rename(folder / named(datetime.now(UTC) - timedelta(days=8)))  # the time of the file may be that of a copy
    level, said = one(doctor(), "backup")
    assert (level, "older than 7 days" in said, "soulspot-db backup" in said) == ("note", True, True)
    assert cli("backup", folder).code == 0
    assert one(doctor(), "backup")[0] == "ok"
    for made in folder.iterdir():
        made.unlink()
    assert one(doctor(), "backup") == (
        "note",
        f"there is none\n1. Have it run every night: soulspot-db backup {folder} --keep 7",
    )
    folder.rmdir()
    level, said = one(doctor(), "backup")
    assert (level, f"mkdir -p {folder}" in said) == ("must", True)
    monkeypatch.delenv("DATABASE_BACKUP_PATH")
    level, said = one(doctor(), "backup")
    assert (level, "DATABASE_BACKUP_PATH is unset" in said) == ("note", True)
    database.with_name("soulspot.before-migration.none.20260101T000000Z.db").touch()
    assert "before-migration" in one(doctor(), "backup")[1]


def test_encrypted_fields_need_a_key(doctor, database, monkeypatch):
    monkeypatch.delenv("ENCRYPTION_KEYS")
    level, said = one(doctor(), "encryption_keys")
    assert (level, "ENCRYPTION_KEYS is not set" in said, "soulspot-db keys new" in said) == ("must", True, True)


@pytest.mark.parametrize(
    ("text", "mode", "level"),
    [
        ("DATABASE_PASSWORD=secret\n", 0o644, "note"),
        ("export encryption_keys = 'secret'\n", 0o604, "note"),
        ("DATABASE_PASSWORD=secret\n", 0o640, "ok"),
        ("DATABASE_PASSWORD=\n# CACHE_PASSWORD=x\nDATABASE_CACHE_TTL=60\n", 0o644, "ok"),
    ],
)
def test_secrets_in_an_env_file_that_everybody_can_read(doctor, database, monkeypatch, text, mode, level):
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        Path(name, ".env").write_text(text)
        Path(name, ".env").chmod(mode)
        monkeypatch.chdir(name)
        found = one(doctor(), "env_file")
        monkeypatch.chdir("/")
    assert found[0] == level
    assert "secret\n" not in found[1].partition("\n")[2]
    assert level == "ok" or f"chmod 600 {name}/.env" in found[1]


def test_a_cache_that_is_off_is_a_note(doctor, database, monkeypatch):
    monkeypatch.setenv("DATABASE_CACHE_MAX_SIZE", "0")
    assert one(doctor(), "cache")[0] == "note"


def test_settings_that_cannot_be_used_are_told_without_a_traceback(cli, database, monkeypatch):
    monkeypatch.setenv("DATABASE_POOL_TIMEOUT", "soon")
    outcome = cli("doctor")
    assert (outcome.code, outcome.out) == (1, "")
    assert "DATABASE_POOL_TIMEOUT" in outcome.err


def test_the_page_has_every_check():
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == {
        DATABASE,
        *(check.name for table in (INSIDE, AROUND) for of in table.values() for check in of),
    }
