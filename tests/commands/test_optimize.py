"""`soulspot-db optimize`: statistics, free pages and the log, while others work."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from servers import throwaway_database
from soulspot_db.engine.sqlite import optimize

HOLDS = """
import sqlite3, sys
raw = sqlite3.connect(sys.argv[1], isolation_level=None)
raw.execute(sys.argv[2])
raw.execute("SELECT count(*) FROM tracks").fetchall()
print("holds", flush=True)
sys.stdin.read()
"""


def make(path, before=""):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"{before}; PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE tracks (id INTEGER PRIMARY KEY, artist INTEGER, data BLOB) STRICT")
        connection.execute("CREATE INDEX ix_artist ON tracks (artist)")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO tracks (artist, data) VALUES (?, randomblob(500))", [(n % 9,) for n in range(4_000)]
        )
        connection.execute("COMMIT")
        connection.execute("DELETE FROM tracks WHERE id > 2000")
    return path


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE", str(tmp_path / "soulspot.db"))
    return make(tmp_path / "soulspot.db")


@pytest.fixture
def holding(database):
    """Another process that has begun something and goes on."""
    running = []

    def hold(statement):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, database, statement], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout.readline() == "holds\n"

    yield hold
    for process in running:
        process.communicate()


def rows(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_planner_knows_the_tables_afterwards_and_the_sizes_are_told(program, database):
    found = program("optimize")
    assert (found.code, found.err) == (0, "")
    assert "statistics: made for tracks" in found.out
    assert "log: all of it is in the file" in found.out
    assert "MB, before" in found.out
    ((index, stat),) = rows(database, "SELECT idx, stat FROM sqlite_stat1")
    assert (index, int(stat.split()[0]) > 100) == ("ix_artist", True)
    assert "none are missing" in program("optimize").out


def test_it_says_how_free_pages_are_given_back_and_does_so_when_asked(program, database):
    before = database.stat().st_size
    found = program("optimize")
    assert "`soulspot-db optimize --vacuum` gives them back" in found.out
    assert database.stat().st_size == before
    found = program("optimize", "--vacuum")
    assert (found.code, "written anew" in found.out) == (0, True)
    assert database.stat().st_size < 0.7 * before
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]


def test_where_the_file_gives_pages_back_by_itself_it_does(program, database):
    database.unlink()
    before = make(database, "PRAGMA auto_vacuum = INCREMENTAL").stat().st_size
    found = program("optimize")
    assert (found.code, "given back to the disk" in found.out) == (0, True)
    assert rows(database, "PRAGMA freelist_count") == [(0,)]
    assert database.stat().st_size < 0.7 * before


def write(path, over, failures, done):
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
            while not over.is_set():
                connection.execute("INSERT INTO tracks (artist) VALUES (1)")
                done.append(None)
    except sqlite3.Error as error:
        failures.append(error)


def test_while_others_write_it_works_and_they_do(program, database):
    over, failures, done = threading.Event(), [], []
    writer = threading.Thread(target=write, args=(database, over, failures, done))
    writer.start()
    try:
        found = program("optimize")
    finally:
        over.set()
        writer.join()
    assert (found.code, found.err, failures) == (0, "", [])
    assert rows(database, "SELECT count(*) FROM tracks") == [(2_000 + len(done),)]
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]


def test_a_lock_that_is_kept_is_told_in_a_line(program, database, holding, monkeypatch):
    monkeypatch.setenv("DATABASE_POOL_TIMEOUT", "0.3")
    holding("BEGIN IMMEDIATE")
    found = program("optimize")
    assert found.code == 1
    assert "DATABASE_LOCKED" in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize("is_safe", [True, False])
def test_a_log_that_another_process_reads_is_not_shortened_and_it_says_so(database, holding, monkeypatch, is_safe):
    holding("BEGIN")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE tracks SET artist = 5 WHERE id = 2")
    monkeypatch.setattr(optimize, "has_wal_reset_bug", lambda _version: not is_safe)
    lines = []
    optimize.optimize_file(database, patience=0.3, vacuum=False, tell=lines.append)
    assert any(("not shortened" if is_safe else "left to the program") in line for line in lines)
    assert database.with_name("soulspot.db-wal").stat().st_size > 0


def test_where_there_is_no_database_none_is_made(program, database):
    database.unlink()
    found = program("optimize")
    assert (found.code, "there is no database" in found.err) == (1, True)
    assert not database.exists()


def test_on_postgresql_the_tables_of_the_user_are_vacuumed_and_analysed(program, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with throwaway_database(server.address) as name:
        monkeypatch.setenv("DATABASE", f"{server.address.host}:{server.address.port}/{name}")
        monkeypatch.setenv("DATABASE_USER", server.address.user)
        server.address.psql(
            'CREATE TABLE "Odd name" AS SELECT generate_series(1, 5000) AS n; DELETE FROM "Odd name" WHERE n % 2 = 0',
            name,
        )
        for arguments in ((), ("--vacuum",)):
            found = program("optimize", *arguments)
            assert (found.code, found.err) == (0, "")
            assert '"Odd name"' in found.out
            assert "MB, before" in found.out
        assert server.address.psql("SELECT reltuples FROM pg_class WHERE relname = 'Odd name'", name) == "2500"
