"""Opening a database whose cache is in Redis: what is refused, and what is waited for."""

import asyncio
import logging
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager

import homes
import pytest
import redis_servers
from servers import postgres_server
from soulspot_db import ConfigurationError, Database, DatabaseSettings, QueryFailedError
from support import settings, until, within

DATABASES = homes.BOTH


async def opened(open_database, address, **changes):
    return await open_database(redis=address, single_instance=False, **changes)


@pytest.mark.sqlite_only
async def test_a_password_is_needed_where_the_server_has_one(open_database):
    with redis_servers.redis_server(requirepass="geheim") as server:
        for password in (None, "wrong-geheim"):
            with pytest.raises(ConfigurationError, match="refuses the password") as caught:
                await opened(open_database, server.address, redis_password=password)
            assert "geheim" not in f"{caught.value} {caught.value.to_dict()}"
        db = await opened(open_database, server.address, redis_password="geheim")
        await db.save("counter", {"name": "a"})
        await db.get("counter", "a")
        assert (await db.stats())["cache"]["redis"]["size"] > 0


@pytest.mark.sqlite_only
async def test_a_password_is_refused_where_the_server_has_none(open_database):
    with redis_servers.redis_server() as server, pytest.raises(ConfigurationError, match="CACHE"):
        await opened(open_database, server.address, redis_password="geheim")


@pytest.mark.sqlite_only
async def test_a_cluster_is_refused(open_database):
    with (
        redis_servers.redis_server(cluster_enabled="yes") as server,
        pytest.raises(ConfigurationError, match="Cluster"),
    ):
        await opened(open_database, server.address)


@pytest.mark.sqlite_only
async def test_a_database_of_redis_that_is_not_there_is_refused(open_database):
    with redis_servers.redis_server(databases=2) as server, pytest.raises(ConfigurationError, match="127"):
        await opened(open_database, server.address.removesuffix("0") + "7")


@pytest.mark.parametrize("missing", ["redis", "msgpack"])
def test_where_its_libraries_are_missing_it_says_what_to_install(missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from soulspot_db import Database, DatabaseSettings\n"
        "Database(DatabaseSettings(database_path='x.db', redis='localhost:6379/0', _env_file=None))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'soulspot-db[redis]'" in run.stderr
    assert "ConfigurationError" in run.stderr


@asynccontextmanager
async def listening(serve):
    """The address of a server that does this for each connection: there is no old Redis, and no strange one, to start."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()


def saying(info):
    """A server that says this of itself, and OK to everything else."""

    async def serve(reader, writer):
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                await reader.readline()
                words.append((await reader.readline()).strip().upper())
            writer.write(f"${len(info)}\r\n{info}\r\n".encode() if words[0] == b"INFO" else b"+OK\r\n")
        writer.close()

    return listening(serve)


def answering(answer):
    """A server that has one answer to every line."""

    async def serve(reader, writer):
        while await reader.readline():
            writer.write(answer)
        writer.close()

    return listening(serve)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("answer", [b":soon\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*x\r\n", b"$-7\r\n\xff"])
async def test_a_server_that_is_no_redis_is_as_good_as_none(open_database, answer, caplog):
    async with answering(answer) as address:
        with caplog.at_level(logging.WARNING, "soulspot_db.cache"):
            db = await within(5, opened(open_database, address))
            await within(5, db.save("counter", {"name": "a"}))
            assert (await within(5, db.get("counter", "a")))["value"] == 0
        assert any("cannot be reached" in record.message for record in caplog.records)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("version", ["2.8.24", "6.0.16", "5"])
async def test_an_old_version_is_refused(open_database, version):
    async with saying(f"redis_version:{version}\r\nredis_mode:standalone\r\nrun_id:abc\r\n") as address:
        with pytest.raises(ConfigurationError, match=f"Redis {version} .* too old"):
            await opened(open_database, address)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("version", ["6.2.0", "7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1", "10.0.0"])
async def test_other_versions_are_taken_and_valkey_is_too(open_database, version):
    async with saying(f"redis_version:{version}\r\nredis_mode:standalone\r\nrun_id:abc\r\n") as address:
        assert (await opened(open_database, address)).session.cache.tier.is_up


async def test_a_server_that_cannot_be_reached_keeps_nobody_from_opening_and_is_used_once_it_is_there(
    open_database, caplog
):
    with redis_servers.redis_server() as server:
        server.stop()
        with caplog.at_level(logging.WARNING, "soulspot_db.cache"):
            db = await within(5, opened(open_database, server.address))
        assert [record.levelname for record in caplog.records if "cannot be reached" in record.message] == ["WARNING"]
        await db.save("counter", {"name": "a"})
        assert (await db.get("counter", "a"))["value"] == 0
        assert (await db.stats())["cache"]["redis"] == {"hit_rate": 0.0, "size": None}
        server.start()
        await until(lambda: db.session.cache.tier.is_up)
        await db.get("counter", "a")
        assert (await db.stats())["cache"]["redis"]["size"] > 0


@pytest.fixture
def certificate(tmp_path):
    """A certificate for this machine that nobody vouches for, with its key beside it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
        "-days",
        "2",
    ]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, *name], check=True, capture_output=True)
    return certificate


