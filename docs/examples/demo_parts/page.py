"""The statistics page of a database, served while a program does something else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from soulspot_db import Database
from soulspot_db.web import database_app
from starlette.applications import Starlette
from starlette.routing import Mount

__all__ = ["served"]

_PATH = "/api/database"


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave Ctrl-C to the program."""
        yield


@asynccontextmanager
async def served(db: Database) -> AsyncIterator[str]:
    """The address of the page, on this machine alone, which is there until the block ends."""
    # Nobody else reaches it, so everybody who does may look.
    app = Starlette(routes=[Mount(_PATH, database_app(db, auth=None, public=True))])
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none"))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}{_PATH}/"
    finally:
        server.should_exit = True
        await serving
