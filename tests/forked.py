"""Commands in processes of their own that need no start of Python: one that has imported everything forks for each.

Such a command has its own streams, environment, folder and exit, as any other. That it can be started without all
that is loaded here is another test's business.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from socket import send_fds
from tempfile import TemporaryFile

__all__ = ["Forking", "await_command", "forking"]

PATIENCE = 60  # seconds, for one command
LARGEST = 1 << 20  # bytes of what is asked for: the environment is most of it

# All that commands import, at the start or when they get to it; not generated packages, which register entities.
LOADED = """
import gc, importlib, pkgutil, sys
import asyncpg, concurrent.futures.thread, getpass, stringprep
import soulspot_db.cli, soulspot_db_codegen.commands
import soulspot_db.engine.sqlite.console, soulspot_db.engine.sqlite.replace
import soulspot_db.migrations.environment, soulspot_db.migrations.steps
for package in (soulspot_db.cli, soulspot_db_codegen.commands):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
from soulspot_db.cli import main
gc.freeze()
"""
# The folder of tests is no part of the path that a command sees. `main` ends the process as it ends a real one.
SERVE = f"""
{LOADED}
sys.path.insert(0, {str(Path(__file__).parent)!r})
from forked import await_command
del sys.path[0]
await_command(int(sys.argv.pop()))
main(prog_name="soulspot-db")
"""


class Forking:
    """The process that forks, at the other end of a connection; `environment` is what it was started in."""

    def __init__(self, connection: socket.socket) -> None:
        self.environment = dict(os.environ)
        self._connection = connection
        self._one = threading.Lock()

    def run(
        self, arguments: Sequence[str], *, cwd: str | os.PathLike[str], env: Mapping[str, str], given: str
    ) -> subprocess.CompletedProcess[str]:
        """`soulspot-db ARGUMENTS` with this on its standard input."""
        request = json.dumps([list(arguments), str(Path(cwd).absolute()), dict(env)]).encode()
        with self._one, TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
            stdin.write(given.encode())
            stdin.seek(0)
            send_fds(self._connection, [request], [stream.fileno() for stream in (stdin, stdout, stderr)])
            code = int(self._connection.recv(100))
            stdout.seek(0)
            stderr.seek(0)
            out, err = stdout.read().decode(), stderr.read().decode()
        return subprocess.CompletedProcess(list(arguments), code, out, err)


@contextmanager
def forking() -> Iterator[Forking]:
    """One, until the block ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with closing(ours):
        ours.settimeout(PATIENCE)
        with closing(theirs):
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        with process:
            try:
                yield Forking(ours)
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # a command that went on too long as well


def await_command(handle: int) -> None:
    """Return in a new process whenever a command is asked for, there with all that it was asked with in place."""
    connection = socket.socket(fileno=handle)
    while True:
        request, streams, _, _ = socket.recv_fds(connection, LARGEST, 3)
        if not request:
            os._exit(0)  # whoever asked is gone
        child = os.fork()
        if child == 0:
            break
        for stream in streams:
            os.close(stream)
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    arguments, folder, environment = json.loads(request)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
