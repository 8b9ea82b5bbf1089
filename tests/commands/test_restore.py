"""`soulspot-db restore`: a copy is looked at first, put in place as a whole, and what was there is kept."""

import importlib
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from servers import PROGRAMS, throwaway_database
from soulspot_db import ConnectionFailedError, Database, DatabaseSettings, EntityRegistry, LockedError
from soulspot_db.copies.names import newest_copy
from soulspot_db.engine.base import Statement
from soulspot_db.engine.sqlite.replace import put_in_place
from soulspot_db.migrations.version import VERSION_TABLE

MIGRATIONS = Path(__file__).parents[2] / "migrations"
COMMAND = [sys.executable, "-c", "from soulspot_db.cli import main; main(prog_name='soulspot-db')", "restore"]
IDLE = """
import asyncio, sys
from soulspot_db import Database, DatabaseSettings
async def idle():
    async with Database(DatabaseSettings()):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(idle())
"""


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A database with one row that says which it is, in a folder that is no project."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "soulspot.db"
    monkeypatch.setenv("DATABASE", str(path))
    make(path, "old")
    return path


@pytest.fixture
def backup(tmp_path):
    """A copy of another time, in a folder of its own."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return make(folder / "copy.db", "new")


def make(path, name, pages=200):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE which (name TEXT) STRICT")
        connection.execute("CREATE TABLE filling (data BLOB) STRICT")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO which VALUES (?)", [name])
        connection.executemany("INSERT INTO filling VALUES (randomblob(4000))", [()] * pages)
        connection.execute("COMMIT")
    return path


def which(path):
    """Which database it is, if it is whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT name FROM which").fetchone()[0]


