"""Virtual fields: an id that is stored with a prefix is given, found and returned without it."""

import homes
import pytest
from soulspot_db import (
    ConstraintViolationError,
    EntityRegistry,
    EntitySchema,
    Repository,
    UnknownFieldError,
    ValidationFailedError,
)

DATABASES = homes.BOTH
PREFIX = "spotify:artist:"


class ArtistSchema(EntitySchema):
    entity_type = "artist"
    table_name = "artists"
    natural_key = "spotify_id"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "name": {"type": "string", "default": ""},
        "spotify_uri": {"type": "string", "unique": True, "nullable": True, "max_length": 40},
        "spotify_id": {"type": "string", "virtual": {"field": "spotify_uri", "prefix": PREFIX}},
    }
    queries = {
        "spotify_ids": {"select": "spotify_id", "where": {"spotify_id": {"ne": None}}, "order_by": "spotify_id"},
        "names": {"select": {"known_as": "spotify_id", "name": "name"}, "order_by": "name"},
        "delete_by_spotify_ids": {"delete": True, "where": {"spotify_id": {"in": {"param": "spotify_ids"}}}},
        "found": {"where": {"spotify_id": {"param": "spotify_id"}}},
        "others": {"where": {"spotify_id": {"ne": {"param": "spotify_id"}}}, "order_by": "name"},
        "starting": {"where": {"spotify_id": {"starts_with": {"param": "start", "optional": True}}}},
        "rename": {"update": {"spotify_id": {"param": "new"}}, "where": {"spotify_id": {"param": "old"}}},
        "from_spotify": {"upsert": {"match": ["spotify_id"], "rules": {"spotify_id": "fill_null"}}},
    }


class Artists(Repository):
    schema = ArtistSchema


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("virtual")) as home:
        EntityRegistry.register("artist", ArtistSchema)
        home.prepare(lambda db: db.create_table("artist"))
        yield home


@pytest.fixture
async def artists(db):
    EntityRegistry.register("artist", ArtistSchema)
    return Artists(db)


def new(artists, **values):
    return artists._plan.schema.create_model(**values)


async def test_what_is_given_without_its_prefix_is_stored_with_it(artists, db):
    row = await artists._save(new(artists, spotify_id="a"))
    assert (row.spotify_uri, row.spotify_id) == ("spotify:artist:a", "a")
    assert (await db.get("artist", "a"))["spotify_id"] == "a"
    assert (await db.get_or_raise("artist", "a"))["spotify_uri"] == "spotify:artist:a"
    assert await db.count("artist", {"spotify_uri": "spotify:artist:a"}) == 1


@pytest.mark.parametrize("call", ["query", "save"])
async def test_an_unknown_field_may_have_been_meant_for_a_virtual_one(artists, db, call):
    with pytest.raises(UnknownFieldError, match="did you mean 'spotify_id'") as caught:
        await getattr(db, call)("artist", {"spotifyid": "a"})
    assert caught.value.resolution == f"1. Use one of its fields: {', '.join(ArtistSchema.fields)}."


async def test_a_value_without_the_prefix_is_null(artists, db):
    row = await artists._save(new(artists, spotify_uri="local:a"))
    assert row.spotify_id is None
    assert (await db.get("artist", str(row.id)))["spotify_id"] is None


async def test_an_input_knows_both(artists):
    assert new(artists, spotify_uri="spotify:artist:a").spotify_id == "a"
    assert new(artists, spotify_id="a").spotify_uri == "spotify:artist:a"
    assert new(artists, spotify_uri="local:a").spotify_id is None
    assert "spotify:artist:a" in repr(new(artists, spotify_id="a"))


@pytest.mark.parametrize(
    "both",
    [
        {"spotify_id": "a", "spotify_uri": "spotify:artist:b"},
        {"spotify_id": "a", "spotify_uri": None},
        {"spotify_id": None, "spotify_uri": "spotify:artist:a"},
        {"spotify_id": "a", "spotify_uri": "a"},
    ],
)
async def test_both_given_and_contradicting_are_refused(artists, db, both):
    with pytest.raises(ValidationFailedError, match="spotify_id and spotify_uri contradict each other"):
        await db.save("artist", both)
    key = await db.save("artist", {"spotify_id": "a"})
    with pytest.raises(ValidationFailedError, match="contradict"):
        await db.update("artist", key, both)
    assert await db.count("artist") == 1


async def test_both_given_and_agreeing_are_taken(db, artists):
    assert await db.save("artist", {"spotify_id": "a", "spotify_uri": "spotify:artist:a"})
    assert await db.save("artist", {"spotify_id": None, "spotify_uri": "local:a"})


@pytest.mark.parametrize(("value", "problem"), [(5, "expected text"), ("a\0", "NUL"), ("x" * 40, "40 characters")])
async def test_the_rules_of_the_stored_field_hold(db, artists, value, problem):
    with pytest.raises(ValidationFailedError, match=problem):
        await db.save("artist", {"spotify_id": value})


