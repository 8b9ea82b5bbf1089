"""The tests of the second tier, tested: each mistake, planted in the runtime itself, is found by them."""

import secrets

import pytest
import redis_servers
import two_programs
from proxy import Proxy

# A SQLite file tells by itself that others have written, whatever mistakes the second tier makes.
DATABASES = ("postgresql",)


@pytest.fixture
def server():
    with redis_servers.redis_server() as server:
        yield server


@pytest.fixture
def play(open_database, server):
    async def played(name):
        async with Proxy(server.port) as way:
            where = {"redis": way.address, "redis_prefix": f"test.{secrets.token_hex(6)}", "single_instance": False}
            opened = []

            async def open_program(**changes):
                opened.append(await open_database(**{**where, **changes}))
                return opened[-1]

            pair = two_programs.Pair(open_program, server, way)
            await pair.open()
            try:
                await two_programs.SCENES[name](pair)
            finally:
                for db in opened:
                    await db.close()

    return played


@pytest.mark.parametrize("name", two_programs.SCENES)
async def test(play, name):
    await play(name)


@pytest.mark.parametrize("name", two_programs.MISTAKES)
async def test_a_planted_mistake_is_found(play, name):
    mistake, scene = two_programs.MISTAKES[name]
    with mistake(), pytest.raises((AssertionError, TimeoutError)):
        await play(scene)
