"""Rows with their related rows: the right ones at any depth, in one statement for each relation, and never stale."""

import asyncio
import logging

import homes
import pytest
from related_schemas import ENTRIES, SONGS, Artists, Songs, fill, make, register
from soulspot_db import (
    ConnectionFailedError,
    EntityRegistry,
    Included,
    Relative,
    UnknownFieldError,
    ValidationFailedError,
)

DATABASES = homes.BOTH


class IncludedSong(Included):
    """As generated code has it."""

    artist = Relative()
    covers = Relative()


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("included")) as home:
        register()
        home.prepare(make)
        yield home


@pytest.fixture
async def songs(db):
    register()
    await fill(db)
    return Songs(db)


@pytest.fixture
def asked(db):
    """The statements that are sent, one record each."""
    records = []
    db.hooks.add(lambda record: records.append(record.statement) if record.cache != "hit" else None)
    return records


def ids(rows):
    return [None if row is None else row["id"] for row in rows]


# The facade.


async def test_a_row_has_what_it_refers_to_and_what_refers_to_it_under_the_relation_s_name(songs, db):
    found = await db.query("song", order_by="id", include=["artist", "covers", "lists"])
    for row, song in zip(found, SONGS, strict=True):
        assert (row["artist"] and row["artist"]["id"]) == song["artist_id"]
        assert ids(row["covers"]) == [other["id"] for other in SONGS if other["cover_of"] == song["id"]]
        assert ids(row["lists"]) == [entry["list_id"] for entry in ENTRIES if entry["song_id"] == song["id"]]
    assert set(found[0]) == {*SONGS[0], "artist", "covers", "lists"}


async def test_paths_go_to_any_depth(songs, db):
    (row,) = await db.query("song", {"id": 4}, include=["original.original.artist"])
    assert row["original"]["id"] == 2
    assert row["original"]["original"]["id"] == 1
    assert row["original"]["original"]["artist"]["name"] == "a"
    assert "artist" not in row["original"]
    row = await db.get("song", "1", include=["artist.songs.covers"])
    assert ids(row["artist"]["songs"]) == [1, 2]
    assert [ids(song["covers"]) for song in row["artist"]["songs"]] == [[2, 3], [4]]


async def test_the_same_beginning_of_two_paths_is_loaded_once(songs, db, asked):
    await db.query("song", include=["artist.songs", "artist"])
    assert len(asked) == 3


async def test_every_method_that_returns_rows_takes_it(songs, db):
    whole = await db.get("song", "2", include=["artist"])
    assert whole == {**SONGS[1], "artist": {"id": 1, "name": "a"}}
    assert await db.get_or_raise("song", "2", include=["artist"]) == whole
    assert await db.get("song", "99", include=["artist"]) is None
    page = await db.page("song", order_by="id", limit=2, include=["artist"])
    assert page.items[1] == whole
    assert page.next is not None
    assert (await db.related("artist", "1", "songs", {"id": 2}, include=["artist"])) == [whole]
    assert (await db.related("song", "4", "original", include=["artist"])) == whole
    assert await db.query("song", {"id": 2}, include=[]) == [SONGS[1]]


async def test_without_rows_nothing_more_is_asked(songs, db, asked):
    assert await db.query("song", {"id": 99}, include=["artist.songs", "covers"]) == []
    assert len(asked) == 1


async def test_dicts_are_the_caller_s_own_also_where_rows_share_a_relative(songs, db):
    one, other, *_ = await db.query("song", order_by="id", include=["artist"])
    one["artist"]["name"] = "changed"
    assert other["artist"]["name"] == "a"
    assert (await db.get("artist", "1"))["name"] == "a"


async def test_a_thousand_rows_with_two_relations_take_three_statements(songs, db, asked):
    await db.save_many("song", [{"id": n, "artist_id": n % 4 + 1, "cover_of": n % 7 + 1} for n in range(100, 1100)])
    asked.clear()
    found = await db.query("song", {"id": {"gte": 100}}, include=["artist", "original"])
    assert len(found) == 1000
    assert all(row["artist"]["id"] == row["artist_id"] and row["original"]["id"] == row["cover_of"] for row in found)
    assert len(asked) == 3


# The typed form.


async def test_typed_rows_have_what_was_included(songs):
    rows = await songs._query(order_by="id")
    found = await songs._include(IncludedSong, rows, ["artist", "covers"])
    assert [each.row for each in found] == rows
    assert [each.artist and each.artist.id for each in found] == [row.artist_id for row in rows]
    assert [other.id for other in found[0].covers] == [2, 3]
    assert await songs._include(IncludedSong, [], ["artist"]) == []


