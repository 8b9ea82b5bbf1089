"""Loaders of related rows: the right ones, in few statements, and never stale."""

import asyncio

import homes
import pytest
from related_schemas import ENTRIES, SONGS, Artists, Songs, fill, make, register
from soulspot_db import EntityRegistry, EntitySchema, NotFoundError, Repository, ValidationFailedError

DATABASES = homes.BOTH


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("related")) as home:
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
    db.hooks.add(lambda record: records.append(record.statement) if record.statement else None)
    return records


def ids(rows):
    return [None if row is None else row.id for row in rows]


async def test_a_row_has_the_one_that_it_refers_to(songs):
    for row in await songs._query(order_by="id"):
        expected = next(each["artist_id"] for each in SONGS if each["id"] == row.id)
        artist = await songs._parent("artist", row)
        assert (artist and artist.id) == expected


async def test_of_many_rows_each_has_its_own_in_their_order(songs):
    rows = await songs._query(order_by="id desc")
    assert ids(await songs._parents("artist", rows)) == [row.artist_id for row in rows]
    assert await songs._parents("artist", []) == []


async def test_a_row_has_those_that_refer_to_it(songs, db):
    artists = Artists(db)
    for row in await artists._query():
        assert ids(await artists._children("songs", row)) == [s["id"] for s in SONGS if s["artist_id"] == row.id]


async def test_many_belong_to_many(songs):
    rows = await songs._query(order_by="id")
    for row, lists in zip(rows, await songs._children_of("lists", rows), strict=True):
        expected = [entry["list_id"] for entry in ENTRIES if entry["song_id"] == row.id]
        assert ids(lists) == expected
        assert ids(await songs._children("lists", row)) == expected


async def test_they_have_a_filter_an_order_and_a_limit_for_each(songs, db):
    artists = Artists(db)
    rows = await artists._query(order_by="id")
    found = await artists._children_of("songs", rows, order_by="id desc", limit=1)
    assert [ids(each) for each in found] == [[2], [7], [6], []]
    found = await artists._children_of("songs", rows, {"rating": {"gte": 1}}, order_by="rating desc")
    assert [ids(each) for each in found] == [[1], [3], [6], []]
    assert ids(await artists._children("songs", rows[0], order_by="id desc", limit=1)) == [2]
    found = await songs._children_of("lists", await songs._query(order_by="id"), {"name": {"ne": "x"}}, limit=1)
    assert [ids(each) for each in found] == [[], [2], [2], [], [], [2], []]


async def test_a_thousand_rows_with_two_relations_take_three_statements(songs, db, asked):
    await db.save_many("song", [{"id": n, "artist_id": n % 4 + 1, "cover_of": n % 7 + 1} for n in range(100, 1100)])
    asked.clear()
    rows = await songs._query({"id": {"gte": 100}}, fresh=True)
    artists = await songs._parents("artist", rows, fresh=True)
    originals = await songs._parents("original", rows, fresh=True)
    assert ids(artists) == [row.artist_id for row in rows]
    assert ids(originals) == [row.cover_of for row in rows]
    assert len(asked) == 3


async def test_the_naive_loop_with_gather_takes_as_few(songs, db, monkeypatch):
    sent = []
    read = songs._session.engine.read

    async def counted(statement, trace=None):
        sent.append(statement.sql)
        return await read(statement, trace)

    monkeypatch.setattr(songs._session.engine, "read", counted)
    rows = await songs._query(fresh=True)
    artists = await asyncio.gather(*(songs._parent("artist", row, fresh=True) for row in rows))
    lists = await asyncio.gather(*(songs._children("lists", row, fresh=True) for row in rows))
    assert ids(artists) == [row.artist_id for row in rows]
    assert [len(each) for each in lists] == [1, 2, 1, 0, 0, 1, 0]
    assert len(sent) == 3


async def test_what_is_loaded_is_kept_until_it_changes(songs, db):
    artists = Artists(db)
    artist = await artists._get(1)
    row = await songs._get(1)
    for _ in range(2):
        assert ids(await artists._children("songs", artist)) == [1, 2]
        assert ids(await songs._children("lists", row)) == [1]
        assert (await songs._parent("artist", row)).name == "a"
    await db.update("song", "3", {"artist_id": 1})
    await db.save("entry", {"list_id": 3, "song_id": 1})
    await db.update("artist", "1", {"name": "new"})
    assert ids(await artists._children("songs", artist)) == [1, 2, 3]
    assert [ids(each) for each in await artists._children_of("songs", [artist])] == [[1, 2, 3]]
    assert ids(await songs._children("lists", row)) == [1, 3]
    assert (await songs._parent("artist", row)).name == "new"