async def test_a_unique_value_is_unique_either_way(db, artists):
    await db.save("artist", {"spotify_id": "a"})
    with pytest.raises(ConstraintViolationError) as caught:
        await db.save("artist", {"spotify_uri": "spotify:artist:a"})
    assert caught.value.context["field"] == "spotify_uri"


async def test_an_update_takes_it_and_tells_of_the_stored_field(db, artists, told):
    key = await db.save("artist", {"spotify_id": "a"})
    assert await db.update("artist", "a", {"name": "A", "spotify_id": "b"})
    row = await artists._get(artists._plan.keys.parse(key, "get")[0])
    assert (row.name, row.spotify_id) == ("A", "b")
    assert await db.update("artist", "b", {"spotify_id": None})
    assert (await db.get("artist", key))["spotify_uri"] is None
    assert await db.update_where("artist", {"spotify_id": None}, {"spotify_id": "c"}) == 1
    await db.events.settle()
    assert [data.get("fields") for _, data in told] == [None, ["name", "spotify_uri"], ["spotify_uri"], ["spotify_uri"]]


async def test_an_update_leaves_it_out_unless_it_is_given(db, artists):
    row = await artists._save(new(artists, spotify_id="a"))
    changed = await artists._update(row.id, artists._plan.schema.update_model(name="A"))
    assert (changed.name, changed.spotify_id) == ("A", "a")


async def test_rows_are_found_by_it_as_by_a_unique_field(artists):
    row = await artists._save(new(artists, spotify_id="a"))
    assert await artists._get_by({"spotify_id": "a"}) == row
    assert await artists._get_by({"spotify_id": None}) is None


async def test_what_has_the_prefix_already_does_not_get_it_twice(db, artists):
    row = await artists._save(new(artists, spotify_id="a"))
    uri, told = PREFIX + "a", r"it is what follows 'spotify:artist:'; what begins so is for spotify_uri"
    for call in (
        lambda: artists._get_by({"spotify_id": uri}),
        lambda: artists._query({"spotify_id": ["b", uri]}),
        lambda: artists._query({"spotify_id": {"starts_with": uri}}),
        lambda: db.get("artist", uri),
        lambda: db.save("artist", {"spotify_id": uri}),
        lambda: db.update("artist", str(row.id), {"spotify_id": uri}),
        lambda: db.upsert("artist", {"spotify_id": uri}, on=["spotify_id"]),
    ):
        with pytest.raises(ValidationFailedError, match=told):
            await call()


async def test_cached_answers_know_of_changes(db, artists):
    key = await db.save("artist", {"spotify_id": "a"})
    assert await db.get("artist", "b") is None
    assert (await db.get("artist", "a"))["id"] == key
    await db.update("artist", key, {"spotify_uri": "spotify:artist:b"})
    assert await db.get("artist", "a") is None
    assert (await db.get("artist", "b"))["id"] == key


IDS = (None, "", "a", "ab", "b", "%", "A")
URIS = (
    *(None if value is None else PREFIX + value for value in IDS),
    "local:a",
    "a",
    PREFIX[:-1],
    PREFIX.upper() + "a",
)


def read(uri):
    return uri[len(PREFIX) :] if uri is not None and uri.startswith(PREFIX) else None


def sql(holds):
    """As SQL compares: null is neither equal nor different."""
    return lambda value: value is not None and holds(value)


WHERE = [
    ({"spotify_id": "a"}, lambda value: value == "a"),
    ({"spotify_id": ""}, lambda value: value == ""),
    ({"spotify_id": None}, lambda value: value is None),
    ({"spotify_id": ["a", "b"]}, lambda value: value in {"a", "b"}),
    ({"spotify_id": []}, lambda _value: False),
    ({"spotify_id": ["a", None]}, lambda value: value in {"a", None}),
    ({"spotify_id": {"eq": "%"}}, lambda value: value == "%"),
    ({"spotify_id": {"ne": "a"}}, sql(lambda value: value != "a")),
    ({"spotify_id": {"ne": None}}, lambda value: value is not None),
    ({"spotify_id": {"is": "a"}}, lambda value: value == "a"),
    ({"spotify_id": {"is": None}}, lambda value: value is None),
    ({"spotify_id": {"is_not": "a"}}, lambda value: value != "a"),
    ({"spotify_id": {"is_not": None}}, lambda value: value is not None),
    ({"spotify_id": {"not_in": ["a", "b"]}}, sql(lambda value: value not in {"a", "b"})),
    ({"spotify_id": {"not_in": ["a", None]}}, sql(lambda value: value != "a")),
    ({"spotify_id": {"not_in": []}}, lambda value: True),
    ({"spotify_id": {"starts_with": "a"}}, sql(lambda value: value.startswith("a"))),
    ({"spotify_id": {"starts_with": ["a", "b"]}}, sql(lambda value: value.startswith(("a", "b")))),
    ({"spotify_id": {"starts_with": "%"}}, sql(lambda value: value.startswith("%"))),
    ({"spotify_id": {"starts_with": ""}}, lambda value: value is not None),
    ({"spotify_id": {"ne": "a", "starts_with": "a"}}, sql(lambda value: value != "a" and value.startswith("a"))),
    ({"not": {"spotify_id": None}}, lambda value: value is not None),
    ({"not": {"spotify_id": {"ne": None}}}, lambda value: value is None),
    ({"or": [{"spotify_id": "a"}, {"spotify_id": None}]}, lambda value: value in {"a", None}),
]