def leave_a_log(path, name):
    """Have a process that is killed write this name, which is then in the log alone."""
    code = f"""
import os, sqlite3
raw = sqlite3.connect({str(path)!r}, isolation_level=None)
raw.execute("PRAGMA wal_autocheckpoint = 0")
raw.execute("UPDATE which SET name = {name!r}")
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0


def kept_beside(path):
    return sorted(path.parent.glob("soulspot.before-restore.*.db"))


def test_the_copy_is_the_database_then_and_the_old_one_is_kept(program, database, backup):
    database.chmod(0o600)
    before = backup.read_bytes()
    found = program("restore", backup)
    assert (found.code, found.err) == (0, "")
    (kept,) = kept_beside(database)
    assert f"the old database is kept: {kept}" in found.out
    assert (which(database), which(kept)) == ("new", "old")
    assert [path.stat().st_mode & 0o777 for path in (database, kept)] == [0o600, 0o600]
    assert backup.read_bytes() == before
    assert [path.name for path in backup.parent.iterdir()] == ["copy.db"]
    assert sorted(path.name for path in database.parent.iterdir()) == [kept.name, "soulspot.db"]


def test_what_is_still_in_the_log_of_the_old_one_is_kept_and_not_taken_for_the_new_ones(database, backup, program):
    leave_a_log(database, "from the log")
    assert program("restore", backup).code == 0
    (kept,) = kept_beside(database)
    assert [path.name for path in database.parent.iterdir() if path.suffix != ".db"] == [f"{kept.name}-wal"]
    assert which(database) == "new"
    assert which(kept) == "from the log"


def test_a_log_that_is_torn_is_kept_as_it_is(database, backup, program):
    leave_a_log(database, "from the log")
    log = database.with_name("soulspot.db-wal")
    torn = bytearray(log.read_bytes())
    torn[32 + 24 + 100] ^= 0xFF  # in the first frame: SQLite takes it for the end, and says nothing
    log.write_bytes(torn)
    assert program("restore", backup).code == 0
    (kept,) = kept_beside(database)
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == bytes(torn)
    assert which(database) == "new"


def test_a_copy_with_a_log_beside_it_is_only_read(database, backup, program):
    leave_a_log(backup, "from the log")
    log = backup.with_name("copy.db-wal")
    before = backup.read_bytes(), log.read_bytes()
    assert program("restore", backup).code == 0
    assert (backup.read_bytes(), log.read_bytes()) == before
    assert which(database) == "from the log"


def test_a_copy_that_nobody_may_write_becomes_a_database_that_its_owner_may(backup, tmp_path, program, monkeypatch):
    monkeypatch.setenv("DATABASE", str(tmp_path / "new.db"))
    named = backup.rename(backup.with_name("new.20260101T000000.000000Z.db"))
    named.chmod(0o444)
    assert program("restore", named).code == 0
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o644


def test_a_copy_can_lie_where_nothing_can_be_written(database, backup, program):
    backup.parent.chmod(0o555)
    try:
        assert program("restore", backup).code == 0
    finally:
        backup.parent.chmod(0o755)
    assert which(database) == "new"


def test_where_there_is_none_yet_the_copy_becomes_the_database(program, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE", str(tmp_path / "soulspot.db"))
    assert program("migrate", "--migrations", MIGRATIONS).code == 0
    copy = (tmp_path / "soulspot.db").rename(tmp_path / "copy.db")
    found = program("restore", copy, "--migrations", MIGRATIONS)
    assert (found.code, found.err) == (0, "")
    assert "is kept" not in found.out
    assert program("migrate", "--status", "--migrations", MIGRATIONS).out.count("pending   0") == 1


def test_a_database_that_is_damaged_is_replaced_and_kept_as_it_is(program, database, backup):
    broken = b"\xff" * 100 + database.read_bytes()[100:]
    database.write_bytes(broken)
    # Nothing else says whose a copy is that no migration has made.
    found = program("restore", backup.rename(backup.with_name("soulspot.20260101T000000.000000Z.db")))
    assert (found.code, found.err) == (0, "")
    assert which(database) == "new"
    (kept,) = kept_beside(database)
    assert kept.read_bytes() == broken


def test_an_empty_file_in_its_place_does_not_cost_the_log(program, database, backup):
    database.write_bytes(b"")
    database.with_name("soulspot.db-wal").write_bytes(b"all that is left")
    assert program("restore", backup, "--migrations", MIGRATIONS).code == 1  # whose it is cannot be told
    backup = backup.rename(backup.with_name("soulspot.20260101T000000.000000Z.db"))
    assert program("restore", backup).code == 0
    (kept,) = kept_beside(database)
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"all that is left"
    assert which(database) == "new"


@pytest.mark.parametrize("kind", ["text", "truncated", "page", "orphans", "missing", "itself", "stranger"])
def test_a_file_that_cannot_be_it_is_refused_before_anything_is_touched(program, database, backup, kind):
    said = SPOILT[kind](backup, database)
    name = database if kind == "itself" else backup
    before = {path: path.read_bytes() for path in database.parent.iterdir()}
    given = backup.read_bytes() if backup.exists() else None
    found = program("restore", name, "--migrations", MIGRATIONS)
    assert found.code == 1
    assert said in found.err
    assert "Traceback" not in found.err
    after = {path: path.read_bytes() for path in database.parent.iterdir() if path.suffix == ".db"}
    assert after == before
    assert (backup.read_bytes() if backup.exists() else None) == given


def spoil_text(backup, _database):
    backup.write_text("all the music that you like\n" * 1_000)
    return "is not a SQLite database"


def spoil_truncated(backup, _database):
    backup.write_bytes(backup.read_bytes()[:100_000])
    return "is damaged"


def spoil_page(backup, _database):
    with backup.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xff" * 64)
    return "is damaged"


def spoil_orphans(backup, _database):
    with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE child (parent INTEGER REFERENCES filling (rowid)) STRICT")
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT")
        connection.execute("CREATE TABLE orphan (parent INTEGER REFERENCES parent (id)) STRICT")
        connection.execute("INSERT INTO orphan VALUES (7)")
        connection.execute("DROP TABLE child")
    return "rows that refer to rows which are not there, in orphan"


def spoil_missing(backup, _database):
    backup.unlink()
    return "there is no file"


def spoil_itself(_backup, _database):
    return "is the database itself"


def spoil_stranger(_backup, database):
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(f"CREATE TABLE {VERSION_TABLE} (version_num TEXT)")
        connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES ('abc')")
    return "not one of soulspot-db"


SPOILT = {name.removeprefix("spoil_"): function for name, function in globals().items() if name.startswith("spoil_")}


def at_revision(path, revision):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"CREATE TABLE {VERSION_TABLE} (version_num TEXT)")
        connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES (?)", [revision])


def test_a_copy_from_the_future_is_refused(program, database, backup):
    at_revision(backup, "ffffffffffff")
    found = program("restore", backup, "--migrations", MIGRATIONS)
    assert found.code == 1
    assert "DATABASE_SCHEMA_AHEAD" in found.err
    assert "ffffffffffff, which this version of the code does not know" in found.err
    assert which(database) == "old"
    assert kept_beside(database) == []


def test_of_a_copy_that_is_behind_it_says_what_to_run(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE", str(tmp_path / "soulspot.db"))
    assert program("migrate", "--migrations", MIGRATIONS, "--to", "0001").code == 0
    assert program("backup", tmp_path / "copy.db").code == 0
    assert program("migrate", "--migrations", MIGRATIONS).code == 0
    found = program("restore", tmp_path / "copy.db", "--migrations", MIGRATIONS)
    assert (found.code, found.err) == (0, "")
    assert "4 revisions are pending; run: soulspot-db migrate" in found.out
    assert program("migrate", "--migrations", MIGRATIONS).code == 0


def test_while_another_process_has_it_open_and_does_nothing_it_is_refused(program, database, backup):
    with subprocess.Popen(
        [sys.executable, "-c", IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as idle:
        assert idle.stdout.readline() == "open\n"
        found = program("restore", backup)
        assert found.code == 1
        assert "another process has the database open" in found.err
        assert kept_beside(database) == []
        idle.stdin.close()
        idle.wait(20)
    assert which(database) == "old"
    assert program("restore", backup).code == 0
    assert which(database) == "new"


def test_it_is_refused_too_where_another_process_opens_it_while_the_copy_is_made(database, backup):
    new = Path(shutil.copy(backup, database.with_name("new")))
    with subprocess.Popen(
        [sys.executable, "-c", IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as idle:
        assert idle.stdout.readline() == "open\n"
        with pytest.raises(LockedError):
            put_in_place(new, database, database.with_name("kept.db"))
        idle.stdin.close()
    assert (which(database), which(new)) == ("old", "new")


def test_who_has_opened_the_old_file_at_the_last_moment_does_not_go_on_with_it(database, backup, monkeypatch):
    code = f"""