async def test_in_a_block_they_see_what_it_has_written(songs, db):
    artist = await Artists(db)._get(1)
    async with db.transaction() as tx:
        await tx.save("song", {"id": 50, "artist_id": 1})
        assert ids(await Artists(db)._children("songs", artist)) == [1, 2, 50]
        assert [ids(each) for each in await Artists(tx)._children_of("songs", [artist])] == [[1, 2, 50]]
        singers = await Songs(tx)._parents("artist", await Songs(tx)._query({"id": 50}))
        assert ids(singers) == [1]


async def test_lists_of_answers_are_the_caller_s_own(songs, db):
    artists = Artists(db)
    artist = await artists._get(1)
    (await artists._children("songs", artist)).clear()
    (await artists._children_of("songs", [artist]))[0].clear()
    assert len(await artists._children("songs", artist)) == 2


async def loop(songs, rows):
    for row in rows:
        await songs._parent("artist", row)


@pytest.fixture
def warned(caplog):
    caplog.set_level("WARNING", "soulspot_db.monitoring")
    return lambda: [record.getMessage() for record in caplog.records if "a loop at" in record.getMessage()]


async def test_a_loop_that_loads_one_row_after_another_is_told_once_with_its_line(songs, warned):
    rows = await songs._query()
    for _ in range(4):
        await loop(songs, rows)
    [message] = warned()
    assert message.endswith("loads artist of song one row after another: artists(rows) loads them with one statement")
    assert f"test_related_rows.py:{loop.__code__.co_firstlineno + 2} " in message


async def test_what_is_loaded_together_is_no_loop(songs, warned):
    rows = await songs._query() * 5
    await asyncio.gather(*(songs._parent("artist", row) for row in rows))
    await songs._parents("artist", rows)
    await loop(songs, rows[:9])
    assert warned() == []


async def test_the_warning_can_be_switched_off(open_database, songs, warned):
    db = await open_database(n_plus_one_threshold=0)
    await loop(Songs(db), await Songs(db)._query() * 5)
    assert warned() == []


async def test_the_facade_has_them_as_dicts(songs, db):
    assert [row["id"] for row in await db.related("artist", "1", "songs", {"rating": 1})] == [1]
    assert [row["id"] for row in await db.related("artist", "1", "songs", order_by="id desc", limit=1)] == [2]
    assert (await db.related("song", "1", "artist"))["name"] == "a"
    assert await db.related("song", "4", "artist") is None
    assert await db.related("song", "99", "lists") is None
    with pytest.raises(ValidationFailedError, match="which is one row"):
        await db.related("song", "1", "artist", {"name": "a"})


async def test_a_row_of_another_entity_or_no_row_is_refused(songs, db):
    artist, song = await Artists(db)._get(1), await songs._get(1)
    for wrong in (artist, None, 1, [song]):
        with pytest.raises(ValidationFailedError, match="artist of song takes one Song, got"):
            await songs._parent("artist", wrong)
        with pytest.raises(ValidationFailedError, match="lists of song takes one Song, got"):
            await songs._children_of("lists", [song, wrong])
    with pytest.raises(ValidationFailedError, match="artists takes several"):
        await songs._parent("artist", [song])


async def test_an_unknown_relation_or_field_is_refused(songs):
    row = await songs._get(1)
    with pytest.raises(ValidationFailedError, match="has no relation 'singer'"):
        await songs._parent("singer", row)
    with pytest.raises(Exception, match="setlist has no field 'nam'"):
        await songs._children("lists", row, {"nam": "x"})


class SecretSchema(EntitySchema):
    entity_type = "secret"
    table_name = "secrets"
    fields = {"id": {"type": "string", "primary_key": True, "sensitive": True}, "other_id": {"type": "string"}}
    relations = {"other": {"entity": "secret", "local": "other_id", "remote": "id"}}


class Secrets(Repository):
    schema = SecretSchema


async def test_what_is_said_of_a_related_row_that_is_gone_has_no_sensitive_key(db):
    EntityRegistry.register("secret", SecretSchema)
    await db.create_table("secret")
    await db.save("secret", {"id": "hush", "other_id": "gone"})
    row = await Secrets(db)._get("hush")
    with pytest.raises(NotFoundError, match="the other of this secret is gone") as caught:
        await Secrets(db)._parents_or_raise("other", [row])
    assert "hush" not in f"{caught.value} {caught.value.to_dict()}"
