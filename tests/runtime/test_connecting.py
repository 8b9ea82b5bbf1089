"""A PostgreSQL server to which there is no way: the error says why, in words, and what to do about it."""

import asyncio
import getpass
import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import support
from servers import postgres_server
from soulspot_db import (
    ConnectionFailedError,
    Database,
    DatabaseError,
    LockedError,
    QueryFailedError,
    ValidationFailedError,
)
from soulspot_db.engine.postgresql import connection
from soulspot_db.engine.postgresql.peek import peek_server
from soulspot_db.migrations.connection import in_thread, reading


@pytest.fixture(scope="module")
def server():
    with postgres_server(fsync="off", max_connections=20) as started:
        started.address.psql("CREATE DATABASE soulspot")
        yield started


@pytest.fixture
def where(server):
    return {"database": f"127.0.0.1:{server.address.port}/soulspot", "user": "postgres"}


def select_one(settings):
    with reading(settings) as connection:
        connection.exec_driver_sql("SELECT 1")


async def refusal(**values):
    """What opening says, and a look, and a migration: all the same."""
    settings = support.settings(**values)
    raised = []
    for call in (
        Database(settings).open,
        lambda: peek_server(settings, "SELECT 1"),
        lambda: in_thread(settings, select_one, settings),
    ):
        with pytest.raises(ConnectionFailedError) as error:
            await support.within(20, call())
        raised.append(error.value)
    assert len({str(error) for error in raised}) == 1
    assert raised[0].context["database_path"] == settings.address
    assert "Error" not in raised[0].message  # no name of a class
    assert "next call" not in raised[0].resolution  # a command has none
    return raised[0]


@asynccontextmanager
async def listening(answer):
    """Something that is no PostgreSQL."""
    closed = []

    async def talk(reader, writer):
        await answer(reader, writer)
        writer.close()
        closed.append(True)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}/soulspot"
    finally:
        server.close()


async def test_a_host_without_an_address_is_told_as_such():
    try:
        async with asyncio.timeout(3):
            await asyncio.get_running_loop().getaddrinfo("nosuch.invalid", 5432)
    except TimeoutError:
        pytest.skip("who resolves names here takes longer than a connection may")
    except OSError:
        pass
    error = await refusal(database="nosuch.invalid:5432/soulspot")
    assert (
        "nosuch.invalid:5432/soulspot cannot be reached: no address is known for the name of the host" in error.message
    )
    assert "DATABASE" in error.resolution


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_port_on_which_nobody_listens_is_told_as_such(host):
    error = await refusal(database=f"{host}:1/soulspot")
    assert error.message.endswith("nothing listens there")


async def test_a_server_that_does_not_answer_is_told_as_such(monkeypatch):
    monkeypatch.setattr(connection, "_CONNECT", 0.5)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        settings = support.settings(database=f"127.0.0.1:{silent.getsockname()[1]}/soulspot")
        with pytest.raises(ConnectionFailedError, match="it does not answer\n"):
            await peek_server(settings, "SELECT 1")


async def test_a_host_that_does_not_answer_does_not_keep_the_next_from_being_asked(server, monkeypatch):
    monkeypatch.setattr(connection, "_CONNECT", 0.5)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{server.address.port}"
        async with Database(support.settings(database=f"{hosts}/soulspot", user="postgres")) as db:
            assert db._engine.connections().total == 1


async def test_a_server_that_is_no_postgresql_is_told_as_such():
    async def http(_reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(http) as address:
        error = await refusal(database=address)
    assert "cannot be reached: " in error.message


async def test_a_server_that_closes_the_connection_is_told_as_such():
    async def refuse(reader, writer):
        await reader.read(8)
        writer.write(b"N")
        await reader.read(8)

    async with listening(refuse) as address:
        error = await refusal(database=address)
    assert error.message.endswith("it closed the connection")
    assert "log" in error.resolution


async def test_a_socket_that_is_not_there_is_named_with_its_folder(server):
    error = await refusal(database=f"{server.sockets}:1/soulspot", database_type="postgresql")
    assert error.message.endswith(f"there is no socket .s.PGSQL.1 in {server.sockets}")
    assert "unix_socket_directories" in error.resolution


async def test_tls_that_the_server_does_not_have_is_told_as_such(where, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "require")
    error = await refusal(**where)
    assert "rejected SSL" in error.message
    assert "PGSSLMODE" in error.resolution


async def test_a_mode_of_tls_that_does_not_exist_is_told_as_such(where, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "perhaps")
    error = await refusal(**where)
    assert "must be one of: disable" in error.message
    assert "PGSSLMODE" in error.resolution


async def test_a_root_certificate_that_is_not_there_is_told_as_such(where, monkeypatch, tmp_path):
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "root.crt"))
    error = await refusal(**where)
    assert "a certificate or key is not where PGSSLROOTCERT" in error.message


