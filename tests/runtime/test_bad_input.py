"""Bad input: an error with the right code; nothing written, nothing cached, the connection still good."""

import datetime as dt
import random
import string
from enum import IntEnum
from uuid import UUID

import homes
import pytest
from soulspot_db import DatabaseError, ValidationFailedError
from support import outside, within

DATABASES = homes.BOTH

UNKNOWN_ENTITY, UNKNOWN_FIELD = "DATABASE_UNKNOWN_ENTITY", "DATABASE_UNKNOWN_FIELD"
INVALID, UNSAFE = "DATABASE_VALIDATION_FAILED", "DATABASE_UNSAFE_WRITE"
NOBODY = "0190b2d4-1f7e-7c3a-9f00-0123456789ab"


def save(**values):
    return lambda db: db.save("playlist", {"name": "Focus", **values})


def query(filters=None, **options):
    return lambda db: db.query("playlist", filters, **options)


def nested(depth):
    where = {"name": "x"}
    for _ in range(depth):
        where = {"not": where}
    return where


SAVES = {
    "an unknown field": (save(nam="x"), UNKNOWN_FIELD),
    "an unknown field beside a wrong value": (save(nam="x", track_count="x"), UNKNOWN_FIELD),
    "SQL as the name of a field": (save(**{"name) VALUES (1); DROP TABLE playlists; --": "x"}), UNKNOWN_FIELD),
    "a missing field": (lambda db: db.save("playlist", {}), INVALID),
    "None for a field that needs a value": (save(name=None), INVALID),
    "text that is too long": (save(name="x" * 21), INVALID),
    "a number as text": (save(name=7), INVALID),
    "text as a number": (save(track_count="7"), INVALID),
    "a boolean as a number": (save(track_count=True), INVALID),
    "a number as a boolean": (save(public=1), INVALID),
    "a number below its minimum": (save(track_count=-1), INVALID),
    "an integer beyond 64 bits": (save(track_count=2**63), INVALID),
    "a very large integer": (save(track_count=10**5000), INVALID),
    "NaN": (save(rating=float("nan")), INVALID),
    "an infinity": (save(rating=float("-inf")), INVALID),
    "NaN as a decimal": (save(price="NaN"), INVALID),
    "a decimal with too many digits": (save(price="1.234"), INVALID),
    "a huge decimal": (save(price="1E+9999999"), INVALID),
    "a float as a decimal": (save(price=1.5), INVALID),
    "a NUL character": (save(name="a\0b"), INVALID),
    "an unpaired surrogate": (save(name="\ud800"), INVALID),
    "a surrogate in a list": (save(tags=["\udfff"]), INVALID),
    "a value that is not in the enum": (save(status="deleted"), INVALID),
    "a list as an enum": (save(status=["active"]), INVALID),
    "a text where a list belongs": (save(tags="a"), INVALID),
    "a list in a list": (save(tags=[["a"]]), INVALID),
    "a dict where a text belongs": (save(name={"$gt": ""}), INVALID),
    "a datetime that is none": (save(created_at="yesterday"), INVALID),
    "a date as a datetime": (save(created_at=dt.date(2026, 1, 1)), INVALID),
    "a timestamp as a datetime": (save(created_at=1764000000), INVALID),
    "an id that is no uuid": (save(id="1"), INVALID),
    "a list instead of a dict": (lambda db: db.save("playlist", [("name", "x")]), INVALID),
    "None instead of a dict": (lambda db: db.save("playlist", None), INVALID),
    "a dict with a key that is no text": (lambda db: db.save("playlist", {"name": "x", 7: 1}), INVALID),
    "an unknown entity": (lambda db: db.save("song", {}), UNKNOWN_ENTITY),
    "None as the entity": (lambda db: db.save(None, {}), UNKNOWN_ENTITY),
    "a list as the entity": (lambda db: db.save(["playlist"], {}), UNKNOWN_ENTITY),
    "one bad row among good ones": (
        lambda db: db.save_many("playlist", [{"name": "a"}, {"name": "b" * 21}, {"name": "c"}]),
        INVALID,
    ),
    "None instead of rows": (lambda db: db.save_many("playlist", None), INVALID),
    "a dict instead of rows": (lambda db: db.save_many("playlist", {"name": "a"}), INVALID),
}

