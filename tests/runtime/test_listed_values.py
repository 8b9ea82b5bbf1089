"""Filters that list values: answered, kept and told apart on every database, however the list comes and however long it is."""

import datetime as dt
from decimal import Decimal

import homes
import pytest
from soulspot_db.sessions.batching import MOST

DATABASES = homes.BOTH
MOMENT = dt.datetime(2024, 10, 27, 2, 30, tzinfo=dt.UTC)


@pytest.fixture
async def playlists(db):
    await db.save("playlist", {"name": "a", "price": "1.00", "created_at": MOMENT})
    await db.save("playlist", {"name": "b", "price": "2.00", "created_at": MOMENT + dt.timedelta(days=1)})
    return db


LISTS = {
    "a set": {"name": {"in": {"a", "x"}}},
    "decimals": {"price": [Decimal("1.00"), Decimal("3.00")]},
    "datetimes": {"created_at": [MOMENT, MOMENT + dt.timedelta(days=9)]},
    "as many texts as are kept": {"name": ["a", *(f"n{number}" for number in range(MOST - 1))]},
    "more texts than are kept": {"name": ["a", *(f"n{number}" for number in range(MOST))]},
}


@pytest.mark.parametrize("where", LISTS.values(), ids=LISTS)
async def test_a_list_of_values_finds_the_rows_that_have_one_of_them(playlists, where):
    for _ in range(2):
        assert [row["name"] for row in await playlists.query("playlist", where)] == ["a"]
        assert await playlists.count("playlist", where) == 1
        assert await playlists.exists("playlist", where) is True


@pytest.mark.parametrize(
    ("where", "statements"),
    [(LISTS["decimals"], 1), (LISTS["datetimes"], 1), (LISTS["more texts than are kept"], 2)],
    ids=["decimals", "datetimes", "more texts than are kept"],
)
async def test_an_answer_to_a_list_is_kept_unless_the_list_is_very_long(playlists, where, statements):
    before = (await playlists.stats())["queries"]["total"]
    for _ in range(2):
        await playlists.count("playlist", where)
    assert (await playlists.stats())["queries"]["total"] == before + statements


async def test_lists_of_other_values_have_answers_of_their_own(playlists):
    days = [MOMENT + dt.timedelta(days=number) for number in range(3)]
    for listed, found in (([days[0]], 1), ([days[2]], 0), ([days[0], days[1]], 2), ([days[1], days[0]], 2), ([], 0)):
        assert await playlists.count("playlist", {"created_at": listed}) == found
        assert await playlists.count("playlist", {"created_at": {"in": listed}}) == found
