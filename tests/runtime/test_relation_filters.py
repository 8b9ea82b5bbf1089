"""Filters about related rows: some, none and every, to any depth, on every database, and with answers that are never stale."""

import asyncio

import homes
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from related_schemas import ARTISTS, DATA, ENTRIES, SETLISTS, SONGS, Artists, Songs, fill, make, register
from soulspot_db import Database, DatabaseSettings, EntityRegistry, UnsafeWriteError, ValidationFailedError

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


async def opened(where):
    with EntityRegistry.isolated():
        register()
        db = await Database(DatabaseSettings(**where, _env_file=None)).open()
        await fill(db)
        return db


@pytest.fixture(scope="module")
def find(empty_database, tmp_path_factory):
    """Asks a database that holds DATA for the ids of the songs or artists that match."""
    with empty_database.copy(tmp_path_factory.mktemp("copy")) as where, asyncio.Runner() as runner:
        db = runner.run(opened(where))
        repositories = {"song": Songs(db), "artist": Artists(db)}

        async def ids(entity, filters):
            with EntityRegistry.isolated():
                register()
                return [row.id for row in await repositories[entity]._query(filters, order_by="id")]

        yield lambda *asked: runner.run(ids(*asked))
        runner.run(db.close())


# Plain Python, with None for "unknown".


def related(entity, name, row):
    match name:
        case "songs":
            return "song", [song for song in SONGS if song["artist_id"] == row["id"]]
        case "artist":
            return "artist", [artist for artist in ARTISTS if artist["id"] == row["artist_id"]]
        case "original":
            return "song", [song for song in SONGS if song["id"] == row["cover_of"]]
        case "covers":
            return "song", [song for song in SONGS if song["cover_of"] == row["id"]]
        case _:
            lists = {entry["list_id"] for entry in ENTRIES if entry["song_id"] == row["id"]}
            return "setlist", [each for each in SETLISTS if each["id"] in lists]


def holds(where, entity, row):
    known = []
    for name, wanted in where.items():
        if name == "not":
            inner = holds(wanted, entity, row)
            known.append(None if inner is None else not inner)
        elif name == "or":
            parts = [holds(part, entity, row) for part in wanted]
            known.append(True if True in parts else None if None in parts else False)
        elif isinstance(wanted, dict):
            other, rows = related(entity, name, row)
            for quantifier, inner in wanted.items():
                passing = [holds(inner, other, each) is True for each in rows]
                known.append({"some": any(passing), "none": not any(passing), "every": all(passing)}[quantifier])
        elif wanted is None:
            known.append(row[name] is None)
        else:
            known.append(None if row[name] is None else row[name] == wanted)
    return False if False in known else None if None in known else True


RELATIONS = {
    "song": {"artist": "artist", "original": "song", "covers": "song", "lists": "setlist"},
    "artist": {"songs": "song"},
    "setlist": {},
}
VALUES = {
    "song": {"rating": st.sampled_from([None, 0, 1, 2, 5])},
    "artist": {"name": st.sampled_from([None, "a", "b"])},
    "setlist": {"name": st.sampled_from(["x", "y"])},
}


def filters(entity, depth):
    options = dict(VALUES[entity])
    if depth:
        for name, other in RELATIONS[entity].items():
            inner = filters(other, depth - 1)
            options[name] = st.dictionaries(st.sampled_from(["some", "none", "every"]), inner, min_size=1, max_size=2)
        options["not"] = filters(entity, depth - 1)
        options["or"] = st.lists(filters(entity, depth - 1), max_size=2)
    return st.fixed_dictionaries({}, optional=options)


FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@FEW
@given(data=st.data())
def test_it_finds_the_rows_that_plain_python_finds(find, data):
    _same(find, data)


@pytest.mark.slow
@settings(FEW, max_examples=300)
@given(data=st.data())
def test_with_many_more_filters_it_finds_them_too(find, data):
    _same(find, data)


def _same(find, data):
    entity = data.draw(st.sampled_from(["song", "artist"]))
    where = data.draw(filters(entity, 3))
    assert find(entity, where) == [row["id"] for row in DATA[entity] if holds(where, entity, row) is True]


async def test_an_answer_knows_of_writes_to_every_table_that_it_looked_into(songs, db):
    asked = {"lists": {"some": {"name": "x"}}}
    assert await songs._count(asked) == 2
    await db.update("setlist", "2", {"name": "x"})
    assert await songs._count(asked) == 4
    await db.delete("entry", "2,6")
    assert await songs._count(asked) == 3
    assert [row.id for row in await songs._named_list("by_artist", {"name": "a"})] == [1, 2]
    await db.update("artist", "1", {"name": "z"})
    assert await songs._named_list("by_artist", {"name": "a"}) == []
    page = await songs._page({"artist": {"some": {"name": "z"}}})
    await db.update("artist", "2", {"name": "z"})
    assert len((await songs._page({"artist": {"some": {"name": "z"}}})).items) > len(page.items)


async def test_named_queries_look_at_related_rows(songs):
    assert [row.id for row in await songs._named_list("by_artist", {"name": "a"})] == [1, 2]
    assert await songs._named_count("covered", {"least": 3}) == 2
    assert await songs._named_count("covered", {}) == 7  # the condition is left out with its parameter


async def test_writes_take_them_too(songs, db):
    assert await songs._named_write("drop_unlisted", {}) == 3
    assert (
        await songs._update_where({"artist": {"some": {"name": "a"}}}, songs._plan.schema.update_model(rating=9)) == 2
    )
    assert await db.count("song", {"rating": 9}) == 2


@pytest.mark.parametrize(
    "where",
    [
        {"lists": {"every": {}}},
        {"lists": {"none": {"name": []}}},
        {"lists": {"every": {"name": {"not_in": []}}}},
        {"id": {"is": {"field": "id"}}},
    ],
)
async def test_a_write_whose_condition_holds_for_every_row_is_refused(songs, db, where):
    with pytest.raises(UnsafeWriteError):
        await songs._delete_where(where)
    assert await db.count("song") == 7


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ({"artist": {"name": "a"}}, "artist is a relation"),
        ({"artist": "a"}, "artist is a relation"),
        ({"artist": {}}, "artist is a relation"),
        ({"artist": {"some": {"nam": "a"}}}, "artist has no field 'nam'"),
        ({"artist": {"some": "a"}}, "a filter is a dict"),
    ],
)
async def test_what_is_no_condition_on_related_rows_is_refused(songs, where, problem):
    with pytest.raises(Exception, match=problem) as caught:
        await songs._count(where)
    if caught.value.code == "DATABASE_UNKNOWN_FIELD":
        assert caught.value.resolution == "1. Use one of its fields: id, name."
    assert isinstance(caught.value, ValidationFailedError) or caught.value.code == "DATABASE_UNKNOWN_FIELD"
