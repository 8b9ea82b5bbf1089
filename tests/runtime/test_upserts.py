"""Upserts: one row for what is unique, whoever writes it at the same time; each field by its rule."""

import asyncio
import contextvars
import datetime as dt

import homes
import pytest
from soulspot_db import (
    ConstraintViolationError,
    EntityRegistry,
    EntitySchema,
    Repository,
    SchemaInvalidError,
    ValidationFailedError,
)

DATABASES = homes.BOTH
DAY = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)


class SongSchema(EntitySchema):
    entity_type = "song"
    table_name = "songs"
    natural_key = "code"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "code": {"type": "string", "unique": True, "nullable": True},
        "uri": {"type": "string", "unique": True, "nullable": True},
        "title": {"type": "string"},
        "album": {"type": "string", "nullable": True},
        "source": {"type": "string", "default": "local"},
        "is_saved": {"type": "boolean", "default": False},
        "best": {"type": "integer", "nullable": True},
        "worst": {"type": "integer", "nullable": True},
        "cover": {"type": "string", "nullable": True},
        "created_at": {"type": "datetime", "default": "now"},
        "updated_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    queries = {
        "by_trimmed_title": {"upsert": {"match": ["lower(trim(title))"], "rules": {"title": "fill_null"}}},
        "from_provider": {
            "upsert": {
                "match": ["code", "uri", ["lower(title)", "album"]],
                "rules": {
                    "code": "fill_null",
                    "uri": "fill_null",
                    "title": "overwrite",
                    "source": {"differs": "hybrid"},
                    "is_saved": "sticky_true",
                    "best": "max",
                    "worst": "min",
                    "cover": "keep_if_null",
                },
            }
        },
    }


class Songs(Repository):
    schema = SongSchema


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("upserts")) as home:
        EntityRegistry.register("song", SongSchema)
        home.prepare(lambda db: db.create_table("song"))
        yield home


@pytest.fixture
async def songs(db):
    EntityRegistry.register("song", SongSchema)
    return Songs(db)


def new(songs, **values):
    return songs._plan.schema.create_model(**{"title": "T", **values})


async def test_a_row_that_is_not_there_is_inserted_and_told(songs, db, told):
    row = await songs._upsert(new(songs, code="a", title="One"))
    assert (row.code, row.title) == ("a", "One")
    await db.events.settle()
    assert [topic for topic, _ in told] == ["database.song.created"]


async def test_of_a_row_that_is_there_only_what_is_given_changes(songs, db, told):
    first = await songs._upsert(new(songs, code="a", title="One", album="X", created_at=DAY, updated_at=DAY))
    again = await songs._upsert(new(songs, code="a", title="Two"))
    assert (again.id, again.title, again.album, again.created_at) == (first.id, "Two", "X", DAY)
    assert again.updated_at > first.updated_at
    await db.events.settle()
    assert [(topic, data.get("fields")) for topic, data in told] == [
        ("database.song.created", None),
        ("database.song.updated", ["title"]),
    ]


async def test_what_is_unique_about_it_can_be_named(songs):
    await songs._upsert(new(songs, code="a", uri="u"))
    row = await songs._upsert(new(songs, code="b", uri="u"), on=["uri"])
    assert row.code == "b"
    assert (await songs._upsert(new(songs, id=row.id, code="c"), on=("id",))).code == "c"


async def test_a_unique_value_of_another_row_is_a_violation(songs, db):
    await songs._upsert(new(songs, code="a", uri="u"))
    with pytest.raises(ConstraintViolationError) as caught:
        await songs._upsert(new(songs, code="b", uri="u"))
    assert caught.value.context["field"] == "uri"
    assert await db.count("song") == 1


async def test_a_key_that_is_given_says_which_row_is_meant(songs):
    row = await songs._upsert(new(songs, code="a"))
    assert (await songs._upsert(new(songs, id=row.id, code="b"))).id == row.id


@pytest.mark.parametrize(
    ("values", "on"), [({}, None), ({"code": None}, None), ({"code": "a"}, ["title"]), ({"code": "a"}, ["uri"])]
)
async def test_without_what_is_unique_it_is_refused(songs, values, on):
    with pytest.raises(ValidationFailedError, match="unique"):
        await songs._upsert(new(songs, **values), on=on)


async def test_get_or_create_changes_nothing_of_a_row_that_is_there(songs, db, told):
    made, is_new = await songs._get_or_create(new(songs, code="a", title="One"))
    found, again = await songs._get_or_create(new(songs, code="a", title="Two"))
    assert (is_new, again, found) == (True, False, made)
    await db.events.settle()
    assert len(told) == 1


async def test_twenty_at_once_make_one_row(songs, db):
    rows = await asyncio.gather(*(songs._upsert(new(songs, code="a", title=f"T{n}")) for n in range(20)))
    assert len({row.id for row in rows}) == 1
    made = await asyncio.gather(*(songs._get_or_create(new(songs, code="b")) for _ in range(20)))
    assert sorted(is_new for _, is_new in made) == [False] * 19 + [True]
    assert await db.count("song") == 2


async def test_in_a_block_it_sees_what_the_block_has_written(songs, db):
    async with db.transaction():
        first = await songs._upsert(new(songs, code="a"))
        assert (await songs._upsert(new(songs, code="a", title="Two"))).id == first.id
        assert (await songs._get_or_create(new(songs, code="a")))[1] is False
    assert (await songs._get(first.id)).title == "Two"