@pytest.mark.parametrize("told", ["by redis", "by nobody", "that nobody writes"])
async def test_the_log_says_where_nothing_is_kept_in_memory(open_database, database_kind, caplog, told):
    caplog.set_level(logging.INFO, "soulspot_db.cache")
    with redis_servers.redis_server() as server:
        redis = server.address if told == "by redis" else None
        db = await open_database(redis=redis, single_instance=told == "that nobody writes")
        lines = [record.message for record in caplog.records if "nothing is kept in memory" in record.message]
        assert len(lines) == (told == "by nobody" and database_kind != "sqlite")
        await db.get("counter", "a")
        await db.get("counter", "a")
        assert (await db.stats())["cache"]["memory"]["size"] == (0 if lines else 1)


@pytest.mark.sqlite_only
def test_a_server_says_who_it_is_alike_to_all_or_nobody_gets_a_cache():
    """Programs that call the same database by two names would not tell each other of what they write."""

    async def identity(address, user):
        settings_ = DatabaseSettings(database=f"{address.host}:{address.port}/postgres", user=user)
        async with Database(settings_) as db:
            return await db.session.engine.identity()

    with postgres_server() as server:
        told = asyncio.run(identity(server.address, "postgres"))
        server.address.psql("CREATE ROLE somebody LOGIN")
        assert asyncio.run(identity(server.address, "somebody")) == told
        server.address.psql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        with pytest.raises(QueryFailedError, match="pg_control_system"):
            asyncio.run(identity(server.address, "somebody"))
        server.address.psql("ALTER FUNCTION pg_control_system() RENAME TO gone")  # as where there is none
        assert asyncio.run(identity(server.address, "somebody")) == "postgres of a server without a number"
    name, _, number = told.partition(" of ")
    assert name == "postgres"
    assert number.isdecimal()


@pytest.mark.sqlite_only
async def test_an_encrypted_connection_is_made_where_it_is_asked_for(open_database, certificate, monkeypatch):
    with redis_servers.redis_server() as server:

        async def serve(reader, writer):
            there, back = await asyncio.open_connection("127.0.0.1", server.port)
            await asyncio.gather(_copy(reader, back), _copy(there, writer))

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        in_front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        address = f"127.0.0.1:{in_front.sockets[0].getsockname()[1]}/0"
        try:
            db = await opened(open_database, address, redis_tls=True)
            assert not db.session.cache.tier.is_up  # nobody vouches for the certificate
            await db.close()
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            db = await opened(open_database, address, redis_tls=True)
            await db.get("counter", "a")
            assert (await db.stats())["cache"]["redis"]["size"] > 0
            await db.close()
        finally:
            in_front.close()
            await asyncio.sleep(0.05)


async def _copy(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_ended_without_closing_leaves_nothing_that_the_next_one_trips_over(tmp_path):
    with redis_servers.redis_server() as server:
        db = Database(settings(tmp_path / "x.db", redis=server.address, cache_recheck=0))

        async def use(number):
            await within(10, db.open())
            if number == 0:
                await db.create_table("counter")
                await db.save("counter", {"name": "a"})
            await db.update("counter", "a", {"value": number})
            assert (await within(5, db.get("counter", "a")))["value"] == number
            assert db.session.cache.tier.is_up
            asyncio.get_running_loop().create_task(db.get("counter", "a"))  # and is not waited for

        for number in range(3):
            asyncio.run(use(number))
        asyncio.run(db.close())


@pytest.mark.sqlite_only
async def test_a_replica_is_refused_because_nothing_can_be_written_to_it(open_database):
    with redis_servers.redis_server() as primary, redis_servers.redis_server() as replica:
        replica.ask("REPLICAOF", "127.0.0.1", str(primary.port))
        with pytest.raises(ConfigurationError, match="is a replica"):
            await opened(open_database, replica.address)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("command", ["info", "select", "set", "mget", "unlink", "dbsize"])
async def test_a_user_who_may_not_connect_as_is_needed_is_refused_with_the_commands(open_database, command):
    with redis_servers.redis_server() as server:
        server.ask("ACL", "SETUSER", "default", f"-{command}")
        with pytest.raises(ConfigurationError, match="Permit INFO, SELECT, MGET") as caught:
            await opened(open_database, server.address.removesuffix("0") + "1")
        assert command in str(caught.value)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("command", ["unlink", "mget", "set"])
async def test_a_user_who_may_not_do_what_is_needed_costs_no_call_and_is_told_as_it_is(open_database, command, caplog):
    with redis_servers.redis_server() as server:
        db = await opened(open_database, server.address)
        server.ask("ACL", "SETUSER", "default", f"-{command}")
        with caplog.at_level(logging.WARNING, "soulspot_db.cache"):
            for number in range(3):
                await within(5, db.save("counter", {"name": f"n{number}"}))
                assert (await within(5, db.get("counter", f"n{number}")))["value"] == 0
            await until(lambda: "refuses a command" in caplog.text)
        assert "cannot be used" in caplog.text
        assert command in caplog.text
        server.ask("ACL", "SETUSER", "default", f"+{command}")
        await until(lambda: db.session.cache.tier.is_up)


@pytest.mark.sqlite_only
async def test_one_that_comes_back_and_refuses_the_password_is_told_of_once(open_database, caplog):
    with redis_servers.redis_server() as server:
        server.stop()
        with caplog.at_level(logging.WARNING, "soulspot_db.cache"):
            db = await within(5, opened(open_database, server.address))
            assert "cannot be reached" in caplog.text
            server.start()
            server.ask("CONFIG", "SET", "requirepass", "geheim")
            await until(lambda: "refuses the password" in caplog.text)
            await asyncio.sleep(1.2)  # more than one more try
        told = [record.message for record in caplog.records if "refuses the password" in record.message]
        assert len(told) == 1
        assert "geheim" not in caplog.text
        assert await db.count("counter") == 0
