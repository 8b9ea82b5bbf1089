"""A browser for tests: the Chromium that is installed on this machine, and a server with an open database in a thread."""

import asyncio
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from playwright.sync_api import Browser, sync_playwright

__all__ = ["Served", "browser", "chromium", "served"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# It talks to nobody but the test.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The program that TEST_CHROMIUM names, or else that of the system; None without one."""
    return os.environ.get("TEST_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """A running browser without a window."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        try:
            yield found
        finally:
            found.close()


class Served:
    """A server in a thread, with a loop of its own in which everything of the application is done."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._loop = loop
        self.url = f"http://127.0.0.1:{port}"

    def do(self, what: Awaitable[Any]) -> Any:
        """Await something there."""

        async def awaited() -> Any:
            return await what

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(60)


@contextmanager
def served(make: Callable[[], Awaitable[Any]], close: Callable[[], Awaitable[None]]) -> Iterator[Served]:
    """Serve the application that `make` returns, until the block ends."""
    ready, found = threading.Event(), []

    async def run() -> None:
        server = uvicorn.Server(uvicorn.Config(await make(), port=0, log_level="error", lifespan="off", ws="none"))
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        found.extend((server, asyncio.get_running_loop(), server.servers[0].sockets[0].getsockname()[1]))
        ready.set()
        try:
            await task
        finally:
            await close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        if not ready.wait(30):
            raise RuntimeError("the server did not start")
        _, loop, port = found
        yield Served(loop, port)
    finally:
        if found:
            found[0].should_exit = True
        thread.join(30)