import sqlite3
raw = sqlite3.connect({str(database)!r}, isolation_level=None, timeout=20)
print("open", flush=True)
try:
    raw.execute("UPDATE which SET name = 'lost'")
except sqlite3.DatabaseError as error:
    print(error, flush=True)
"""
    late = []

    def copy_late(source, target, size, copy=shutil.copyfileobj):
        late.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True))
        assert late[0].stdout.readline() == "open\n"
        copy(source, target, size)

    new = Path(shutil.copy(backup, database.with_name("new")))
    monkeypatch.setattr(shutil, "copyfileobj", copy_late)
    put_in_place(new, database, database.with_name("kept.db"))
    assert late[0].communicate(timeout=30)[0] == "file is not a database\n"
    assert (which(database), which(database.with_name("kept.db"))) == ("new", "old")


@pytest.mark.parametrize("times", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_whenever_it_is_killed_nothing_is_lost(database, backup, times):
    backup.unlink()
    make(backup, "new", pages=2_000)
    saved = database.read_bytes()
    killed, results = 0, set()
    for number in range(times):
        for left in database.parent.iterdir():
            left.unlink()
        database.write_bytes(saved)
        with subprocess.Popen([*COMMAND, backup], stdout=subprocess.DEVNULL) as running:
            while not list(database.parent.glob("*.unfinished")) and running.poll() is None:
                time.sleep(0.0005)
            time.sleep(number / times * 0.12)
            running.kill()
        killed += running.returncode == -signal.SIGKILL
        now = which(database)
        results.add(now)
        assert now == "old" or [which(path) for path in kept_beside(database)] == ["old"]
        assert all(which(path) == "old" for path in kept_beside(database))
    assert killed
    assert "old" in results


def write(path, over):
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
        while not over.is_set():
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE counters SET value = value + 1")
            connection.execute("UPDATE filling SET data = randomblob(4000) WHERE rowid = abs(random()) % 200 + 1")
            connection.execute("COMMIT")


@pytest.mark.parametrize("seconds", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_what_is_restored_after_a_backup_under_eight_writers_is_the_state_at_one_commit(
    program, database, backup, seconds
):
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER) STRICT")
        connection.executemany("INSERT INTO counters VALUES (?, 0)", [(name,) for name in "abcdefgh"])
    over = threading.Event()
    writers = [threading.Thread(target=write, args=(database, over)) for _ in range(8)]
    for writer in writers:
        writer.start()
    try:
        time.sleep(seconds / 2)
        assert program("backup", backup).code == 0
        time.sleep(seconds / 2)
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert program("restore", backup).code == 0
    values = [set(), set()]
    for number, path in enumerate((database, *kept_beside(database))):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            values[number] = {value for (value,) in connection.execute("SELECT value FROM counters")}
    (restored,), (kept,) = values
    assert 0 < restored < kept


def test_the_newest_copy_is_told_by_its_name(tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    settings = DatabaseSettings(database=str(tmp_path / "soulspot.db"), backup_path=folder)
    assert newest_copy(settings) is None
    assert newest_copy(settings.model_copy(update={"backup_path": tmp_path / "nowhere"})) is None
    for name in (
        "soulspot.20260102T000000.000000Z.db",
        "soulspot.20260103T000000.000000Z.db",
        "other.20270101T000000.000000Z.db",
    ):
        (folder / name).touch()
    path, at = newest_copy(settings)
    assert (path.name, at.isoformat()) == ("soulspot.20260103T000000.000000Z.db", "2026-01-03T00:00:00+00:00")
    for end in ("", "-2"):
        (tmp_path / f"soulspot.before-migration.abc.20260104T000000Z{end}.db").touch()
    assert newest_copy(settings)[0].name == "soulspot.before-migration.abc.20260104T000000Z-2.db"


@pytest.fixture(params=["", "soulspot_db_entities"])
def package(request):
    """Whether the program has entities of migrations: then the revision is asked for before the database is opened."""
    with EntityRegistry.isolated():
        if request.param:
            importlib.reload(importlib.import_module(request.param))
        yield request.param


@pytest.mark.parametrize("has_backup", [True, False])
async def test_a_damaged_database_names_the_backup_to_restore(tmp_path, has_backup, package):
    backups = tmp_path / "backups"
    backups.mkdir()
    database = make(tmp_path / "soulspot.db", "old")
    if has_backup:
        (backups / "soulspot.20260102T031500.000000Z.db").touch()
    settings = DatabaseSettings(database=str(database), backup_path=backups, inline_reads=False)
    said = (
        f"soulspot-db restore {backups}/soulspot.20260102T031500.000000Z.db"
        if has_backup
        else f"There is no backup in {backups}"
    )
    if not package:
        async with Database(settings) as db:
            with database.open("r+b") as file:
                for page in range(2, 200):
                    file.seek(page * 4096)
                    file.write(b"\xff" * 64)
            with pytest.raises(ConnectionFailedError, match="damaged") as raised:
                await db.session.engine.read(Statement("SELECT sum(length(data)) FROM filling"))
            assert said in raised.value.resolution
            assert raised.value.__cause__ is not None
    database.write_bytes(b"\xff" * 8192)
    with pytest.raises(ConnectionFailedError, match="damaged, or no SQLite database") as raised:
        await Database(settings).open()
    assert raised.value.resolution.count(said) == 1


@pytest.fixture
def on_server(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(PROGRAMS), prepend=":")
    with throwaway_database(server.address) as name:
        monkeypatch.setenv("DATABASE", f"{server.address.host}:{server.address.port}/{name}")
        monkeypatch.setenv("DATABASE_USER", server.address.user)
        yield server.address, name


def test_an_archive_is_restored_into_an_empty_database_of_postgresql_and_no_other(
    program, on_server, tmp_path, monkeypatch
):
    address, name = on_server
    assert program("migrate", "--migrations", MIGRATIONS, "--to", "0001").code == 0
    address.psql("CREATE TABLE counters (value bigint); INSERT INTO counters VALUES (7), (8)", name)
    assert program("backup", tmp_path / "copy.dump").code == 0
    refused = program("restore", tmp_path / "copy.dump", "--migrations", MIGRATIONS)
    assert refused.code == 1
    assert "it is restored into an empty one" in refused.err
    assert f"createdb {name}_restored" in refused.err
    with throwaway_database(address) as other:
        monkeypatch.setenv("DATABASE", f"{address.host}:{address.port}/{other}")
        found = program("restore", tmp_path / "copy.dump", "--migrations", MIGRATIONS)
        assert (found.code, found.err) == (0, "")
        assert "4 revisions are pending" in found.out
        assert address.psql("SELECT sum(value) FROM counters", other) == "15"


@pytest.mark.parametrize("kind", ["text", "truncated", "future"])
def test_an_archive_that_cannot_be_it_is_refused_and_nothing_is_written(
    program, on_server, tmp_path, monkeypatch, kind
):
    address, name = on_server
    copy = tmp_path / "copy.dump"
    with throwaway_database(address) as other:
        address.psql(
            f"CREATE TABLE {VERSION_TABLE} (version_num text); INSERT INTO {VERSION_TABLE} VALUES ('ffff')", other
        )
        address.psql("CREATE TABLE filling AS SELECT md5(g::text) FROM generate_series(1, 20000) g", other)
        monkeypatch.setenv("DATABASE", f"{address.host}:{address.port}/{other}")
        assert program("backup", copy).code == 0
    if kind == "text":
        copy.write_text("music")
    elif kind == "truncated":
        copy.write_bytes(copy.read_bytes()[: -copy.stat().st_size // 2])
    monkeypatch.setenv("DATABASE", f"{address.host}:{address.port}/{name}")
    monkeypatch.setenv("DATABASE_PASSWORD", word := secrets.token_hex(8))
    found = program("restore", copy, "--migrations", MIGRATIONS)
    assert (found.code, word in found.err) == (1, False)
    assert ("could not read" if kind != "future" else "does not know") in found.err
    assert address.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == "0"
