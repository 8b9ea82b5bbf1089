"""Storage: what the file holds, seen from outside, and what nobody can store in it."""

import datetime as dt
import sqlite3

import pytest
from support import outside

KEY = "0190b2d4-1f7e-7c3a-9f00-0123456789ab"

STORED = {
    "a_uuid": (KEY.upper(), KEY),
    "a_string": ("ä", "ä"),
    "an_integer": (-7, -7),
    "a_float": (2, 2.0),
    "a_decimal": ("1.5", 1500000),
    "a_boolean": (True, 1),
    "a_date": ("2026-11-24", "2026-11-24"),
    "a_time": ("12:30", "12:30:00.000000"),
    "a_datetime": ("2026-11-24T14:00:00+02:00", "2026-11-24 12:00:00.000000"),
    "an_enum": ("b:lue", "b:lue"),
    "texts": (["ä", 'b"'], '["ä","b\\""]'),
    "uuids": ([KEY.upper()], f'["{KEY}"]'),
    "datetimes": (["2026-11-24T14:00:00+02:00"], '["2026-11-24 12:00:00.000000"]'),
}


@pytest.mark.parametrize("name", STORED)
async def test_every_type_is_stored_in_its_documented_form(db, name):
    given, expected = STORED[name]
    await db.save("everything", {name: given})
    ((found,),) = outside(db, f"SELECT {name} FROM everythings")
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", None),
        ("id", "x"),
        ("a_uuid", "not-a-uuid"),
        ("a_uuid", KEY.upper()),
        ("a_uuid", "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"),
        ("a_uuid", "------------------------------------"),
        ("a_uuid", KEY.replace("-", "")),
        ("a_string", "x" * 51),
        ("a_string", b"bytes"),
        ("an_integer", "seven"),
        ("an_integer", 1.5),
        ("a_float", "much"),
        ("a_decimal", "1.5"),
        ("a_boolean", 2),
        ("a_boolean", "true"),
        ("a_date", "24.11.2026"),
        ("a_date", "2026-02-30"),
        ("a_date", "2026-11-24 12:00:00"),
        ("a_date", "0000-01-01"),
        ("a_date", "now"),
        ("a_date", ""),
        ("a_time", "24:00:00.000000"),
        ("a_time", "12:30"),
        ("a_time", "12:30:00.00000x"),
        ("a_time", "xx:xx:xx.xxxxxx"),
        ("a_datetime", "2026-11-24T12:00:00.000000"),
        ("a_datetime", "2026-11-24 12:00:00"),
        ("a_datetime", "2026-02-30 12:00:00.000000"),
        ("a_datetime", "2026-11-24 25:00:00.000000"),
        ("a_datetime", "2026-11-24 12:00:00.00+000"),
        ("a_datetime", "0000-11-24 12:00:00.000000"),
        ("a_datetime", "xxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("a_datetime", 1764000000),
        ("an_enum", "pink"),
        ("texts", "{}"),
        ("texts", "not json"),
        ("texts", ""),
    ],
)
async def test_a_wrong_value_cannot_be_stored_even_by_another_program(db, name, value):
    row = {"id": KEY, name: value}
    statement = f"INSERT INTO everythings ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    with pytest.raises(sqlite3.Error):
        outside(db, statement, *row.values())
    assert await db.count("everything") == 0


async def test_a_right_value_can_be_stored_by_another_program_and_is_read(db):
    for name, (_, value) in STORED.items():
        outside(db, f"INSERT INTO everythings (id, {name}) VALUES (lower(hex(randomblob(4))) || ?, ?)", KEY[8:], value)
    assert len(await db.query("everything")) == len(STORED)


async def test_decimals_are_compared_ordered_and_summed_exactly(db):
    for amount in ("0.10", "0.20", "10.00", "9.00"):
        await db.save("playlist", {"name": "p", "price": amount})
    assert await db.count("playlist", {"price": {"lte": "0.2"}}) == 2
    assert [str(row["price"]) for row in await db.query("playlist", order_by="price")] == [
        "0.10",
        "0.20",
        "9.00",
        "10.00",
    ]
    assert outside(db, "SELECT sum(price) FROM playlists WHERE price < 100") == [(30,)]


async def test_datetimes_written_in_three_zones_are_ordered_as_they_happened_and_come_back_in_utc(db):
    zones = {"Berlin": 2, "New York": -4, "Tokyo": 9}
    for minute, (name, hours) in enumerate(zones.items()):
        moment = dt.datetime(2026, 7, 1, 12, minute, tzinfo=dt.UTC)
        await db.save(
            "playlist", {"name": name, "created_at": moment.astimezone(dt.timezone(dt.timedelta(hours=hours)))}
        )
    found = await db.query("playlist", order_by="created_at")
    assert [row["name"] for row in found] == list(zones)
    assert [row["created_at"].isoformat() for row in found] == [f"2026-07-01T12:0{n}:00+00:00" for n in range(3)]
    assert outside(db, "SELECT name FROM playlists ORDER BY created_at") == [(name,) for name in zones]


async def test_an_old_row_stays_readable_when_a_rule_has_become_stricter(db):
    key = await db.save("playlist", {"name": "Focus"})
    outside(db, "UPDATE playlists SET track_count = -1")
    assert (await db.get("playlist", key, fresh=True))["track_count"] == -1
