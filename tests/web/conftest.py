"""An open database, the application over it in several frameworks, and clients without a network."""

from contextlib import asynccontextmanager

import httpx
import pytest
import support
from fastapi import FastAPI
from soulspot_db import Database, EntityRegistry
from soulspot_db.web import database_app
from starlette.applications import Starlette
from starlette.routing import Mount

PREFIX = "/api/database"


def in_fastapi(app):
    host = FastAPI()
    host.mount(PREFIX, app)
    return host


def in_starlette(app):
    return Starlette(routes=[Mount(PREFIX, app=app)])


HOSTS = [in_fastapi, in_starlette]


@pytest.fixture(autouse=True)
def registry():
    with EntityRegistry.isolated() as isolated:
        support.register_all()
        yield isolated


@pytest.fixture
async def open_database(tmp_path):
    """Opens databases with the settings that a test needs, on one file where they do not say another."""
    opened = []

    async def open_with(**changes):
        where = {} if "database" in changes else {"database_path": tmp_path / "soulspot.db"}
        db = await Database(support.settings(**{**where, **changes})).open()
        opened.append(db)
        await support.create_tables(db)
        return db

    yield open_with
    for db in opened:
        await support.within(10, db.close())


@pytest.fixture
async def db(open_database):
    return await open_database()


@pytest.fixture
def ask():
    """Asks an application: `await ask(app, "/stats")`."""

    async def answered(app, path, method="GET", **more):
        async with client_of(app) as client:
            return await client.request(method, path, **more)

    return answered


@asynccontextmanager
async def client_of(app):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://soulspot.test") as client:
        yield client


@pytest.fixture(params=HOSTS, ids=lambda host: host.__name__)
def mounted(request, db):
    """The application, open to all, mounted in a framework."""
    return request.param(database_app(db, auth=None, public=True))
