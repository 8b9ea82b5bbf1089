"""Factories: rows that save, of which only what matters is given, and the same ones for the same seed."""

import datetime as dt

import kit_schemas
import pytest
from soulspot_db import (
    ConstraintViolationError,
    EntityRegistry,
    EntitySchema,
    UnknownEntityError,
    UnknownFieldError,
    ValidationFailedError,
)
from soulspot_db.language.types import TYPES
from soulspot_db.testing import Factories
from soulspot_db.testing.values import MAKERS


@pytest.fixture
def define(registry):
    """Registers an entity with a uuid key and these fields."""

    def register(fields, **more):
        base = {"entity_type": "thing", "table_name": "things"}
        body = {**base, "fields": {"id": {"type": "uuid", "primary_key": True}, **fields}, **more}
        registry.register("thing", type("ThingSchema", (EntitySchema,), body))

    return register


def test_every_field_type_has_a_maker():
    assert set(MAKERS) == set(TYPES)


@pytest.mark.parametrize("entity_type", [schema.entity_type for schema in kit_schemas.SCHEMAS])
async def test_rows_of_every_entity_save_one_after_another(db, tables, factories, entity_type):
    for _ in range(4):
        await factories.create(entity_type)
        await factories.full.create(entity_type)
    assert await db.count(entity_type) >= 8


async def test_a_row_is_what_the_facade_returns(db, tables, factories):
    row = await factories.create("artist")
    assert row == await db.get("artist", row["id"])


async def test_what_has_a_default_keeps_it_and_what_may_be_missing_is(tables, factories):
    row = await factories.create("artist")
    assert (row["genre"], row["spotify_id"]) == ("rock", None)
    assert dt.datetime.now(dt.UTC) - row["created_at"] < dt.timedelta(minutes=1)


async def test_what_is_given_stays_as_it_is(tables, factories):
    row = await factories.create("artist", name="Air", genre="jazz", spotify_id="x")
    assert (row["name"], row["genre"], row["spotify_id"]) == ("Air", "jazz", "x")


async def test_full_rows_have_a_value_in_every_field(tables, factories):
    for entity_type in ("artist", "album", "target"):
        assert None not in (await factories.full.create(entity_type)).values()


