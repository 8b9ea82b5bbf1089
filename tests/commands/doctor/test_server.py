"""`soulspot-db doctor` on PostgreSQL: every fault is made on a real server."""

import asyncio
import json
import os
import secrets
import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from doctor_reports import KEY, MIGRATIONS, levels, one, report
from servers import PROGRAMS, postgres_server, throwaway_database
from soulspot_db import DatabaseSettings
from soulspot_db.doctor import clock
from soulspot_db.doctor.checks import AROUND, DATABASE, INSIDE
from soulspot_db.migrations.postgresql import connection as migrations_connection
from soulspot_db.migrations.runner import migrate

CHECKS = [DATABASE, *(check.name for check in (*INSIDE["postgresql"], *AROUND["postgresql"]))]
ALWAYS = {("needless_indexes", "note")}
"""SoulSpot's own schemas have four such."""


@pytest.fixture(scope="module")
def template(server):
    """A migrated database that nobody is connected to."""
    with throwaway_database(server.address) as name:
        address = f"{server.address.host}:{server.address.port}/{name}"
        asyncio.run(migrate(DatabaseSettings(database=address, user="postgres"), MIGRATIONS))
        yield name


@pytest.fixture
def psql(server, template, monkeypatch, tmp_path):
    """Asks a migrated database, which the environment leads to as well."""
    name = f"soulspot_test_{secrets.token_hex(6)}"
    server.address.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / f"{name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.dump").touch()
    monkeypatch.chdir(tmp_path)
    values = {
        "DATABASE": f"{server.address.host}:{server.address.port}/{name}",
        "DATABASE_USER": "postgres",
        "DATABASE_BACKUP_PATH": tmp_path / "backups",
        "DATABASE_SINGLE_INSTANCE": "true",
        "ENCRYPTION_KEYS": KEY,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    }
    for variable, value in values.items():
        monkeypatch.setenv(variable, str(value))
    yield lambda statement: server.address.psql(statement, name)
    server.address.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def app(server, psql, monkeypatch):
    """A role as which the environment connects, with the rights that the documentation gives."""
    name = f"app_{secrets.token_hex(4)}"
    psql(
        f"CREATE ROLE {name} LOGIN PASSWORD 'right';"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name};"
        f"GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {name}"
    )
    monkeypatch.setenv("DATABASE_USER", name)
    yield name
    psql(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def doctor(cli):
    """What it finds, by the name of the check; that the exit code fits is looked at each time."""

    def call():
        found = report(cli, "--migrations", MIGRATIONS)
        assert list(found) == CHECKS
        return found

    return call


def test_a_server_without_a_fault_has_none(doctor, cli, psql):
    assert levels(doctor()) == ALWAYS
    assert cli("doctor", "--migrations", MIGRATIONS).code == 0


def test_the_role_of_a_program_needs_no_more_than_the_documented_rights(doctor, app):
    assert levels(doctor()) == ALWAYS


def test_that_nothing_is_kept_in_memory_is_said_with_how_to_switch_it_on(doctor, psql, monkeypatch):
    assert one(doctor(), "cache")[0] == "ok"
    monkeypatch.delenv("DATABASE_SINGLE_INSTANCE")
    assert one(doctor(), "cache") == (
        "note",
        (
            "the cache is off: on PostgreSQL nothing is kept in memory, because nobody tells one program what another writes\n"
            "1. If this program alone writes the database: DATABASE_SINGLE_INSTANCE=true\n"
            "2. If several do: CACHE=host:6379/0, a Redis that all of them name."
        ),
    )
    monkeypatch.setenv("CACHE", "127.0.0.1:1/0")
    found = doctor()
    assert one(found, "cache")[0] == "ok"
    assert one(found, "redis")[0] == "must"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DATABASE", "127.0.0.1:1/soulspot", "nothing listens there"),
        ("DATABASE", "{}/nowhere", "there is no database 'nowhere'"),
        ("DATABASE_USER", "stranger", 'role "stranger" does not exist'),
        ("DATABASE", "nowhere.invalid:5432/soulspot", "no address is known"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_without_a_traceback(
    program, doctor, psql, monkeypatch, variable, value, said
):
    monkeypatch.setenv(variable, value.format(os.environ["DATABASE"].partition("/")[0]))
    found = doctor()
    level, text = one(found, DATABASE)
    assert (level, said in text) == ("must", True)
    assert {finding["message"] for check in INSIDE["postgresql"] for finding in found[check.name]} == {
        "not looked at: the database cannot be opened"
    }
    told = program("doctor")
    assert (told.code, told.err) == (1, "")
    assert said in told.out
    assert "Traceback" not in told.out


def test_a_wrong_password_is_told_and_not_shown(server, program, doctor, psql, app, monkeypatch):
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all {app} 127.0.0.1/32 scram-sha-256\n{before}")
    psql("SELECT pg_reload_conf()")
    try:
        monkeypatch.setenv("DATABASE_PASSWORD", "right")
        until = time.monotonic() + 10
        while levels(doctor()) != ALWAYS:
            assert time.monotonic() < until
        monkeypatch.setenv("DATABASE_PASSWORD", word := secrets.token_hex(8))
        level, said = one(doctor(), DATABASE)
        told = program("doctor")
    finally:
        rules.write_text(before)
        psql("SELECT pg_reload_conf()")
    assert (level, "DATABASE_PASSWORD" in said, word in said) == ("must", True, False)
    assert (told.code, told.err, word in told.out) == (1, "", False)


@pytest.mark.parametrize(
    ("revoke", "check", "said"),
    [
        ("REVOKE INSERT, DELETE ON library_tracks FROM {}", "rights", "may not INSERT, DELETE on library_tracks"),
        ("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}", "rights", "and so on for"),
        ("CREATE SEQUENCE keys", "rights", "may not SELECT, UPDATE on keys"),
        ("REVOKE SELECT ON soulspot_db_version FROM {}", "migrations", "permission denied"),
        ("REVOKE USAGE ON SCHEMA public FROM PUBLIC", "rights", "GRANT USAGE ON SCHEMA public"),
    ],
)
def test_what_the_user_may_not_is_told_with_the_statement_that_gives_it(doctor, psql, app, revoke, check, said):
    psql(revoke.format(app))
    found = doctor()
    level, text = one(found, check)
    assert (level, said in text, "GRANT " in text) == ("must", True, True)


def test_a_pool_that_does_not_fit_is_told(doctor, psql, app, monkeypatch):
    assert "30 of 97" in one(doctor(), "connections")[1]
    monkeypatch.setenv("DATABASE_MAX_OVERFLOW", "88")
    level, said = one(doctor(), "connections")
    assert (level, "may open 98 connections, and the server has 97" in said) == ("must", True)
    monkeypatch.setenv("DATABASE_MAX_OVERFLOW", "20")
    psql(f"ALTER ROLE {app} CONNECTION LIMIT 25")
    level, said = one(doctor(), "connections")
    assert (level, "the server has 25" in said) == ("must", True)


@contextmanager
def session(server, name, *statements):
    """Another program, which has said these and stays connected."""
    where = ["-h", server.address.host, "-p", str(server.address.port), "-U", "postgres", "-d", name]
    command = [PROGRAMS / "psql", "-X", "-q", "-A", "-t", *where]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdin.write("".join(f"{each};\n" for each in (*statements, "SELECT 'ready'")))
        other.stdin.flush()
        while other.stdout.readline().strip() != "ready":
            assert other.poll() is None
        try:
            yield
        finally:
            other.stdin.close()


def test_connections_of_others_are_counted(server, doctor, psql, monkeypatch):
    monkeypatch.setenv("DATABASE_MAX_OVERFLOW", "87")
    with session(server, "postgres"):
        level, said = one(doctor(), "connections")
    assert (level, "others use 1" in said) == ("note", True)


def test_a_session_that_is_idle_in_a_transaction_is_told(server, doctor, psql, monkeypatch):
    monkeypatch.setenv("DATABASE_IDLE_TRANSACTION_TIMEOUT", "0.3")
    name = psql("SELECT current_database()")
    with session(server, name, "BEGIN", "LOCK TABLE library_tracks IN ROW EXCLUSIVE MODE"):
        time.sleep(0.4)
        level, said = one(doctor(), "idle_transactions")
    assert (level, "postgres (psql)" in said, "pg_terminate_backend" in said) == ("note", True, True)
    assert one(doctor(), "idle_transactions")[0] == "ok"


@pytest.mark.parametrize(
    ("setting", "level", "said"),
    [
        ("default_transaction_read_only = on", "must", "default_transaction_read_only is on"),
        ("idle_session_timeout = '5s'", "note", "idle_session_timeout is 5000 ms"),
        ("transaction_timeout = '1min'", "note", "transaction_timeout is 60000 ms"),
    ],
)
def test_settings_of_the_role_that_end_work_are_told(doctor, psql, app, setting, level, said):
    psql(f"ALTER ROLE {app} SET {setting}")
    found = one(doctor(), "timeouts")
    assert (found[0], said in found[1], f"ALTER ROLE {app}" in found[1]) == (level, True, True)


def test_times_that_something_in_between_leaves_out_are_told(doctor, psql, monkeypatch):
    options = migrations_connection._options
    monkeypatch.setattr(
        migrations_connection, "_options", lambda settings: {**options(settings), "server_settings": {}}
    )
    level, said = one(doctor(), "timeouts")
    assert (level, "PgBouncer" in said) == ("note", True)


def test_a_server_that_does_not_wait_for_its_disk_is_told(server, doctor, psql):
    psql("ALTER SYSTEM SET fsync = off")
    psql("SELECT pg_reload_conf()")
    try:
        until = time.monotonic() + 10
        while psql("SHOW fsync") == "on":
            assert time.monotonic() < until
        level, said = one(doctor(), "durability")
    finally:
        psql("ALTER SYSTEM RESET fsync")
        psql("SELECT pg_reload_conf()")
    assert (level, "fsync is off" in said) == ("must", True)
    name = psql("SELECT current_database()")
    psql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    found = [(finding["level"], finding["message"]) for finding in doctor()["durability"]]
    assert ("note", "synchronous_commit is off: the last writes before a crash of the server can be missing") in found


def test_an_encoding_that_has_not_every_text_is_told(server, doctor, psql, monkeypatch):
    name = f"soulspot_test_{secrets.token_hex(6)}"
    server.address.psql(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    try:
        monkeypatch.setenv("DATABASE", f"{server.address.host}:{server.address.port}/{name}")
        level, said = one(doctor(), "encoding")
    finally:
        server.address.psql(f"DROP DATABASE {name} WITH (FORCE)")
    assert (level, "LATIN1" in said) == ("must", True)


def test_an_index_whose_making_failed_is_told(doctor, psql):
    psql("CREATE TABLE others (a text); INSERT INTO others VALUES ('x'), ('x')")
    with pytest.raises(subprocess.CalledProcessError):
        psql("CREATE UNIQUE INDEX CONCURRENTLY broken ON others (a)")
    level, said = one(doctor(), "invalid_indexes")
    assert (level, "the index broken of others is invalid" in said) == ("must", True)


def test_a_foreign_key_without_an_index_and_an_index_that_does_nothing_new_are_told(doctor, psql):
    psql("DROP INDEX ix_library_tracks_album_id; CREATE INDEX by_hand ON library_tracks (id)")
    found = doctor()
    level, said = one(found, "missing_indexes")
    assert (level, "no index of library_tracks begins with album_id" in said) == ("note", True)
    by_hand = found["needless_indexes"][0]
    assert "by_hand of library_tracks is needless: the primary key of library_tracks" in by_hand["message"]
    assert by_hand["resolution"] == '1. DROP INDEX "by_hand"'


def test_an_index_of_a_large_table_by_which_nothing_was_looked_up_is_a_note(doctor, psql):
    psql("CREATE TABLE small (a int, b int); CREATE INDEX small_a ON small (a)")
    psql("CREATE TABLE large (a int, b int); CREATE INDEX large_a ON large (a); CREATE INDEX large_b ON large (b)")
    psql("INSERT INTO large SELECT i, i FROM generate_series(1, 10001) AS i; ANALYZE large")
    psql("SET enable_seqscan = off; SELECT * FROM large WHERE b = 3")
    until = time.monotonic() + 10
    while one(doctor(), "unused_indexes")[0] == "ok" or "large_b" in json.dumps(doctor()["unused_indexes"]):
        assert time.monotonic() < until
    level, said = one(doctor(), "unused_indexes")
    assert (level, "by the index large_a of large" in said) == ("note", True)


def test_a_clock_that_differs_from_the_server_s_is_told(doctor, psql, monkeypatch):
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: time.time() - 120))
    level, said = one(doctor(), "server_clock")
    assert (level, "s ahead of this machine's" in said) == ("note", True)


def test_a_standby_is_told(server, doctor, psql, monkeypatch):
    with postgres_server(standby_of=server) as standby:
        name = os.environ["DATABASE"].partition("/")[2]
        monkeypatch.setenv("DATABASE", f"127.0.0.1:{standby.address.port}/{name}")
        level, said = one(doctor(), "standby")
    assert (level, "takes no writes" in said) == ("must", True)


def test_a_database_that_is_behind_or_ahead_is_told(doctor, psql):
    psql("UPDATE soulspot_db_version SET version_num = '483679588199'")
    level, said = one(doctor(), "migrations")
    assert (level, "3 behind 2f393002537d" in said, "soulspot-db migrate" in said) == ("must", True, True)
    psql("UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")
    level, said = one(doctor(), "migrations")
    assert (level, "does not know" in said) == ("must", True)


def test_tables_and_columns_that_are_missing_are_told(doctor, psql):
    psql("DROP TABLE core_background_jobs; ALTER TABLE library_tracks DROP COLUMN title")
    found = {finding["message"]: finding["level"] for finding in doctor()["structure"]}
    assert found["table core_background_jobs is missing"] == "must"
    assert found["column title of library_tracks is missing"] == "must"


@pytest.mark.parametrize(
    ("says", "level", "said"),
    [
        (None, "note", "not installed here"),
        ("pg_dump (PostgreSQL) 9.6.24", "note", "pg_dump 9 makes no backup of PostgreSQL 18"),
        ("pg_dump (PostgreSQL) 99.1", "ok", "pg_dump 99"),
    ],
)
def test_whether_pg_dump_can_make_a_backup(doctor, psql, monkeypatch, tmp_path, says, level, said):
    if says is not None:
        (tmp_path / "pg_dump").write_text(f"#!/bin/sh\necho '{says}'\n")
        (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = one(doctor(), "pg_dump")
    assert (found[0], said in found[1]) == (level, True)
    monkeypatch.undo()


def test_how_old_the_newest_archive_is(doctor, psql, tmp_path):
    assert one(doctor(), "backup")[0] == "ok"
    (copy,) = (tmp_path / "backups").iterdir()
    copy.rename(copy.with_name(f"{copy.name.partition('.')[0]}.20200101T000000.000000Z.dump"))
    assert one(doctor(), "backup")[0] == "note"