async def test_what_was_not_included_says_how_to_ask_for_it(songs):
    (found,) = await songs._include(IncludedSong, await songs._query({"id": 1}), ["artist"])
    with pytest.raises(ValidationFailedError) as caught:
        _ = found.covers
    assert "covers was not included with this Song: only artist was" in str(caught.value)
    assert "include(rows, 'artist', 'covers')" in caught.value.resolution


async def test_two_relations_in_one_call_take_two_statements(songs, asked):
    rows = await songs._query()
    asked.clear()
    await songs._include(IncludedSong, rows, ["artist", "covers"])
    assert len(asked) == 2


# Mistakes.


@pytest.mark.parametrize(
    ("path", "entity", "name", "hint"),
    [
        ("artits", "song", "artits", "did you mean 'artist'?"),
        ("artist.song", "artist", "song", "did you mean 'songs'?"),
        ("rating", "song", "rating", ""),
        ("artist.", "artist", "", ""),
        ("", "song", "", ""),
    ],
)
async def test_a_wrong_name_is_refused_before_anything_is_asked(songs, db, asked, path, entity, name, hint):
    with pytest.raises(UnknownFieldError) as caught:
        await db.query("song", include=["artist", path])
    assert f"{entity} has no relation {name!r} to include" in str(caught.value)
    assert hint in str(caught.value)
    assert caught.value.context["field"] == name
    assert asked == []


@pytest.mark.parametrize("include", ["artist", {"artist": True}, [1], [["artist"]], ["artist.songs" * 40]])
async def test_something_else_than_a_list_of_paths_is_refused(songs, db, include):
    with pytest.raises((ValidationFailedError, UnknownFieldError)):
        await db.get("song", "1", include=include)


async def test_rows_of_another_entity_are_refused(songs, db):
    with pytest.raises(ValidationFailedError, match="takes one Song, got Artist"):
        await songs._include(IncludedSong, await Artists(db)._query(), ["artist"])


# With the rest.


async def test_a_transaction_sees_its_own_writes_and_keeps_them(songs, db):
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await tx.update("artist", "1", {"name": "changed"})
            await tx.save("song", {"id": 50, "artist_id": 1, "cover_of": 1})
            row = await tx.get("song", "1", include=["artist", "covers.artist"])
            assert row["artist"]["name"] == "changed"
            assert [(each["id"], each["artist"]["name"]) for each in row["covers"]] == [
                (2, "changed"),
                (3, "b"),
                (50, "changed"),
            ]
            raise ZeroDivisionError
    row = await db.get("song", "1", include=["artist", "covers"])
    assert (row["artist"]["name"], ids(row["covers"])) == ("a", [2, 3])


async def test_related_rows_are_cached_as_themselves(songs, db, asked):
    await db.query("song", order_by="id", include=["artist"])
    asked.clear()
    assert (await db.get("artist", "1"))["name"] == "a"
    assert (await db.query("song", order_by="id", include=["artist"]))[0]["artist"]["name"] == "a"
    assert asked == []


async def test_a_write_to_a_related_row_is_seen_by_the_next(songs, db):
    await db.query("song", order_by="id", include=["artist", "covers"])
    await db.update("artist", "1", {"name": "new"})
    await db.save("song", {"id": 60, "cover_of": 1})
    row = await db.get("song", "1", include=["artist", "covers"])
    assert (row["artist"]["name"], ids(row["covers"])) == ("new", [2, 3, 60])


async def test_fresh_asks_for_related_rows_as_well(songs, db, asked):
    await db.get("song", "1", include=["artist.songs", "covers"])
    asked.clear()
    await db.get("song", "1", include=["artist.songs", "covers"], fresh=True)
    assert len(asked) == 4


async def test_it_is_no_loop(songs, db, caplog):
    with caplog.at_level(logging.WARNING, "soulspot_db.monitoring"):
        for number in range(1, 8):
            await db.get("song", str(number), include=["artist", "covers.artist"])
    assert caplog.records == []


async def test_tasks_that_include_at_once_share_their_statements(songs, db, asked):
    rows = await songs._query(order_by="id")
    asked.clear()
    await asyncio.gather(*(songs._include(IncludedSong, [row], ["artist", "covers"]) for row in rows))
    assert len(set(asked)) <= 4


async def test_an_error_of_one_of_several_relations_is_the_caller_s(songs, db):
    rows = await songs._query()
    await db.close()
    with pytest.raises(ConnectionFailedError):
        await songs._include(IncludedSong, rows, ["artist", "covers"], fresh=True)