async def test_rows_are_made_so_that_they_are_found(db, tables, factories):
    rows = [await made.create("ticket") for made in (factories, factories.full) * 3]
    assert {row["id"] for row in await db.query("ticket")} == {row["id"] for row in rows}
    ended = await factories.create("ticket", ends_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert await db.get("ticket", ended["id"]) is None


async def test_the_rows_that_a_row_must_refer_to_are_made_and_no_others(db, tables, factories):
    album = await factories.create("album")
    assert await db.get("artist", album["artist_id"])
    assert (album["producer_id"], album["reissue_of"]) == (None, None)
    assert (await db.count("artist"), await db.count("album")) == (1, 1)


async def test_a_reference_that_is_given_makes_no_row(db, tables, factories):
    artist = await factories.create("artist")
    album = await factories.create("album", artist_id=artist["id"])
    assert album["artist_id"] == artist["id"]
    assert await db.count("artist") == 1


async def test_a_check_may_want_a_reference_that_could_be_missing_otherwise(db, tables, factories):
    target = await factories.create("target")
    assert target["artist_id"] or target["album_id"]
    given = await factories.create("target", artist_id=None)
    assert await db.get("album", str(given["album_id"]))


async def test_a_row_that_has_no_choice_refers_to_itself(tables, factories):
    node = await factories.create("node")
    assert node["parent_id"] == node["id"]
    assert (await factories.create("node", parent_id=node["id"]))["parent_id"] == node["id"]


async def test_checks_hold_beside_what_is_given(tables, factories):
    row = await factories.create("range", low=995)
    assert 995 < row["high"] <= 1000
    assert row["kind"] in {"c", "d"}


async def test_a_given_value_that_breaks_a_check_by_itself_is_left_to_the_database(tables, factories):
    with pytest.raises(ConstraintViolationError):
        await factories.create("range", low=999, high=998)


async def test_a_row_that_cannot_be_is_an_error_that_names_the_fields(tables, factories):
    with pytest.raises(ValidationFailedError, match="high, low"):
        await factories.create("range", low=2000)


async def test_only_rows_of_a_partial_index_compete_for_its_values(db, tables, factories):
    rows = [await factories.create("setting") for _ in range(5)]
    assert {row["is_default"] for row in rows} == {False}
    assert (await factories.create("setting", is_default=True))["is_default"] is True


async def test_unique_values_that_the_test_saved_itself_are_stepped_around(db, tables, factories):
    for number in range(1, 4):
        await db.save("artist", {"name": "Air", "spotify_id": f"spotify id {number}"})
    assert (await factories.full.create("artist"))["spotify_id"] == "spotify id 4"


async def test_a_unique_value_that_is_given_twice_is_a_constraint_violation(db, tables, factories):
    await factories.create("artist", spotify_id="x")
    with pytest.raises(ConstraintViolationError):
        await factories.create("artist", spotify_id="x")
    assert await db.count("artist") == 1


async def test_rows_sort_by_their_uuid_as_they_were_made(db, tables, factories):
    rows = [await factories.create("artist") for _ in range(10)]
    assert await db.query("artist", order_by="id") == rows


async def test_created_rows_join_the_transaction_and_publish_events(db, tables, factories, events):
    with pytest.raises(RuntimeError):
        async with db.transaction():
            await factories.create("album")
            raise RuntimeError
    assert await db.count("artist") == 0
    await factories.create("album")
    assert [event.event_type for event in events.all()] == ["database.artist.created", "database.album.created"]


def test_a_built_row_is_an_input_model_that_is_not_saved(factories):
    new = factories.build("album", title="Moon Safari")
    assert (type(new).__name__, new.title, new.id) == ("AlbumCreate", "Moon Safari", None)
    assert new.artist_id is not None


def test_the_same_seed_makes_the_same_rows(db):
    def made(factories):
        rows = [factories.full.build(name) for name in EntityRegistry.list_entity_types() * 3]
        return [row.model_dump(exclude={"created_at"}) for row in rows]

    one, same, other = (Factories(db, seed=seed) for seed in (1, 1, 2))
    first = made(one)
    assert first == made(same) != made(other)
    one.seed(1)
    assert made(one) == first


def test_a_name_or_a_value_that_the_entity_does_not_take_is_refused(factories):
    with pytest.raises(UnknownEntityError):
        factories.build("nothing")
    with pytest.raises(UnknownFieldError, match="title"):
        factories.build("album", titel="x")
    with pytest.raises(ValidationFailedError, match="at most 20"):
        factories.build("artist", name="a" * 21)


@pytest.mark.parametrize("name", ["self", "cls", "entity", "build", "batch", "seed", "kwargs", "values", "name"])
def test_a_field_may_have_any_name(define, factories, name):
    define({name: {"type": "string"}})
    assert getattr(factories.build("thing", **{name: "given"}), name) == "given"
    assert getattr(factories.build("thing"), name).startswith(name)


@pytest.mark.parametrize(
    "pattern", ["[a-z]{3}-[0-9]+", "(?i:abc)|x{2,4}", r"\d{4}-\d\d", "[^a-c]", r"(a|b)(?P<n>\w)(?P=n)", r"#[0-9A-F]{6}"]
)
def test_text_matches_its_pattern(define, factories, pattern):
    define({"code": {"type": "string", "pattern": pattern, "max_length": 30}})
    for _ in range(20):
        factories.build("thing")


def test_a_pattern_that_cannot_be_guessed_asks_for_a_value(define, factories):
    define({"code": {"type": "string", "pattern": "(?!a)a"}})
    with pytest.raises(ValidationFailedError, match="'code' of thing") as failure:
        factories.build("thing")
    assert "factories.build('thing', code=...)" in failure.value.resolution


def test_more_unique_rows_than_there_are_values_is_an_error_that_says_so(define, factories):
    define({"flag": {"type": "boolean", "unique": True}})
    factories.build("thing")
    factories.build("thing")
    with pytest.raises(ValidationFailedError, match="unique indexes: flag"):
        factories.build("thing")