CHANGES = {
    "an unknown field": (lambda db: db.update("playlist", NOBODY, {"nam": "x"}), UNKNOWN_FIELD),
    "the key": (lambda db: db.update("playlist", NOBODY, {"id": NOBODY}), INVALID),
    "a value that does not fit": (lambda db: db.update("playlist", NOBODY, {"name": "x" * 21}), INVALID),
    "None for a field that needs a value": (lambda db: db.update("playlist", NOBODY, {"name": None}), INVALID),
    "None instead of a dict": (lambda db: db.update("playlist", NOBODY, None), INVALID),
    "None as the id": (lambda db: db.update("playlist", None, {"name": "x"}), INVALID),
    "a number as the id": (lambda db: db.delete("playlist", 7), INVALID),
    "a NUL in the id": (lambda db: db.delete("playlist", "a\0"), INVALID),
    "an id with too few parts": (lambda db: db.delete("playlist_track", NOBODY), INVALID),
    "an id with too many digits": (lambda db: db.delete("job", "9" * 5000), INVALID),
    "an empty filter to update": (lambda db: db.update_where("playlist", {}, {"name": "x"}), UNSAFE),
    "no filter to update": (lambda db: db.update_where("playlist", None, {"name": "x"}), UNSAFE),
    "an empty filter to update nothing": (lambda db: db.update_where("playlist", {}, {}), UNSAFE),
    "an empty filter to delete": (lambda db: db.delete_where("playlist", {}), UNSAFE),
    "an empty `and`": (lambda db: db.delete_where("playlist", {"and": [{}, {}]}), UNSAFE),
    "an `or` with an empty part": (lambda db: db.delete_where("playlist", {"or": [{"name": "x"}, {}]}), UNSAFE),
    "not in nothing": (lambda db: db.delete_where("playlist", {"name": {"not_in": []}}), UNSAFE),
    "the opposite of nothing": (lambda db: db.delete_where("playlist", {"not": {"name": []}}), UNSAFE),
    "a key that is not null": (lambda db: db.delete_where("playlist", {"id": {"ne": None}}), UNSAFE),
    "the opposite of a required field that is null": (
        lambda db: db.update_where("playlist", {"not": {"name": None}}, {"name": "x"}),
        UNSAFE,
    ),
    "an unknown field in a filter": (lambda db: db.delete_where("playlist", {"nam": "x"}), UNKNOWN_FIELD),
    "text as a filter": (lambda db: db.delete_where("playlist", "name = 'x'"), INVALID),
}

READS = {
    "an unknown entity": (lambda db: db.query("song"), UNKNOWN_ENTITY),
    "an unknown field": (query({"nam": "x"}), UNKNOWN_FIELD),
    "an unknown field deep inside": (query({"or": [{"not": {"nam": 1}}]}), UNKNOWN_FIELD),
    "an unknown operator": (query({"name": {"regex": ".*"}}), INVALID),
    "a wrong type in a filter": (query({"track_count": "7"}), INVALID),
    "a boolean for a number in a filter": (query({"track_count": True}), INVALID),
    "an integer beyond 64 bits in a filter": (query({"track_count": {"gt": 2**64}}), INVALID),
    "a NUL in a filter": (query({"name": "a\0"}), INVALID),
    "a huge list": (query({"name": ["x"] * 100_000}), INVALID),
    "two long lists": (query({"name": ["x"] * 10_000, "spotify_id": ["x"] * 10_000}), INVALID),
    "a very wide `or`": (query({"or": [{"track_count": number} for number in range(5_000)]}), INVALID),
    "deep nesting": (query(nested(40)), INVALID),
    "very deep nesting": (query(nested(5_000)), INVALID),
    "an order with SQL in it": (query(order_by="name; DROP TABLE playlists"), UNKNOWN_FIELD),
    "an order with SQL after its direction": (query(order_by="name DESC; DROP TABLE playlists"), INVALID),
    "an order by an expression": (query(order_by="(SELECT 1)"), UNKNOWN_FIELD),
    "an order that names a field very often": (query(order_by=["name"] * 5_000), INVALID),
    "a number as the order": (query(order_by=7), INVALID),
    "a negative limit": (query(limit=-1), INVALID),
    "a negative offset": (query(offset=-1), INVALID),
    "text as the limit": (query(limit="1; DROP TABLE playlists"), INVALID),
    "a boolean as the limit": (query(limit=True), INVALID),
    "a limit beyond 64 bits": (query(limit=2**63), INVALID),
    "None as the offset": (query(offset=None), INVALID),
    "None as the id": (lambda db: db.get("playlist", None), INVALID),
    "a dict as the id": (lambda db: db.get("playlist", {"$ne": ""}), INVALID),
    "a surrogate in the id": (lambda db: db.get("playlist", "\ud800"), INVALID),
}


