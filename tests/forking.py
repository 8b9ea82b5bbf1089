"""Python programs in processes of their own that begin at once: a process that has imported much is forked for each.

A start of Python with the package takes most of a second. Where a test is about several processes, or about one that is
killed, but not about how one starts, a fork is as good. Run as a program, this file is the process that is forked.
"""

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ["Forking", "Program", "forking"]

_LARGEST = 1 << 17  # bytes of one request: code, arguments and environment


class Program:
    """One that was started: what tests use of `subprocess.Popen`, with text in the pipes."""

    def __init__(self, stdin: int, pipes: Sequence[int], status: int) -> None:
        self.stdin = os.fdopen(stdin, "w", encoding="utf-8")
        self.stdout, *more = [os.fdopen(pipe, encoding="utf-8") for pipe in pipes]
        self.stderr = more[0] if more else None
        self._status = os.fdopen(status)
        self.pid = int(self._status.readline())
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        with self._status:
            self.returncode = int(self._status.readline())
        self._ended.set()

    def send_signal(self, number: int) -> None:
        """Send it, unless the program has ended."""
        if not self._ended.is_set():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """`kill -9`."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """What the program ended with; raises TimeoutError where it does not end in time."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"the program {self.pid} still runs after {timeout} s")
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """The rest of what it says on stdout and on stderr, until it has ended; it is told nothing more."""
        self.stdin.close()
        said = ["", ""]

        def read(number: int, pipe: Any) -> None:
            with pipe:
                said[number] = pipe.read()

        pipes = [pipe for pipe in (self.stdout, self.stderr) if pipe is not None and not pipe.closed]
        readers = [threading.Thread(target=read, args=found, daemon=True) for found in enumerate(pipes)]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return said[0], said[1]


class Forking:
    """The process that is forked, as those who start programs see it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def start(
        self,
        code: str,
        *arguments: object,
        merged: bool = False,
        cwd: Path | None = None,
        env: Mapping[str, str] = os.environ,
        **more: str,
    ) -> Program:
        """Start a program.

        Args:
            code: as in `python -c`.
            arguments: its `sys.argv` from the second on.
            merged: what goes to stderr goes to stdout.
            cwd: its working directory.
            env: its environment, by default that of this process.
            more: variables of its environment, besides those.
        """
        request = [code, [*map(str, arguments)], str(cwd or Path.cwd()), {**env, **more}]
        stdin, told = os.pipe()
        ours, theirs = zip(*(os.pipe() for _ in range(2 if merged else 3)), strict=True)
        try:
            # Where both go to one place there is one pipe for the two.
            pipes = [stdin, theirs[0], theirs[-2], theirs[-1]]
            socket.send_fds(self._channel, [json.dumps(request).encode()], pipes)
        finally:
            for pipe in (stdin, *theirs):
                os.close(pipe)
        return Program(told, ours[:-1], ours[-1])

    def run(self, code: str, *arguments: object, given: str = "", timeout: float = 60, **options: Any) -> Program:
        """Start a program that reads `given` and wait for its end; what it said is in `out` and `err` of what is returned."""
        program = self.start(code, *arguments, **options)
        try:
            with suppress(BrokenPipeError), program.stdin as stdin:
                stdin.write(given)
            program.out, program.err = program.communicate(timeout)
        except TimeoutError:
            program.kill()
            raise
        return program


@contextmanager
def forking(*modules: str) -> Iterator[Forking]:
    """A process that has imported these, to be forked; gone when the block ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno()), *modules]
    with (
        ours,
        subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as process,
    ):
        theirs.close()
        try:
            yield Forking(ours)
        finally:
            ours.close()  # which it notices
            process.wait(60)


def _asked_for(channel: socket.socket) -> str:
    """Fork whenever it is asked for: the code to run, in the process that is to run it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to wait for those that watch
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, pipes, _flags, _address = socket.recv_fds(channel, _LARGEST, 4)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            break
        for pipe in pipes:
            os.close(pipe)
    channel.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, status = pipes
    if program := os.fork():
        for pipe in standard:
            os.close(pipe)
        os.write(status, f"{program}\n".encode())
        _, ended = os.waitpid(program, 0)
        os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, pipe in enumerate(standard):
        os.dup2(pipe, number)
    for pipe in pipes:
        os.close(pipe)
    code, arguments, folder, environment = json.loads(message)
    sys.argv[:] = ["-c", *arguments]
    sys.path[0] = ""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return code


if __name__ == "__main__":
    _channel = socket.socket(fileno=int(sys.argv[1]))
    for _name in sys.argv[2:]:
        importlib.import_module(_name)
    gc.freeze()  # what is shared with those that are forked stays shared
    exec(compile(_asked_for(_channel), "<string>", "exec"), {"__name__": "__main__"})
