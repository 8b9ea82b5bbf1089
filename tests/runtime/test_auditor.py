"""Three programs on one PostgreSQL and one Redis: every read is checked against all acknowledged writes."""

import asyncio
import json
import secrets
import sys
from pathlib import Path

import audited
import pytest
import redis_servers
from soulspot_db import Database, DatabaseSettings

DATABASES = ("postgresql",)
PROGRAM = Path(audited.__file__)


async def run(where, redis_address, folder, reads, recheck):
    settings = {
        **where,
        "single_instance": False,
        "redis": redis_address,
        "redis_prefix": f"test.{secrets.token_hex(6)}",
    }
    async with Database(DatabaseSettings(**where)) as db:
        await audited.prepare(db)
    logs = [folder / f"{number}.log" for number in range(3)]
    programs = []
    for number, log in enumerate(logs):
        how = {"settings": {**settings, "cache_recheck": recheck}, "log": str(log), "seed": number, "reads": reads}
        programs.append(await asyncio.create_subprocess_exec(sys.executable, PROGRAM, json.dumps(how)))
    assert [await program.wait() for program in programs] == [0, 0, 0]
    return audited.audit(logs, recheck)


def assert_sound(found, reads):
    assert found.stale == []
    assert sum(found.reads.values()) == 3 * reads
    assert set(found.reads) == set(audited.KINDS)
    assert found.writes > 50
    assert found.untold < found.writes / 10
    assert len(found.delays) > 20


@pytest.mark.parametrize("recheck", [0, 0.1])
async def test_no_read_is_older_than_it_may_be(empty_database, redis_address, tmp_path, recheck):
    with empty_database.copy(tmp_path) as where:
        found = await run(where, redis_address, tmp_path, 2_500, recheck)
    assert_sound(found, 2_500)


@pytest.mark.slow
@pytest.mark.parametrize("recheck", [0, 0.1])
async def test_of_a_million_reads_none_is_older_than_it_may_be(empty_database, tmp_path, recheck, record_property):
    with empty_database.copy(tmp_path) as where, redis_servers.redis_server() as server:
        found = await run(where, server.address, tmp_path, 340_000, recheck)
    assert_sound(found, 340_000)
    record_property("writes", found.writes)
    record_property("of which Redis was not told in time", found.untold)
    for share in (0.5, 0.99):
        record_property(f"seen by others, {share:.0%}", found.delay(share))


def test_the_auditor_finds_what_is_older_than_it_may_be(tmp_path):
    """Own writes at once, those of others when they have aged, with `fresh` at once."""
    one, other = tmp_path / "one", tmp_path / "other"
    write = audited.RECORD.pack(audited.WRITE, 3, 1, 1.0, 2.0)
    kinds = {name: number for number, name in enumerate(audited.KINDS)}

    def read(kind, version, began):
        return audited.RECORD.pack(kinds[kind], 3, version, began, began + 0.1)

    one.write_bytes(write + read("row", 0, 1.9) + read("row", 0, 2.1))
    other.write_bytes(read("row", 0, 2.9) + read("row", 0, 3.1) + read("fresh query", 0, 2.1) + read("row", 1, 3.5))
    found = audited.audit([one, other], recheck=1)
    assert found.stale == [("row", 3, 0, 1), ("row", 3, 0, 1), ("fresh query", 3, 0, 1)]
    assert found.delays == [1.5]
    one.write_bytes(audited.RECORD.pack(audited.UNTOLD, 3, 1, 1.0, 2.0) + read("row", 0, 2.1))
    assert audited.audit([one, other], recheck=1).stale == [("row", 3, 0, 1), ("fresh query", 3, 0, 1)]
