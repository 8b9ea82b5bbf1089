import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from servers import PROGRAMS, Address, PostgresServer, listening_postgres, postgres_server, throwaway_database

LEFT_BEHIND = """
import sys, time
sys.path.insert(0, {tests!r})
from servers import postgres_server
with postgres_server(fsync="off") as server:
    print(server.folder, server._process.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def server():
    with postgres_server(fsync="off") as started:
        yield started


def test_a_server_answers_over_tcp_and_over_its_socket_folder(server: PostgresServer):
    assert server.address.psql("SELECT 1 + 1") == "2"
    assert server.socket_address.psql("SELECT inet_client_addr() IS NULL") == "t"
    assert server.data.joinpath("PG_VERSION").read_text() == "18\n"


def test_settings_are_postgresqls_own_unless_asked_otherwise(server: PostgresServer):
    assert server.address.psql("SHOW fsync") == "off"
    assert server.address.psql("SHOW synchronous_commit") == "on"


def test_a_server_keeps_port_and_data_when_it_restarts_or_is_killed(server: PostgresServer):
    server.address.psql("CREATE TABLE kept (n int)")
    server.address.psql("INSERT INTO kept VALUES (1)")
    server.restart()
    server.address.psql("INSERT INTO kept VALUES (2)")
    server.kill()
    with pytest.raises(subprocess.CalledProcessError):
        server.address.psql("SELECT 1")
    server.start()
    assert server.address.psql("SELECT sum(n) FROM kept") == "3"


def test_a_server_that_was_stopped_or_killed_may_be_stopped_again(server: PostgresServer):
    server.stop()
    server.stop()
    server.kill()
    server.start()
    assert server.address.psql("SELECT 1") == "1"


def test_a_setting_that_postgresql_refuses_is_told_with_its_log():
    with pytest.raises(RuntimeError, match="no_such_setting"), postgres_server(no_such_setting=1):
        pass


def test_a_server_is_gone_with_its_folder_when_the_block_ends():
    with postgres_server(fsync="off") as server:
        pass
    assert not server.folder.exists()
    with pytest.raises(subprocess.CalledProcessError):
        server.address.psql("SELECT 1")


def test_a_server_is_gone_when_the_process_that_started_it_was_killed():
    program = LEFT_BEHIND.format(tests=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as starter:
        folder, pid = starter.stdout.readline().split()
        starter.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while Path(folder).exists() or psutil.pid_exists(int(pid)):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_standby_follows_its_primary_and_takes_over():
    primary_settings = {"fsync": "off", "synchronous_standby_names": "standby"}
    with postgres_server(**primary_settings) as primary:
        primary.address.psql("SET synchronous_commit = local; CREATE TABLE kept (n int)")
        with postgres_server(standby_of=primary, fsync="off", synchronous_standby_names="") as standby:
            assert standby.address.psql("SELECT pg_is_in_recovery()") == "t"
            primary.address.psql("INSERT INTO kept VALUES (7)")
            primary.kill()
            standby.promote()
            assert standby.address.psql("INSERT INTO kept VALUES (8) RETURNING n").startswith("8")
            assert standby.address.psql("SELECT string_agg(n::text, ',') FROM kept") == "7,8"


def test_a_throwaway_database_is_empty_and_gone_afterwards(server: PostgresServer):
    with throwaway_database(server.address) as name:
        assert server.address.psql("SELECT count(*) FROM pg_class WHERE relname = 'kept'", name) == "0"
        command = [
            PROGRAMS / "psql",
            "-h",
            server.sockets,
            "-p",
            str(server.address.port),
            "-U",
            "postgres",
            "-d",
            name,
        ]
        open_connection = subprocess.Popen(command, stdin=subprocess.PIPE)
        while server.address.psql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'") == "0":
            time.sleep(0.05)
    names = server.address.psql("SELECT datname FROM pg_database").splitlines()
    open_connection.communicate()
    assert name not in names


def test_a_listening_server_is_found_where_the_environment_says(server: PostgresServer, monkeypatch):
    monkeypatch.setenv("TEST_POSTGRESQL", f"127.0.0.1:{server.address.port}")
    assert listening_postgres() == server.address
    monkeypatch.setenv("TEST_POSTGRESQL", "127.0.0.1:1")
    assert listening_postgres() is None


@pytest.mark.skipif(listening_postgres() is None, reason="no PostgreSQL listens here")
def test_the_machines_own_server_takes_throwaway_databases():
    own = listening_postgres()
    assert isinstance(own, Address)
    with throwaway_database(own) as name:
        assert own.psql("SELECT current_database()", name) == name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root closes a folder to the owner of its servers")
def test_programs_that_the_owner_cannot_reach_are_copied(tmp_path: Path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    closed.joinpath("programs").symlink_to(PROGRAMS)
    monkeypatch.setattr("servers.PROGRAMS", closed / "programs")
    with postgres_server(fsync="off") as server:
        assert server.programs.is_relative_to(server.folder)
        assert server.address.psql("SELECT 1") == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its servers to another user")
def test_root_gives_a_server_to_nobody(server: PostgresServer):
    assert psutil.Process(server._process.pid).username() == "nobody"
