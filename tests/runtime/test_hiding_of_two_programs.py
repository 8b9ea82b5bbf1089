"""Soft delete and expiry where a second program answers from Redis and from its own memory."""

import asyncio
import datetime as dt

import hiding_schemas
import homes
import pytest
from hiding_schemas import Notes, Shares
from soulspot_db import EntityRegistry

DATABASES = homes.BOTH
RECHECK = 0.05


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("hiding")) as home:
        hiding_schemas.register()
        home.prepare(hiding_schemas.make)
        yield home


@pytest.fixture(autouse=True)
def known(registry):
    hiding_schemas.register()


@pytest.fixture
async def programs(open_program):
    return [await open_program(cache_recheck=RECHECK) for _ in range(2)]


def new(repository, **values):
    return repository._plan.schema.create_model(**values)


async def test_who_deletes_restores_and_purges_is_followed_by_the_other(programs):
    own, other = (Notes(db) for db in programs)
    row = await own._save(new(own, code="a", place=1))

    async def seen():
        await asyncio.sleep(2 * RECHECK)
        by_key, by_code = await other._get(row.id), await other._get_by({"code": "a"})
        listed, places = await other._query(), await other._named_column("places", {})
        shown = await other._with_deleted()._get(row.id)
        return [by_key is not None, by_code is not None, len(listed), places, shown is not None]

    assert await seen() == await seen() == [True, True, 1, [1], True]
    assert await own._delete(row.id)
    assert await seen() == await seen() == [False, False, 0, [], True]
    assert await own._restore(row.id)
    assert await seen() == await seen() == [True, True, 1, [1], True]
    assert await own._delete(row.id)
    await own._purge_deleted(older_than=dt.timedelta(0))
    assert await seen() == await seen() == [False, False, 0, [], False]


async def test_a_row_outlives_its_time_in_no_tier(programs):
    own, other = (Shares(db) for db in programs)
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    row = await own._save(new(own, code="a", expires_at=ends))
    assert await own._get(row.id) == await other._get(row.id) == await own._get(row.id) == row
    await asyncio.sleep((ends - dt.datetime.now(dt.UTC)).total_seconds() + 0.01)
    assert await own._get(row.id) is await other._get(row.id) is None
    assert await other._get_by({"code": "a"}) is None
    assert await other._with_expired()._get(row.id) == row