async def test_the_first_match_wins(songs):
    by_code = await songs._upsert(new(songs, code="a", title="One"))
    by_uri = await songs._upsert(new(songs, code="b", uri="u", title="Two"))
    assert (await songs._named_upsert("from_provider", new(songs, code="b", title="One"))).id == by_uri.id
    row = await songs._named_upsert("from_provider", new(songs, code="new", uri="u", title="One"))
    assert (row.id, row.code) == (by_uri.id, "b")
    assert (await songs._get(by_code.id)).title == "One"


async def test_each_field_has_its_rule(songs):
    first = await songs._upsert(
        new(songs, code="a", title="One", album="X", source="spotify", is_saved=True, best=3, worst=3, cover="c")
    )
    values = {"title": "ONE", "album": "X", "uri": "u", "code": "z", "source": "deezer", "is_saved": False}
    row = await songs._named_upsert("from_provider", new(songs, **values, best=2, worst=2, cover=None))
    assert row.id == first.id
    assert (row.code, row.uri, row.title, row.source) == ("a", "u", "ONE", "hybrid")
    assert (row.is_saved, row.best, row.worst, row.cover) == (True, 3, 2, "c")
    row = await songs._named_upsert("from_provider", new(songs, code="a", title="1", source="hybrid", best=9, worst=9))
    assert (row.source, row.best, row.worst) == ("hybrid", 9, 2)


async def test_null_is_no_match(songs, db):
    await songs._named_upsert("from_provider", new(songs, title="One"))
    await songs._named_upsert("from_provider", new(songs, title="One"))
    assert await db.count("song") == 2


async def test_a_match_may_pass_over_spaces_around_a_text(songs, db):
    first = await songs._upsert(new(songs, code="a", title="  One More "))
    await songs._upsert(new(songs, code="b", title="OneMore"))
    for title in ("one more", " ONE MORE", "  One More "):
        assert (await songs._named_upsert("by_trimmed_title", new(songs, title=title))).id == first.id
    assert await db.count("song") == 2
    await songs._named_upsert("by_trimmed_title", new(songs, title="one  more"))
    await songs._named_upsert("by_trimmed_title", new(songs, title="\tone more"))
    assert await db.count("song") == 4


async def test_what_no_index_forbids_is_inserted_once_all_the_same(songs, db):
    await asyncio.gather(
        *(
            songs._named_upsert("from_provider", new(songs, title="one" if n % 2 else "ONE", album="X"))
            for n in range(20)
        )
    )
    assert await db.count("song") == 1


async def test_who_upserts_waits_for_the_block_of_another_who_does(songs, db):
    outside = contextvars.copy_context()
    async with db.transaction():
        first = await songs._named_upsert("from_provider", new(songs, title="One", album="X"))
        again = songs._named_upsert("from_provider", new(songs, title="ONE", album="X"))
        waiting = asyncio.create_task(again, context=outside)
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
    assert (await waiting).id == first.id
    assert await db.count("song") == 1


async def test_the_facade_upserts_dicts(songs, db):
    key = await db.upsert("song", {"code": "a", "title": "One"})
    assert await db.upsert("song", {"code": "a", "title": "Two"}, on=["code"]) == key
    row, is_new = await db.get_or_create("song", {"code": "a", "title": "Three"})
    assert (row["title"], is_new) == ("Two", False)
    row = await db.run_query("song", "from_provider", {"code": "a", "title": "Four"})
    assert (row["id"], row["title"]) == (key, "Four")


async def test_cached_answers_know_of_it(songs, db):
    row = await songs._upsert(new(songs, code="a", title="One"))
    assert await db.count("song") == 1
    assert (await songs._get(row.id)).title == "One"
    await songs._upsert(new(songs, code="a", title="Two"))
    assert (await songs._get(row.id)).title == "Two"
    await songs._upsert(new(songs, code="b"))
    assert await db.count("song") == 2


@pytest.mark.parametrize(
    ("upsert", "problem"),
    [
        ({"match": ["cod"]}, "song has no field 'cod'"),
        ({"match": [[]]}, "at least one field"),
        ({"match": ["lower(best)"]}, "lower() is for text"),
        ({"match": ["lower(trim(best))"]}, "lower() is for text"),
        ({"match": ["trim(title)"]}, "no field 'trim(title)'"),
        ({"match": ["lower(trim(title)"]}, "no field"),
        ({"match": ["code"], "rules": {"best": "biggest"}}, "unknown rule 'biggest'"),
        ({"match": ["code"], "rules": {"best": "sticky_true"}}, "for booleans"),
        ({"match": ["code"], "rules": {"is_saved": "max"}}, "has an order"),
        ({"match": ["code"], "rules": {"id": "overwrite"}}, "part of the key"),
        ({"match": ["code"], "rules": {"source": {"differs": 5}}}, "expected text"),
        ({"match": ["code"], "rules": {"source": {"other": "x"}}}, "a rule is a name"),
    ],
)
def test_an_upsert_that_makes_no_sense_is_refused_with_the_schema(upsert, problem):
    class Broken(SongSchema):
        queries = {"broken": {"upsert": upsert}}

    with pytest.raises(SchemaInvalidError) as caught:
        EntityRegistry.register("song", Broken)
    assert any(found.startswith("queries.broken") and problem in found for found in caught.value.context["problems"])


class CountedSchema(EntitySchema):
    entity_type = "counted"
    table_name = "counteds"
    fields = {"id": {"type": "integer", "primary_key": True}, "name": {"type": "string", "default": ""}}


async def test_after_a_key_that_was_given_the_database_gives_the_next(db):
    EntityRegistry.register("counted", CountedSchema)
    await db.create_table("counted")
    assert await db.save("counted", {}) == "1"
    await db.upsert("counted", {"id": 2})
    assert (await db.get_or_create("counted", {"id": 3}))[1] is True
    assert await db.save("counted", {}) == "4"
