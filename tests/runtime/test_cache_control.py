"""`db.cache`: looking into the cache, and having it forget."""

from uuid import UUID

import homes
import pytest
import support
from soulspot_db import Repository, UnknownEntityError, UnknownFieldError, ValidationFailedError
from support import outside

DATABASES = homes.BOTH


class Playlists(Repository):
    schema = support.PlaylistSchema


async def test_a_row_in_memory_can_be_looked_at_without_asking_the_database(db):
    key = await db.save("playlist", {"name": "Focus", "spotify_id": "s:1"})
    await db.save("counter", {"name": "a:b"})
    assert await db.cache.get(f"playlist:{key}") is None
    asked = await db.get("playlist", "s:1"), await db.get("counter", "a:b")
    before = (await db.stats())["queries"]["total"]
    assert (await db.cache.get("playlist:s:1"), await db.cache.get("counter:a:b")) == asked
    assert await db.cache.get("counter:none") is None
    assert (await db.stats())["queries"]["total"] == before


async def test_what_a_typed_repository_read_is_found_by_its_key(db):
    row = (await Playlists(db)._query()) or await db.save("playlist", {"name": "Focus"})
    found = (await Playlists(db)._query())[0]
    await Playlists(db)._get(found.id)
    assert (await db.cache.get(f"playlist:{row}"))["name"] == "Focus"


@pytest.mark.sqlite_only
async def test_looking_into_the_cache_finds_what_is_there_however_often_and_counts_for_nothing(open_database):
    db = await open_database(cache_recheck=0)
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    before = (await db.stats())["cache"]["memory"]["hit_rate"]
    for _ in range(2000):
        assert await db.cache.get("counter:a") is not None
    assert (await db.stats())["cache"]["memory"]["hit_rate"] == before
    outside(db, "UPDATE counters SET value = 7")
    assert await db.cache.get("counter:a") is None


async def test_a_row_known_by_its_natural_key_is_found_though_no_row_has_that_text_for_its_key(db):
    text = "0190b2d4-1f7e-7c3a-9f00-0123456789ab"
    await db.save("playlist", {"name": "Focus", "spotify_id": text})
    assert await Playlists(db)._get(UUID(text)) is None
    assert (await db.get("playlist", text))["name"] == "Focus"
    assert (await db.cache.get(f"playlist:{text}"))["name"] == "Focus"


async def test_a_row_that_was_written_is_not_in_memory_any_more(db):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    await db.update("counter", "a", {"value": 1})
    assert await db.cache.get("counter:a") is None


@pytest.mark.parametrize("key", ["playlist", "playlist:{key}", "playlist:s1"])
async def test_invalidating_a_row_takes_every_answer_it_could_be_part_of(db, key):
    row = await db.save("playlist", {"name": "Focus", "spotify_id": "s1"})
    await db.save("counter", {"name": "a"})
    asked = [lambda: db.get("playlist", row), lambda: db.get("playlist", "s1"), lambda: db.query("playlist")]
    for ask in [*asked, lambda: db.get("counter", "a")]:
        await ask()
    outside(db, "UPDATE playlists SET name = 'Other'")
    outside(db, "UPDATE counters SET value = 7")
    await db.cache.invalidate(key.format(key=row))
    answers = [await ask() for ask in asked]
    assert [answer["name"] for answer in [*answers[:2], *answers[2]]] == ["Other"] * 3
    assert (await db.get("counter", "a"))["value"] == 0


@pytest.mark.parametrize("pattern", ["counter:*", "counter", "counter:*:value:0", "counter:a"])
async def test_a_pattern_never_drops_less_than_it_names(db, pattern):
    await db.save("counter", {"name": "a"})
    assert (await db.get("counter", "a"))["value"] == 0
    assert await db.count("counter", {"value": 7}) == 0
    outside(db, "UPDATE counters SET value = 7")
    await db.cache.invalidate_pattern(pattern)
    assert (await db.get("counter", "a"))["value"] == 7
    assert await db.count("counter", {"value": 7}) == 1


async def test_clear_forgets_everything(db):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    await db.query("playlist")
    await db.cache.clear()
    assert (await db.stats())["cache"]["memory"]["size"] == 0


async def test_what_cannot_be_a_key_or_a_pattern_is_refused_with_what_can(db):
    for key in ("", "counter:", ":a", 7):
        for call in (db.cache.get, db.cache.invalidate, db.cache.invalidate_pattern):
            with pytest.raises(ValidationFailedError, match="is not a key of the cache"):
                await call(key)
    for key in ("counter", "counter:*", "counter:*:value:1"):
        with pytest.raises(ValidationFailedError):
            await db.cache.get(key)
    for key in ("counter:*", "counter:*:value:1"):
        with pytest.raises(ValidationFailedError, match="invalidate_pattern"):
            await db.cache.invalidate(key)
    with pytest.raises(ValidationFailedError):
        await db.cache.invalidate_pattern("counter:*:value")
    with pytest.raises(UnknownFieldError):
        await db.cache.invalidate_pattern("counter:*:nothing:1")
    for call in (db.cache.get, db.cache.invalidate, db.cache.invalidate_pattern):
        with pytest.raises(UnknownEntityError):
            await call("nothing:1")


async def test_rows_are_read_into_memory_before_they_are_asked_for(db):
    await db.save_many("counter", [{"name": name, "value": number} for number, name in enumerate("abcd")])
    assert await db.cache.warm("counter", {"value": {"gte": 1}}, order_by="value", limit=2) == 2
    before = (await db.stats())["queries"]["total"]
    assert [(await db.get("counter", name))["value"] for name in "bc"] == [1, 2]
    assert (await db.stats())["queries"]["total"] == before
    await db.get("counter", "d")
    assert (await db.stats())["queries"]["total"] == before + 1
    await db.update("counter", "b", {"value": 7})
    assert (await db.get("counter", "b"))["value"] == 7


async def test_no_more_rows_are_read_into_memory_than_there_is_room_for(open_database):
    db = await open_database(cache_max_size=3)
    await db.save_many("counter", [{"name": name} for name in "abcde"])
    assert await db.cache.warm("counter") == 3
    with pytest.raises(UnknownEntityError):
        await db.cache.warm("nothing")
    with pytest.raises(UnknownFieldError):
        await db.cache.warm("counter", {"nothing": 1})
    with pytest.raises(ValidationFailedError):
        await db.cache.warm("counter", limit=-1)


async def test_rates_are_told_by_entity(db):
    await db.save("counter", {"name": "a"})
    for _ in range(4):
        await db.get("counter", "a")
    await db.get("playlist", "s1")
    found = db.cache.stats()
    assert found["counter"] == {"memory": {"hit_rate": 0.75, "size": 1}, "redis": None}
    assert found["playlist"] == {"memory": {"hit_rate": 0.0, "size": 1}, "redis": None}
