"""`soulspot-db backup`: a copy of one moment, sound, and under its name only once it is whole."""

import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import namedtuple
from contextlib import closing, nullcontext

import pytest
from servers import PROGRAMS, throwaway_database
from soulspot_db import ConfigurationError, DatabaseSettings, DiskFullError
from soulspot_db.maintenance.backup import back_up_to

COMMAND = [sys.executable, "-c", "from soulspot_db.cli import main; main(prog_name='soulspot-db')", "backup"]

# A shell has its background jobs ignore Ctrl-C, and they have it from whoever started the tests.
LISTENS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
LISTENING = [*COMMAND[:2], LISTENS + COMMAND[2], "backup"]


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A database of some megabytes, in a folder that is no project."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "soulspot.db"
    monkeypatch.setenv("DATABASE", str(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER) STRICT")
        connection.execute("INSERT INTO counters VALUES ('a', 0), ('b', 0)")
        connection.execute("CREATE TABLE filling (data BLOB) STRICT")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO filling VALUES (randomblob(4000))", [()] * 5_000)
        connection.execute("COMMIT")
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def rows(path, sql="SELECT value FROM counters ORDER BY name"):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def is_sound(path):
    return rows(path, "PRAGMA integrity_check") == [("ok",)] and rows(path, "SELECT count(*) FROM filling") == [
        (5_000,)
    ]


def write(path, over):
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
        while not over.is_set():
            connection.execute("BEGIN IMMEDIATE")
            for name in "ab":
                connection.execute("UPDATE counters SET value = value + 1 WHERE name = ?", [name])
            connection.execute("UPDATE filling SET data = randomblob(4000) WHERE rowid = abs(random()) % 5000 + 1")
            connection.execute("COMMIT")


@pytest.mark.parametrize("seconds", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_under_eight_writers_each_copy_is_of_one_commit(program, database, folder, seconds):
    over = threading.Event()
    writers = [threading.Thread(target=write, args=(database, over)) for _ in range(8)]
    for writer in writers:
        writer.start()
    try:
        end, values = time.monotonic() + seconds, []
        while time.monotonic() < end:
            made = program("backup", folder / "copy.db")
            assert (made.code, made.err) == (0, "")
            ((first,), (second,)) = rows(folder / "copy.db")
            assert first == second
            assert is_sound(folder / "copy.db")
            values.append(first)
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert values == sorted(values)
    assert values[-1] > 0
    assert [path.name for path in folder.iterdir()] == ["copy.db"]


def test_in_a_folder_it_has_the_time_in_its_name_and_the_newest_stay(program, database, folder):
    others = {"notes.txt", "soulspot.before-migration.none.20260101T000000Z.db", "other.20260101T000000.000000Z.db"}
    for name in others:
        (folder / name).write_text("not ours")
    for number in range(4):
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("UPDATE counters SET value = ?", [number])
        made = program("backup", folder, "--keep", 2)
        assert made.code == 0
        assert "MB" in made.out
    kept = sorted(path for path in folder.iterdir() if path.name not in others)
    assert [rows(path)[0] for path in kept] == [(2,), (3,)]
    assert all(path.name.startswith("soulspot.2") for path in kept)
    assert len(list(folder.iterdir())) == 2 + len(others)


def test_a_copy_is_as_private_as_the_database_and_has_what_is_in_the_log(program, database, folder):
    database.chmod(0o600)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("PRAGMA wal_autocheckpoint = 0")
        other.execute("UPDATE counters SET value = 7")
        assert program("backup", folder / "copy.db").code == 0
    assert (folder / "copy.db").stat().st_mode & 0o777 == 0o600
    assert rows(folder / "copy.db") == [(7,), (7,)]


def test_what_cannot_be_a_target_is_refused_and_nothing_is_written(program, database, folder, monkeypatch):
    before = database.read_bytes()
    for arguments, said in (
        ([database], "is the database itself"),
        ([folder / "copy.db", "--keep", 2], "--keep is for a folder"),
        ([folder / "nowhere" / "copy.db"], "there is no folder"),
        ([f"{folder / 'nowhere'}/"], "there is no folder"),
    ):
        found = program("backup", *arguments)
        assert (found.code, said in found.err) == (1, True)
    monkeypatch.setenv("DATABASE", str(folder / "missing.db"))
    found = program("backup", folder)
    assert (found.code, "there is no database" in found.err) == (1, True)
    assert database.read_bytes() == before
    assert list(folder.iterdir()) == []


def text(path):
    path.write_text("import soulspot\n")


def of_another_program(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a TEXT)")


def of_migrations(path):
    """As if migrations had made it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE soulspot_db_version (version_num TEXT)")
        connection.execute("INSERT INTO soulspot_db_version VALUES ('0123456789ab')")
        connection.commit()


@pytest.mark.parametrize("make", [text, of_another_program])
def test_a_file_that_is_no_copy_is_not_replaced(program, database, folder, make):
    of_migrations(database)
    there = folder / "there"
    make(there)
    before = there.read_bytes()
    found = program("backup", there)
    assert (found.code, f"{there} is there, and no copy of this database" in found.err) == (1, True)
    assert [each.read_bytes() for each in folder.iterdir()] == [before]


def test_an_empty_file_and_an_older_copy_are_replaced(program, database, folder):
    of_migrations(database)
    copy = folder / "copy.db"
    copy.touch()
    assert program("backup", copy).code == 0
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE counters SET value = 7")
    assert program("backup", copy).code == 0
    assert rows(copy) == [(7,), (7,)]


def test_of_a_damaged_database_no_copy_is_made_and_the_one_from_before_stays(program, database, folder):
    assert program("backup", folder / "copy.db").code == 0
    before = (folder / "copy.db").read_bytes()
    with database.open("r+b") as file:
        for page in range(10, 40):
            file.seek(page * 4096)
            file.write(b"\xff" * 64)
    found = program("backup", folder / "copy.db")
    assert found.code == 1
    assert f"{database} is damaged" in found.err
    assert "newest backup" in found.err
    assert "Traceback" not in found.err
    assert (folder / "copy.db").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["copy.db"]


def test_without_room_nothing_is_begun(database, folder, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, database.stat().st_size - 1))
    with pytest.raises(DiskFullError, match=r"needs up to .* MB, and .* MB are free"):
        back_up_to(DatabaseSettings(), folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("times", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_whenever_it_is_killed_no_file_looks_whole_that_is_not(database, folder, times):
    killed = 0
    for number in range(times):
        with subprocess.Popen([*COMMAND, folder], stdout=subprocess.DEVNULL) as running:
            deadline = time.monotonic() + 20
            while not list(folder.glob("*.unfinished")) and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(number / times * 0.1)
            running.kill()
        killed += running.returncode == -signal.SIGKILL
        assert all(is_sound(path) for path in folder.glob("*.db"))
        for left in folder.glob("*.unfinished*"):
            left.unlink()
    assert killed
    assert is_sound(database)


def test_ctrl_c_leaves_no_copy(database, folder):
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO filling VALUES (randomblob(4000))", [()] * 30_000)
        connection.execute("COMMIT")
    with subprocess.Popen([*LISTENING, folder], stderr=subprocess.PIPE, text=True) as running:
        while not list(folder.glob("*.unfinished")):
            assert running.poll() is None
            time.sleep(0.001)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=20)[1]
    assert running.returncode == 130
    assert "no copy was left" in said
    assert list(folder.iterdir()) == []


def test_what_a_killed_one_has_left_is_removed_when_it_is_old(program, database, folder):
    name = "soulspot.20260101T000000.000000Z.db.0123456"
    old, new, other = (folder / f"{name}7.unfinished", folder / f"{name}8.unfinished", folder / "download.unfinished")
    for left in (old, new, other):
        left.touch()
    for left in (old, other):
        os.utime(left, (time.time() - 90_000,) * 2)
    assert program("backup", folder).code == 0
    assert [left.exists() for left in (old, new, other)] == [False, True, True]


@pytest.fixture
def on_server(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")
    with throwaway_database(server.address) as name:
        monkeypatch.setenv("DATABASE", f"{server.address.host}:{server.address.port}/{name}")
        monkeypatch.setenv("DATABASE_USER", server.address.user)
        yield server.address, name


def test_an_archive_of_postgresql_brings_back_what_was_there(program, on_server, folder):
    address, name = on_server
    address.psql("CREATE TABLE counters (value bigint); INSERT INTO counters VALUES (7), (8)", name)
    made = program("backup", folder, "--keep", 1)
    assert (made.code, made.err) == (0, "")
    (archive,) = folder.iterdir()
    assert archive.name.startswith(f"{name}.2")
    assert program("backup", archive).code == 0  # an older one is replaced
    (folder / "text").write_text("no archive")
    refused = program("backup", folder / "text")
    assert (refused.code, "no copy of this database" in refused.err) == (1, True)
    assert (folder / "text").read_text() == "no archive"
    with throwaway_database(address) as other:
        where = ["-h", address.host, "-p", str(address.port), "-U", address.user, "-d", other]
        subprocess.run([PROGRAMS / "pg_restore", *where, archive], check=True)
        assert address.psql("SELECT sum(value) FROM counters", other) == "15"


def test_where_postgresql_refuses_it_says_why_and_leaves_nothing(program, on_server, folder, monkeypatch):
    address, _ = on_server
    monkeypatch.setenv("DATABASE", f"{address.host}:{address.port}/nowhere")
    monkeypatch.setenv("DATABASE_PASSWORD", word := secrets.token_hex(8))
    found = program("backup", folder)
    assert (found.code, "nowhere" in found.err, word in found.err) == (1, True, False)
    assert list(folder.iterdir()) == []


def test_without_pg_dump_it_says_what_to_install(on_server, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="pg_dump is not installed"):
        back_up_to(DatabaseSettings(), folder)
    assert list(folder.iterdir()) == []


def test_through_a_link_what_is_in_the_log_is_copied_too(database, folder, tmp_path, monkeypatch):
    link = tmp_path / "link.db"
    link.symlink_to(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("UPDATE counters SET value = 7")
        made = back_up_to(DatabaseSettings(database_path=link, _env_file=None), folder)
    assert rows(made) == [(7,), (7,)]


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_somebody_who_opens_the_database_while_it_is_copied_is_not_half_in_it(database, folder, mode):
    with closing(sqlite3.connect(database, isolation_level=None)) as before:
        before.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        before.execute("CREATE TABLE many AS SELECT 0 AS value FROM filling, counters")
    assert not database.with_name("soulspot.db-wal").exists()
    began = []

    def write(done, total):
        if not began:
            began.append(done)
            locked = pytest.raises(sqlite3.OperationalError, match="locked") if mode == "DELETE" else nullcontext()
            with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as writer, locked:
                writer.execute("UPDATE many SET value = 1")

    made = back_up_to(DatabaseSettings(database_path=database, _env_file=None), folder, progress=write)
    assert began
    assert rows(made, "SELECT DISTINCT value FROM many") == [(0,)]


def test_the_log_of_an_older_copy_is_not_taken_for_the_new_ones(database, folder):
    target = folder / "soulspot.db"
    settings = DatabaseSettings(database_path=database, _env_file=None)
    back_up_to(settings, target)
    code = f"""
import os, sqlite3
raw = sqlite3.connect({str(target)!r}, isolation_level=None)
raw.execute("PRAGMA wal_autocheckpoint = 0")
raw.execute("UPDATE counters SET value = 99")
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    back_up_to(settings, target)
    assert rows(target) == [(0,), (0,)]


def test_of_copies_from_a_clock_that_was_ahead_the_new_one_stays(program, database, folder):
    for year in (2090, 2091, 2092):
        (folder / f"soulspot.{year}0101T000000.000000Z.db").touch()
    found = program("backup", folder, "--keep", "2")
    assert (found.code, found.err) == (0, "")
    made = [copy.name for copy in folder.iterdir() if "209" not in copy.name]
    assert len(made) == 1
    assert len(list(folder.iterdir())) == 2


def test_a_folder_in_which_nothing_can_be_made_is_an_error_in_words(program, database):
    found = program("backup", "/proc/soulspot.db")
    assert found.code == 1
    assert found.err.startswith("[DATABASE_")
    assert "Traceback" not in found.err