async def test_every_condition_means_what_it_means_of_the_value_without_the_prefix(db, artists):
    await db.save_many("artist", [{"spotify_uri": uri} for uri in URIS])
    for where, holds in WHERE:
        found = await db.query("artist", where)
        expected = [uri for uri in URIS if holds(read(uri))]
        assert sorted(map(str, (row["spotify_uri"] for row in found))) == sorted(map(str, expected)), where


@pytest.mark.parametrize("operator", ["lt", "like", "contains", "ends_with", "ieq", "between", "unknown"])
async def test_an_operator_that_means_something_else_with_the_prefix_is_refused_with_the_reason(db, artists, operator):
    with pytest.raises(ValidationFailedError, match="spotify_id is spotify_uri without 'spotify:artist:'") as caught:
        await db.query("artist", {"spotify_id": {operator: "a"}})
    assert caught.value.context["field"] == "spotify_id"


@pytest.mark.parametrize(
    "where", [{"eq": {"field": "name"}}, {"eq": 5}, {"in": "a"}, {"eq": ["a"]}, {"starts_with": None}, {}]
)
async def test_what_is_no_value_of_it_is_refused(db, artists, where):
    with pytest.raises(ValidationFailedError, match="spotify_id"):
        await db.query("artist", {"spotify_id": where})
    with pytest.raises(UnknownFieldError):
        await db.query("artist", {"spotify_idd": "a"})


async def test_rows_are_ordered_by_it(db, artists):
    await db.save_many("artist", [{"spotify_id": value} for value in ("b", "a", None)])
    found = await db.query("artist", order_by="spotify_id desc nulls first")
    assert [row["spotify_id"] for row in found] == [None, "b", "a"]
    page = await db.page("artist", order_by="spotify_id", limit=2)
    assert [row["spotify_id"] for row in page.items] == ["a", "b"]
    with pytest.raises(ValidationFailedError, match="twice"):
        await db.query("artist", order_by="spotify_id, spotify_uri")


async def test_named_queries_select_it_and_take_it(db, artists):
    await db.save_many(
        "artist",
        [{"spotify_id": "a", "name": "1"}, {"spotify_uri": "local:a", "name": "2"}, {"spotify_id": "b", "name": "3"}],
    )
    assert await db.run_query("artist", "spotify_ids") == ["a", "b"]
    assert await db.run_query("artist", "names") == [
        {"known_as": "a", "name": "1"},
        {"known_as": None, "name": "2"},
        {"known_as": "b", "name": "3"},
    ]
    assert [row["name"] for row in await db.run_query("artist", "found", {"spotify_id": "b"})] == ["3"]
    assert [row["name"] for row in await db.run_query("artist", "found", {"spotify_id": None})] == ["2"]
    assert [row["name"] for row in await db.run_query("artist", "others", {"spotify_id": "a"})] == ["3"]
    assert len(await db.run_query("artist", "starting")) == 3
    assert len(await db.run_query("artist", "starting", {"start": "b"})) == 1
    assert await db.run_query("artist", "rename", {"old": "a", "new": "c"}) == 1
    assert await db.run_query("artist", "spotify_ids") == ["b", "c"]
    assert await db.run_query("artist", "rename", {"old": "a", "new": None}) == 0
    with pytest.raises(ValidationFailedError, match="40 characters"):
        await db.run_query("artist", "rename", {"old": "c", "new": "x" * 40})
    assert await db.run_query("artist", "delete_by_spotify_ids", {"spotify_ids": ["b", "x"]}) == 1


async def test_upserts_find_the_row_by_it(db, artists):
    key = await db.upsert("artist", {"spotify_id": "a", "name": "1"})
    assert await db.upsert("artist", {"spotify_id": "a", "name": "2"}, on=["spotify_id"]) == key
    row, is_new = await db.get_or_create("artist", {"spotify_id": "a"}, on=["spotify_id"])
    assert (row["name"], is_new) == ("2", False)
    row = await db.run_query("artist", "from_spotify", {"spotify_id": "a", "name": "3"})
    assert (row["id"], row["name"]) == (key, "3")


async def test_an_index_on_the_stored_field_serves_it(db, artists):
    statement = artists._plan.queries.select(artists._filter({"spotify_id": ["a", "b"]}, "query"))
    assert "spotify_uri" in statement.sql
    assert not {"substr", "LIKE", "GLOB"} & set(statement.sql.split())


async def test_sorted_out_text_of_another_type_is_not_mistaken_for_it(db, artists):
    key = await db.save("artist", {})
    assert (await db.get("artist", key))["id"] == key