async def refused(db, call, code):
    """The error of a call that must leave no trace."""
    await db.save("playlist", {"name": "before"})
    cached = (await db.stats())["cache"]["memory"]["size"]
    with pytest.raises(DatabaseError) as caught:
        await call(db)
    assert caught.value.code == code
    assert outside(db, "SELECT name FROM playlists") == [("before",)]
    assert (await db.stats())["cache"]["memory"]["size"] == cached
    key = await db.save("playlist", {"name": "after"})
    assert (await db.get("playlist", key))["name"] == "after"
    return caught.value


@pytest.mark.parametrize("what", SAVES)
async def test_a_row_that_does_not_fit_is_refused_and_nothing_is_written(db, what):
    error = await refused(db, *SAVES[what])
    assert error.resolution


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_that_does_not_fit_is_refused_and_nothing_is_written(db, what):
    error = await refused(db, *CHANGES[what])
    assert error.context["operation"] in {"update", "update_where", "delete", "delete_where"}


@pytest.mark.parametrize("what", READS)
async def test_a_question_that_does_not_fit_is_refused_and_nothing_is_cached(db, what):
    error = await refused(db, *READS[what])
    assert error.context["entity_type"]


@pytest.mark.parametrize("what", SAVES)
async def test_a_refused_row_in_a_transaction_leaves_the_transaction_usable(db, what):
    call, code = SAVES[what]
    async with db.transaction() as tx:
        with pytest.raises(DatabaseError) as caught:
            await call(tx)
        assert caught.value.code == code
        await tx.save("counter", {"name": "a"})
    assert await db.count("counter") == 1


async def test_an_unknown_field_is_answered_with_the_nearest_known_one(db):
    with pytest.raises(DatabaseError, match="did you mean 'name'"):
        await db.save("playlist", {"nam": "x"})


async def test_every_field_that_does_not_fit_is_named_and_no_value_is(db):
    with pytest.raises(DatabaseError) as caught:
        await db.save("playlist", {"name": "geheim" * 9, "track_count": "geheim", "status": "geheim"})
    assert caught.value.context["fields"] == ["name", "track_count", "status"]
    assert "geheim" not in str(caught.value.to_dict())


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE playlists; --", '"', "%", "_", "\\", "\n", "🎵", "NULL", "{}", ":p0", "?"]
)
async def test_any_text_is_only_a_value(db, text):
    key = await db.save("playlist", {"name": text[:20], "spotify_id": text})
    assert (await db.get("playlist", text))["id"] == key
    assert await db.count("playlist", {"spotify_id": [text]}) == 1
    assert outside(db, "SELECT spotify_id FROM playlists") == [(text,)]


async def test_a_filter_on_null_is_a_condition_where_the_field_may_be_null(db):
    await db.save("playlist", {"name": "a", "description": "b"})
    assert await db.delete_where("playlist", {"description": None}) == 0
    assert await db.delete_where("playlist", {"name": None}) == 0
    assert await db.delete_where("playlist", {"description": {"ne": None}}) == 1


async def test_a_uuid_object_as_an_id_is_refused_with_what_to_pass(db):
    with pytest.raises(DatabaseError, match=r"the primary key or the spotify_id as text, such as str\(row.id\)"):
        await db.get("playlist", UUID("0190b2d4-1f7e-7c3a-9f00-0123456789ab"))


class Level(IntEnum):
    ONE = 1


async def test_members_of_an_int_enum_are_integers_and_checked_at_once(db):
    """`in range(...)` goes through all numbers one by one for what is not exactly an int."""
    await within(5, db.save("counter", {"name": "a", "value": Level.ONE}))
    assert await within(5, db.count("counter", {"value": Level.ONE})) == 1


async def test_a_text_that_is_too_large_for_an_index_is_refused_with_its_limit_on_postgresql(db):
    large = "".join(
        random.Random(1).choices(string.ascii_letters, k=12_000)
    )  # at random, because the server compresses
    if db.settings.database_type == "sqlite":
        assert await db.save("counter", {"name": large}) == large
        return
    with pytest.raises(ValidationFailedError, match="too large") as raised:
        await db.save("counter", {"name": large})
    assert raised.value.code == INVALID
    assert "2,704 bytes" in str(raised.value)
    assert "migrate" not in str(raised.value)
    assert large not in repr(raised.value)
    async with db.transaction() as tx:
        with pytest.raises(ValidationFailedError):
            await tx.save("counter", {"name": large})
        await tx.save("counter", {"name": "a"})
    assert await db.count("counter") == 1
