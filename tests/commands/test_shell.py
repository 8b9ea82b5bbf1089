"""`soulspot-db shell`: SQL in the schema's names, which reads and can do nothing else."""

import asyncio
import importlib
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import soulspot_db_entities
from servers import throwaway_database
from soulspot_db import DatabaseError, DatabaseSettings, EntityRegistry, QueryFailedError
from soulspot_db.maintenance.console import known_entities, open_console
from soulspot_db.migrations.runner import migrate

MIGRATIONS = Path(__file__).parents[2] / "migrations"
SHELL = [sys.executable, "-c", "from soulspot_db.cli import main; main(prog_name='soulspot-db')", "shell"]
SECRET = "a-token-that-nobody-may-see"
NOW = "'2026-01-01 00:00:00.000000'"
FILLED = f"""
INSERT INTO spotify_tokens (id, access_token, refresh_token, token_expires_at, is_valid, created_at, updated_at)
VALUES ('1', '{SECRET}', '{SECRET}', {NOW}, TRUE, {NOW}, {NOW})
"""

WRITES = [
    "INSERT INTO spotify_tokens (id) VALUES ('2')",
    "UPDATE spotify_tokens SET scopes = 'x'",
    "DELETE FROM spotify_tokens",
    "CREATE TABLE mine (a integer)",
    "DROP TABLE spotify_tokens",
    "SELECT 1; DELETE FROM spotify_tokens",
    "BEGIN",
    "",
]
ON_SQLITE = [
    "WITH x AS (SELECT 1) DELETE FROM main.spotify_tokens",
    "EXPLAIN DELETE FROM main.spotify_tokens",
    "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version = 7",
    "PRAGMA query_only = 0",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA optimize",
    "ATTACH 'other.db' AS other",
    "VACUUM INTO 'other.db'",
    "SELECT load_extension('other')",
    "CREATE TEMP TABLE mine (a)",
]
ON_SERVER = [
    "WITH gone AS (DELETE FROM public.spotify_tokens RETURNING 1) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM public.spotify_tokens",
    "SELECT * INTO mine FROM spotify_token",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/other')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT nextval('counter')",
    "SET default_transaction_read_only = off",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "COPY spotify_token TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/other'",
    "DO $$ BEGIN DELETE FROM public.spotify_tokens; END $$",
]


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory, migrated_file):
    """SoulSpot's own tables, with one row that has secrets."""
    path = shutil.copy(migrated_file, tmp_path_factory.mktemp("filled") / "soulspot.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(FILLED)
    return path


@pytest.fixture
def database(filled_file, tmp_path, monkeypatch):
    """A copy of it, which the environment leads to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE", str(tmp_path / "soulspot.db"))
    return Path(shutil.copy(filled_file, tmp_path / "soulspot.db"))


@pytest.fixture
def shell(cli):
    """`soulspot-db shell ARGUMENTS` with SoulSpot's own entities, in this process, which has them already."""

    def call(*arguments):
        with EntityRegistry.isolated():
            importlib.reload(soulspot_db_entities)  # registers them
            return cli("shell", *arguments)

    return call


def ask(statements):
    """What a console of SoulSpot's own entities answers to each: its rows, or the error."""

    async def answers():
        found = []
        console = await open_console(DatabaseSettings(), known_entities())
        try:
            for sql in statements:
                try:
                    found.append((await console.run(sql, 10)).rows)
                except DatabaseError as error:
                    found.append(error)
        finally:
            await console.close()
        return found

    with EntityRegistry.isolated():
        importlib.reload(soulspot_db_entities)  # registers them
        return asyncio.run(answers())


def test_an_entity_is_a_table_and_what_is_sensitive_is_not_shown(program, database):
    found = program("shell", "-c", "SELECT id, access_token, scopes FROM spotify_token")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines() == [
        "id  access_token  scopes",
        "--  ------------  ------",
        "1   •••           NULL",
        "(1 row)",
    ]


def test_a_secret_is_found_by_no_way_round(database):
    found = ask(
        [
            "SELECT * FROM spotify_tokens",
            "SELECT * FROM main.spotify_tokens",
            "SELECT access_token || 'x' AS a FROM main.spotify_tokens",
            "WITH spotify_token AS (SELECT access_token AS a FROM main.spotify_tokens) SELECT * FROM spotify_token",
            "SELECT max(length(access_token)) FROM main.spotify_tokens",
            f"SELECT count(*) FROM main.spotify_tokens WHERE access_token LIKE '{SECRET[:3]}%'",
        ]
    )
    joined = ask(
        [
            "SELECT access_token FROM main.spotify_tokens FULL JOIN (SELECT 1 AS access_token WHERE 0) USING (access_token)",
            f"SELECT id FROM main.spotify_tokens NATURAL JOIN (SELECT '{SECRET}' AS access_token)",
        ]
    )
    assert all(isinstance(each, QueryFailedError) for each in joined)
    assert SECRET not in repr(found)
    assert [rows[0] for rows in found[2:]] == [(None,), (None,), (None,), (0,)]


def test_nothing_can_be_written(database):
    with closing(sqlite3.connect(database)) as connection:
        before = list(connection.iterdump())
    for sql, found in zip(WRITES + ON_SQLITE, ask(WRITES + ON_SQLITE), strict=True):
        assert isinstance(found, QueryFailedError), sql
    with closing(sqlite3.connect(database)) as connection:
        assert list(connection.iterdump()) == before
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
    assert not Path("other.db").exists()


def test_what_is_refused_is_told_without_a_traceback(shell, database):
    found = shell("-c", "DELETE FROM spotify_tokens")
    assert (found.code, found.out) == (1, "")
    assert "nothing can be written here" in found.err
    assert "Traceback" not in found.err


NO_SUCH = ("SELECT nope FROM artist", "SELECT 1 FROM nope")


def is_told_as_a_slip(found):
    return ".tables" in found.resolution and "migrate" not in found.resolution


def test_a_name_that_is_not_there_is_told_as_a_slip(database):
    assert all(is_told_as_a_slip(found) for found in ask(NO_SUCH))


def test_a_write_behind_a_with_is_told_as_one(database):
    (found,) = ask(["WITH x AS (SELECT 1) DELETE FROM artist"])
    assert "nothing can be written here" in str(found)


def test_tables_and_fields_are_listed(shell, database):
    lines = shell("-c", ".tables").out.splitlines()
    assert any(line.split() == ["artist", "metadata_artists"] for line in lines)
    assert any(line.split() == ["soulspot_db_version"] for line in lines)
    lines = shell("-c", ".schema spotify_token").out.splitlines()
    assert lines[3].split() == ["access_token", "TEXT", "not", "null", "•••"]
    found = shell("-c", ".schema nothing")
    assert (found.code, "there is no entity" in found.err) == (1, True)


def test_a_thousand_rows_are_shown_or_all(shell, database):
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT i FROM n"
    found = shell("--json", "-c", many)
    assert len(json.loads(found.out)) == 1_000
    assert "--all" in found.err
    found = shell("--json", "--all", "-c", many)
    assert (len(json.loads(found.out)), found.err) == (1_500, "")


def test_statements_come_from_standard_input_too(program, database):
    found = program("shell", "--json", given="SELECT 1\n AS a;\n\n.quit\nSELECT 2;\n")
    assert (found.code, json.loads(found.out)) == (0, [{"a": 1}])
    found = program("shell", given="SELECT nonsense;\nSELECT 7 AS seven")
    assert (found.code, "no such column" in found.err, "seven" in found.out) == (1, True, True)


def test_a_statement_that_takes_too_long_is_stopped(shell, database, monkeypatch):
    monkeypatch.setenv("DATABASE_QUERY_TIMEOUT", "0.3")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    found = shell("-c", endless)
    assert (found.code, "DATABASE_QUERY_TIMEOUT" in found.err) == (1, True)


def test_what_is_stored_cannot_steer_the_terminal(shell, database):
    found = shell("-c", "SELECT char(27) || '[2J' || char(10) || 'a' AS \"b\"")
    assert r"\x1b[2J\na" in found.out
    assert "\x1b" not in found.out


def test_at_a_prompt_ctrl_c_stops_the_statement_and_ctrl_d_ends(database):
    ours, theirs = pty.openpty()
    listens = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [SHELL[0], "-c", listens + SHELL[2], "shell"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as running:
        os.close(theirs)
        said = read_until(ours, b"soulspot> ")
        assert b".schema NAME" in said
        endless = b"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;\n"
        os.write(ours, endless)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        assert b"stopped" in read_until(ours, b"soulspot> ", after=b"stopped")
        os.write(ours, b"SELECT 40 + 2 AS answer;\n")
        assert b"42" in read_until(ours, b"soulspot> ", after=b"(1 row)")
        os.write(ours, b"\x04")
        assert running.wait(20) == 0
    os.close(ours)


def read_until(handle, end, after=b""):
    said, until = b"", time.monotonic() + 20
    while end not in said.partition(after)[2] if after else end not in said:
        assert time.monotonic() < until, said
        said += os.read(handle, 4096)
    return said


@pytest.fixture(scope="module")
def filled(server):
    with throwaway_database(server.address) as name:
        address = f"{server.address.host}:{server.address.port}/{name}"
        asyncio.run(migrate(DatabaseSettings(database=address, user=server.address.user), MIGRATIONS))
        server.address.psql(FILLED.replace(NOW, "now()"), name)
        server.address.psql("CREATE SEQUENCE counter; CREATE ROLE plain LOGIN", name)
        server.address.psql("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain", name)
        yield name


@pytest.fixture(params=["superuser", "plain"])
def on_server(server, filled, monkeypatch, tmp_path, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE", f"{server.address.host}:{server.address.port}/{filled}")
    monkeypatch.setenv("DATABASE_USER", "plain" if request.param == "plain" else server.address.user)
    return server.address, filled


def test_on_postgresql_entities_are_tables_and_secrets_are_hidden(shell, on_server):
    tables = ("spotify_token", "spotify_tokens", "public.spotify_tokens")
    found = ask([f"SELECT id, access_token FROM {table}" for table in tables])
    assert [[list(row) for row in rows] for rows in found] == [[["1", "•••"]]] * 3
    found = shell("-c", "SELECT id, created_at FROM spotify_token")
    assert (found.code, found.err, "(1 row)" in found.out) == (0, "", True)


def test_on_postgresql_no_statement_gives_the_next_one_a_superusers_rights(on_server):
    settings = ["SELECT set_config('role', 'none', false)", "SELECT set_config('statement_timeout', '0', false)"]
    *_, user, timeout, file = ask(
        [*settings, "SELECT current_user", "SHOW statement_timeout", "SELECT pg_read_file('/etc/hostname')"]
    )
    address, _ = on_server
    assert [list(row) for row in user] != [[address.user]]
    assert [list(row) for row in timeout] != [["0"]]
    assert isinstance(file, QueryFailedError)


def test_on_postgresql_a_name_that_is_not_there_is_told_as_a_slip(on_server):
    assert all(is_told_as_a_slip(found) for found in ask(NO_SUCH))


def test_on_postgresql_nothing_can_be_written(on_server):
    address, name = on_server
    everything = (
        "SELECT count(*), max(scopes), (SELECT count(*) FROM pg_class WHERE relpersistence = 'p') FROM spotify_tokens"
    )
    before = address.psql(everything, name)
    for sql, found in zip(WRITES + ON_SERVER, ask(WRITES + ON_SERVER), strict=True):
        assert isinstance(found, QueryFailedError), sql
    # What a statement has set lasts as long as the session: the next one must not be able to write either.
    allowed, refused = ask(["SELECT set_config('default_transaction_read_only', 'off', false)", ON_SERVER[0]])
    assert list(map(list, allowed)) == [["off"]]
    assert "read-only" in str(refused)
    assert address.psql(everything, name) == before


def test_on_postgresql_a_statement_that_takes_too_long_is_stopped(on_server, monkeypatch):
    monkeypatch.setenv("DATABASE_QUERY_TIMEOUT", "0.3")
    (found,) = ask(["SELECT pg_sleep(20)"])
    assert found.code == "DATABASE_QUERY_TIMEOUT"


def test_a_statement_that_is_no_utf_8_is_an_error_and_the_next_one_runs(database):
    broken, fine = ask(["SELECT '\udcff'", "SELECT 1"])
    assert isinstance(broken, QueryFailedError)
    assert [list(row) for row in fine] == [[1]]