async def test_a_server_that_is_shutting_down_is_told_as_such(server, where):
    connection = await asyncio.to_thread(
        subprocess.Popen,
        [
            server.programs / "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(server.address.port),
            "-U",
            "postgres",
            "-c",
            "SELECT pg_sleep(60)",
        ],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        while "1" not in server.address.psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
            await asyncio.sleep(0.02)
        server.run("pg_ctl", "stop", "-m", "smart", "-W", "-D", server.data)
        await asyncio.sleep(0.3)
        error = await refusal(**where)
        assert "is starting up or shutting down" in error.message
        assert "again" in error.resolution
    finally:
        connection.kill()
        connection.wait()
        server.stop()
        server.start()


async def test_a_role_that_does_not_exist_is_named(where):
    error = await refusal(**{**where, "user": "nobody_of_that_name"})
    assert "refuses the user 'nobody_of_that_name': role \"nobody_of_that_name\" does not exist" in error.message
    assert "DATABASE_USER" in error.resolution
    assert "createuser" in error.resolution


async def test_without_database_user_it_is_the_user_of_the_system_who_is_refused(where, monkeypatch):
    monkeypatch.delenv("PGUSER", raising=False)
    error = await refusal(**{**where, "user": None})
    assert f"refuses the user {getpass.getuser()!r}" in error.message
    assert "DATABASE_USER is unset" in error.resolution


def test_a_process_whose_user_has_no_name_is_told_to_set_database_user(where):
    program = """if True:
        import asyncio, os, sys
        from soulspot_db import ConfigurationError, Database, DatabaseSettings
        db = Database(DatabaseSettings(database=sys.argv[1], _env_file=None))
        os.environ = {}  # getpass looks there first
        os.setuid(54321)
        async def main():
            try:
                await db.open()
            except ConfigurationError as error:
                print(error)
        asyncio.run(main())"""
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    run = subprocess.run(
        [sys.executable, "-c", program, where["database"]], check=False, capture_output=True, text=True
    )
    assert "Set DATABASE_USER" in run.stdout, run.stderr


async def test_a_role_without_its_password_is_told_that(server, where):
    access = server.data / "pg_hba.conf"
    before = access.read_text()
    server.address.psql("CREATE ROLE guarded LOGIN PASSWORD 'right one'")
    access.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\nhost all shut 127.0.0.1/32 reject\n{before}")
    server.address.psql("SELECT pg_reload_conf()")
    try:
        missing = await refusal(**{**where, "user": "guarded"})
        assert "DATABASE_PASSWORD is unset" in missing.resolution
        wrong = await refusal(**{**where, "user": "guarded", "password": "a guess"})
        assert 'password authentication failed for user "guarded"' in wrong.message
        assert "a guess" not in f"{wrong} {wrong.to_dict()}"
        shut = await refusal(**{**where, "user": "shut"})
        assert "pg_hba.conf" in shut.message
        assert "pg_hba.conf" in shut.resolution
    finally:
        access.write_text(before)
        server.address.psql("SELECT pg_reload_conf()")


async def test_a_database_that_takes_no_connections_is_told_as_such(server, where):
    server.address.psql("CREATE DATABASE closed ALLOW_CONNECTIONS false")
    error = await refusal(**{**where, "database": where["database"].replace("soulspot", "closed")})
    assert "not currently accepting connections" in error.message
    assert "migrate" not in error.resolution


async def test_a_role_that_may_not_connect_is_told_what_to_grant(server, where):
    server.address.psql("CREATE ROLE outsider LOGIN")
    server.address.psql("CREATE DATABASE inside")
    server.address.psql("REVOKE CONNECT ON DATABASE inside FROM PUBLIC")
    error = await refusal(**{**where, "database": where["database"].replace("soulspot", "inside"), "user": "outsider"})
    assert "permission denied for database" in error.message
    assert 'GRANT CONNECT ON DATABASE "inside" TO "outsider";' in error.resolution


# What is told by a database that can be reached.


@pytest.fixture
async def db(server, where):
    server.address.psql("DROP TABLE IF EXISTS jobs, counters", "soulspot")
    async with Database(support.settings(**where)) as db:
        await db.create_table("job")
        await db.create_table("counter")
        yield db


async def test_a_role_without_rights_is_told_statements_that_give_them(server, db, where):
    server.address.psql('CREATE ROLE "the reader" LOGIN')
    try:
        async with Database(support.settings(**{**where, "user": "the reader"})) as reader:
            with pytest.raises(QueryFailedError, match="'the reader' may not do that: permission denied") as raised:
                await reader.save("job", {"title": "a"})
            for step in raised.value.resolution.splitlines():
                grant = step[step.index("GRANT") :] if "GRANT" in step else ""
                if grant:
                    server.address.psql(grant, "soulspot")
            await reader.save("job", {"title": "a"})
            await reader.save("job", {"id": 77, "title": "b"})
            assert await reader.count("job") == 2
    finally:
        server.address.psql('DROP OWNED BY "the reader"', "soulspot")
        server.address.psql('DROP ROLE "the reader"')


async def test_the_rights_that_the_documentation_gives_are_enough_also_for_tables_that_are_made_later(
    server, db, where
):
    page = Path(__file__).parents[2].joinpath("docs", "configuration.md").read_text("utf-8")
    statements = page.partition("```sql\n")[2].partition("```")[0]
    server.address.psql("CREATE ROLE app LOGIN")
    try:
        server.address.psql(statements, "soulspot")
        await db.create_table("playlist")
        async with Database(support.settings(**{**where, "user": "app"})) as app:
            await app.save("playlist", {"name": "a"})
            await app.save("job", {"title": "a"})
            await app.save("job", {"id": 77, "title": "b"})
            await app.delete("job", "77")
    finally:
        server.address.psql("DROP OWNED BY app", "soulspot")
        server.address.psql("DROP ROLE app")


async def test_keys_that_are_used_up_are_told_with_the_way_back(server, db):
    await db.save("job", {"id": 2**63 - 1, "title": "last"})
    await db.delete("job", str(2**63 - 1))
    with pytest.raises(DatabaseError, match="the keys of jobs are used up") as raised:
        await db.save("job", {"title": "next"})
    assert isinstance(raised.value, ValidationFailedError)
    assert "jobs_id_seq" in raised.value.resolution
    statement = raised.value.resolution.partition("SELECT setval")[2].splitlines()[0]
    server.address.psql("SELECT setval" + statement.replace("...", "5"), "soulspot")
    assert await db.save("job", {"title": "next"}) == "6"


async def test_a_row_that_others_keep_locked_is_told_with_the_seconds_that_it_was_waited_for(db, where):
    await db.save("counter", {"name": "a"})
    async with Database(support.settings(**where, pool_timeout=0.2)) as hasty, db.transaction() as tx:
        await tx.update("counter", "a", {"value": 1})
        update = asyncio.create_task(hasty.update("counter", "a", {"value": 2}))
        with pytest.raises(LockedError, match=r"locked for longer than 0\.2 s") as raised:
            await support.within(5, update)
    assert raised.value.context["timeout"] == 0.2
    assert "pg_blocking_pids" in raised.value.resolution


async def test_a_closed_database_names_its_address(where):
    db = Database(support.settings(**where))
    with pytest.raises(ConnectionFailedError, match="not open") as raised:
        await db.get("counter", "a")
    assert raised.value.context["database_path"] == where["database"]
