"""A TCP proxy between a program and a server, which can cut connections, keep answers back, and answer nobody."""

import asyncio
from contextlib import suppress
from typing import Self

__all__ = ["Proxy"]


class Proxy:
    """`async with Proxy(port) as proxy`: what connects to `proxy.port` talks to `port`.

    `delay` is how many seconds what the server says is kept back. While `is_deaf`, nothing goes either way.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.delay = 0.0
        self.connections = 0
        self._hears = asyncio.Event()
        self._hears.set()
        self._refuses = False
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """As CACHE takes it."""
        return f"127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        self.listen()
        self.cut()
        await asyncio.sleep(0.05)

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._open):
            writer.transport.abort()

    def refuse(self) -> None:
        """Reset every connection, and those that are made until `accept`."""
        self._refuses = True
        self.cut()

    def accept(self) -> None:
        """Let connections be made again."""
        self._refuses = False

    def hush(self) -> None:
        """Pass nothing on until `listen`, as a network does that loses everything."""
        self._hears.clear()

    def listen(self) -> None:
        """Pass on what came meanwhile, and what comes."""
        self._hears.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, there_writer}
        try:
            await asyncio.gather(self._pass(reader, there_writer, 0), self._pass(there_reader, writer, 1))
        finally:
            self._open -= {writer, there_writer}
            for each in (writer, there_writer):
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delayed: int) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await asyncio.sleep(self.delay * delayed)
                await self._hears.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
