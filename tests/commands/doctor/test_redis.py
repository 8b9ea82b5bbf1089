"""`soulspot-db doctor` where several instances share a Redis."""

import asyncio
import json
import secrets

import pytest
import redis_servers
from proxy import Proxy


@pytest.fixture
def doctor(cli, tmp_path, monkeypatch):
    """What it says of the Redis at an address: the level, and all its text, of each finding."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE", str(tmp_path / "soulspot.db"))

    def call(address):
        monkeypatch.setenv("CACHE", address)
        found = json.loads(cli("doctor", "--json").out)
        return [
            (finding["level"], f"{finding['message']}\n{finding['resolution']}")
            for finding in found
            if finding["check"] == "redis"
        ]

    return call


@pytest.fixture(scope="module")
def server():
    with redis_servers.redis_server(maxmemory="50mb", maxmemory_policy="allkeys-lru") as server:
        yield server


def test_one_that_can_be_used_is_said_with_how_far_it_is(doctor, server):
    ((level, said),) = doctor(server.address)
    assert level == "ok"
    assert said.startswith(f"{server.address}, ")


def test_one_that_is_stopped_must_be_started(doctor):
    with redis_servers.redis_server() as server:
        server.stop()
        ((level, said),) = doctor(server.address)
    assert (level, "cannot be reached" in said) == ("must", True)


def test_one_that_does_not_answer_is_not_waited_for_without_end(doctor, monkeypatch):
    with redis_servers.redis_server() as server, server.frozen():
        ((level, said),) = doctor(server.address)
    assert (level, "no answer in time" in said) == ("must", True)


def test_a_wrong_password_is_told_and_not_shown(doctor, monkeypatch):
    right, wrong = secrets.token_hex(8), secrets.token_hex(8)
    with redis_servers.redis_server(requirepass=right, maxmemory="50mb", maxmemory_policy="allkeys-lru") as server:
        monkeypatch.setenv("CACHE_PASSWORD", wrong)
        ((level, said),) = doctor(server.address)
        assert (level, "CACHE_PASSWORD" in said, wrong in said) == ("must", True, False)
        monkeypatch.setenv("CACHE_PASSWORD", right)
        ((level, _),) = doctor(server.address)
        assert level == "ok"


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, "has no maxmemory"), ({"maxmemory": "50mb", "maxmemory_policy": "noeviction"}, "keeps nothing new")],
)
def test_one_that_has_no_room_one_day_is_a_note(doctor, settings, said):
    with redis_servers.redis_server(**settings) as server:
        ((level, text),) = doctor(server.address)
    assert (level, said in text, "allkeys-lru" in text) == ("note", True, True)


async def test_one_that_is_far_away_is_a_note(doctor, server):
    async with Proxy(server.port) as proxy:
        proxy.delay = 0.03
        ((level, said),) = await asyncio.to_thread(doctor, proxy.address)
    assert (level, "ms to answer" in said) == ("note", True)


def test_what_is_no_redis_is_told(doctor, tmp_path):
    async def run():
        async def answer(_reader, writer):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]
            return await asyncio.to_thread(doctor, f"127.0.0.1:{port}/0")

    ((level, said),) = asyncio.run(run())
    assert (level, "cannot be reached" in said) == ("must", True)
