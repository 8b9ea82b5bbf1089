"""The repository: what generated ones forward to, with typed keys, models and patches."""

from uuid import UUID

import homes
import pydantic
import pytest
from soulspot_db import (
    UNSET,
    ConstraintViolationError,
    EntityRegistry,
    EntitySchema,
    NotFoundError,
    Repository,
    SchemaInvalidError,
    UnknownFieldError,
    ValidationFailedError,
)
from soulspot_db.schema import resolved
from support import CounterSchema, JobSchema, PlaylistSchema, PlaylistTrackSchema, outside

DATABASES = homes.ALL

NOBODY = UUID("0190b2d4-1f7e-7c3a-9f00-0123456789ab")


class Playlists(Repository):
    schema = PlaylistSchema


class PlaylistTracks(Repository):
    schema = PlaylistTrackSchema


class Jobs(Repository):
    schema = JobSchema


class Counters(Repository):
    schema = CounterSchema


PlaylistCreate = resolved(PlaylistSchema).create_model
PlaylistUpdate = resolved(PlaylistSchema).update_model
JobCreate, JobUpdate = resolved(JobSchema).create_model, resolved(JobSchema).update_model
TrackCreate = resolved(PlaylistTrackSchema).create_model


@pytest.fixture
def playlists(db):
    return Playlists(db)


async def test_save_returns_the_stored_row_as_a_frozen_model(playlists):
    stored = await playlists._save(PlaylistCreate(name="Focus"))
    assert isinstance(stored.id, UUID)
    assert stored == await playlists._get(stored.id)
    with pytest.raises(pydantic.ValidationError):
        stored.name = "changed"


async def test_every_caller_gets_the_one_cached_row(playlists):
    key = (await playlists._save(PlaylistCreate(name="Focus"))).id
    assert await playlists._get(key) is await playlists._get(key)


async def test_get_of_a_missing_row_is_none_and_get_or_raise_raises(playlists):
    assert await playlists._get(NOBODY) is None
    with pytest.raises(NotFoundError) as caught:
        await playlists._get_or_raise(NOBODY)
    assert caught.value.context["operation"] == "get_or_raise"


async def test_get_many_keeps_the_order_and_repeats_what_is_asked_twice(playlists):
    a, b = await playlists._save_many([PlaylistCreate(name="a"), PlaylistCreate(name="b")])
    assert await playlists._get_many([b.id, NOBODY, a.id, b.id]) == [b, None, a, b]
    assert await playlists._get_many([]) == []


async def test_get_many_finds_more_keys_than_fit_into_one_list(db):
    jobs = Jobs(db)
    stored = await jobs._save_many([JobCreate(title=f"t{number}") for number in range(1_500)])
    assert await jobs._get_many([job.id for job in stored]) == stored


async def test_get_many_takes_composite_keys(db, playlists):
    playlist = await playlists._save(PlaylistCreate(name="Focus"))
    tracks = PlaylistTracks(db)
    stored = await tracks._save(TrackCreate(playlist_id=playlist.id, track_id="t1"))
    assert await tracks._get((playlist.id, "t1")) == stored
    assert await tracks._get_many([(playlist.id, "t2"), (playlist.id, "t1")]) == [None, stored]


async def test_a_row_is_found_by_a_unique_field_and_null_finds_none(playlists):
    stored = await playlists._save(PlaylistCreate(name="Focus", spotify_id="s1"))
    await playlists._save(PlaylistCreate(name="Sleep"))
    assert await playlists._get_by({"spotify_id": "s1"}) == stored
    assert await playlists._get_by({"spotify_id": None}) is None


async def test_update_tells_unset_from_none_and_returns_the_row(playlists):
    stored = await playlists._save(PlaylistCreate(name="Focus", description="quiet"))
    changed = await playlists._update(stored.id, PlaylistUpdate(name="Sleep"))
    assert (changed.name, changed.description) == ("Sleep", "quiet")
    assert (await playlists._update(stored.id, PlaylistUpdate(description=None))).description is None
    assert await playlists._update(NOBODY, PlaylistUpdate(name="x")) is None


async def test_an_update_with_nothing_returns_the_row_as_it_is(playlists):
    stored = await playlists._save(PlaylistCreate(name="Focus"))
    assert await playlists._update(stored.id, PlaylistUpdate()) == stored
    assert await playlists._update(NOBODY, PlaylistUpdate()) is None


async def test_query_count_exists_and_conditional_writes_work_on_typed_models(playlists):
    await playlists._save_many([PlaylistCreate(name=name) for name in "abc"])
    assert [row.name for row in await playlists._query({"name": {"gt": "a"}}, order_by="name desc")] == ["c", "b"]
    assert await playlists._count() == 3
    assert await playlists._exists({"name": "z"}) is False
    assert await playlists._update_where({"name": "a"}, PlaylistUpdate(track_count=1)) == 1
    assert await playlists._delete_where({"track_count": 0}) == 2


async def test_a_list_of_rows_is_the_callers_own(playlists):
    await playlists._save(PlaylistCreate(name="Focus"))
    (await playlists._query()).clear()
    assert len(await playlists._query()) == 1


async def test_delete_says_whether_there_was_a_row(playlists):
    stored = await playlists._save(PlaylistCreate(name="Focus"))
    assert [await playlists._delete(stored.id), await playlists._delete(stored.id)] == [True, False]


async def test_a_repository_of_a_transaction_works_in_it(db):
    async with db.transaction() as tx:
        stored = await Playlists(tx)._save(PlaylistCreate(name="Focus"))
        assert outside(db, "SELECT * FROM playlists") == []
    assert await Playlists(db)._get(stored.id) == stored


async def test_a_repository_of_the_database_joins_the_transaction_around_the_call(db, playlists):
    with pytest.raises(KeyError):
        async with db.transaction():
            await playlists._save(PlaylistCreate(name="Focus"))
            assert await playlists._count() == 1
            raise KeyError
    assert await playlists._count() == 0


@pytest.mark.parametrize("key", ["x", 7, None, (NOBODY,), "a\0"])
async def test_what_is_not_a_key_is_refused_with_entity_and_operation(playlists, key):
    with pytest.raises(ValidationFailedError) as caught:
        await playlists._delete(key)
    assert caught.value.context["entity_type"] == "playlist"
    assert caught.value.context["operation"] == "delete"


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (
            lambda rows: rows._save(TrackCreate(playlist_id=NOBODY, track_id="t")),
            "PlaylistCreate, got PlaylistTrackCreate",
        ),
        (lambda rows: rows._save({"name": "x"}), "PlaylistCreate, got dict"),
        (lambda rows: rows._save(PlaylistUpdate(name="x")), "PlaylistCreate, got PlaylistUpdate"),
        (lambda rows: rows._save_many(PlaylistCreate(name="x")), "a list of rows, got PlaylistCreate"),
        (lambda rows: rows._save_many([PlaylistCreate(name="x"), None]), "PlaylistCreate, got NoneType"),
        (lambda rows: rows._save_many("abc"), "a list of rows, got str"),
        (lambda rows: rows._update(NOBODY, {"name": "x"}), "PlaylistUpdate, got dict"),
        (lambda rows: rows._update(NOBODY, JobUpdate(title="x")), "PlaylistUpdate, got JobUpdate"),
        (lambda rows: rows._update_where({"name": "x"}, {"name": "y"}), "PlaylistUpdate, got dict"),
        (lambda rows: rows._get_many("abc"), "a list of keys, got str"),
        (lambda rows: rows._get_many(None), "a list of keys, got NoneType"),
    ],
)
async def test_what_a_method_does_not_take_is_refused_with_what_it_takes(db, playlists, call, wanted):
    with pytest.raises(ValidationFailedError, match=wanted) as caught:
        await call(playlists)
    assert caught.value.context["entity_type"] == "playlist"
    assert outside(db, "SELECT count(*) FROM playlists") == [(0,)]


async def test_an_update_leaves_unset_fields_as_they_are(playlists):
    stored = await playlists._save(PlaylistCreate(name="Focus", description="quiet"))
    changed = await playlists._update(stored.id, PlaylistUpdate(name="Sleep", description=UNSET))
    assert (changed.name, changed.description) == ("Sleep", "quiet")
    assert await playlists._update(stored.id, PlaylistUpdate(description=UNSET)) == changed


async def test_a_key_that_is_sensitive_is_in_no_error(db):
    keyed = {"id": {"type": "string", "primary_key": True, "sensitive": True}}
    named = {"id": {"type": "uuid", "primary_key": True}, "name": {"type": "string", "unique": True, "sensitive": True}}
    for fields in (keyed, named):
        with EntityRegistry.isolated():
            schema = type("Secret", (EntitySchema,), {"entity_type": "s", "table_name": "ss", "fields": fields})
            EntityRegistry.register("s", schema)
            await db.create_table("s")
            with pytest.raises(NotFoundError) as caught:
                await db.get_or_raise("s", "geheim")
            assert "geheim" not in str(caught.value.to_dict())
            assert "entity_id" not in caught.value.context
        outside(db, "DROP TABLE ss")


async def test_a_key_that_is_not_there_is_in_the_error(playlists):
    with pytest.raises(NotFoundError) as caught:
        await playlists._get_or_raise(NOBODY)
    assert caught.value.context["entity_id"] == str(NOBODY)


# What the database refuses is told in the caller's words.


async def test_a_violation_of_a_unique_expression_names_the_index_and_its_fields(db):
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "name": {"type": "string", "column": "its_name"},
        "kind": {"type": "string", "default": "x"},
    }
    indexes = ({"fields": ["lower(name)", "kind"], "unique": True},)
    named = {"entity_type": "label", "table_name": "labels", "fields": fields, "indexes": indexes}
    EntityRegistry.register("label", type("Label", (EntitySchema,), named))
    await db.create_table("label")
    await db.save("label", {"name": "Rock"})
    with pytest.raises(ConstraintViolationError) as caught:
        await db.save("label", {"name": "ROCK"})
    context = caught.value.context
    assert (context["kind"], context["field"]) == ("unique", "name, kind")
    assert context["constraint"] == "uq_labels_lower_name_kind"
    assert "name, kind" in caught.value.message


async def test_a_violation_names_the_field_and_not_its_column(db):
    jobs = Jobs(db)
    await jobs._save(JobCreate(title="a"))
    with pytest.raises(ConstraintViolationError) as caught:
        await jobs._save(JobCreate(title="a"))
    error = caught.value
    assert (error.context["field"], error.context["kind"]) == ("title", "unique")
    assert (error.context["entity_type"], error.context["operation"]) == ("job", "save")
    assert "job_title" not in error.message


async def test_a_violation_of_an_update_names_entity_operation_and_field(db):
    jobs = Jobs(db)
    await jobs._save(JobCreate(title="a"))
    second = await jobs._save(JobCreate(title="b"))
    with pytest.raises(ConstraintViolationError) as caught:
        await jobs._update(second.id, JobUpdate(title="a"))
    assert caught.value.context["operation"] == "update"
    with pytest.raises(ConstraintViolationError) as caught:
        await jobs._update_where({"id": second.id}, JobUpdate(title="a"))
    assert (caught.value.context["operation"], caught.value.context["field"]) == ("update_where", "title")


async def test_a_missing_reference_names_the_field_that_refers(db):
    with pytest.raises(ConstraintViolationError) as caught:
        await PlaylistTracks(db)._save(TrackCreate(playlist_id=NOBODY, track_id="t1"))
    assert (caught.value.context["kind"], caught.value.context["field"]) == ("foreign key", "playlist_id")


async def test_a_taken_composite_key_names_all_its_fields(db, playlists):
    playlist = await playlists._save(PlaylistCreate(name="Focus"))
    new = TrackCreate(playlist_id=playlist.id, track_id="t1")
    await PlaylistTracks(db)._save(new)
    with pytest.raises(ConstraintViolationError) as caught:
        await PlaylistTracks(db)._save(new)
    assert caught.value.context["field"] == "playlist_id, track_id"


async def test_a_check_that_only_the_database_makes_names_the_field(db):
    unchecked = JobCreate.model_construct(id=None, title="x" * 11, priority=None)
    with pytest.raises(ConstraintViolationError) as caught:
        await Jobs(db)._save(unchecked)
    assert (caught.value.context["field"], caught.value.context["constraint"]) == ("title", "ck_jobs_job_title_length")


async def test_a_value_that_was_stored_is_in_no_message(db):
    jobs = Jobs(db)
    await jobs._save(JobCreate(title="geheim"))
    with pytest.raises(ConstraintViolationError) as caught:
        await jobs._save(JobCreate(title="geheim"))
    assert "geheim" not in f"{caught.value} {caught.value.to_dict()} {caught.value.__cause__}"


async def test_an_unknown_field_of_a_filter_names_the_operation(playlists):
    with pytest.raises(UnknownFieldError) as caught:
        await playlists._count({"nam": 1})
    assert caught.value.context["operation"] == "count"


def test_a_repository_with_a_broken_schema_says_what_is_wrong(db):
    class Broken(Repository):
        schema = type("BrokenSchema", (PlaylistSchema,), {"fields": {}})

    with pytest.raises(SchemaInvalidError):
        Broken(db)


async def test_now_is_one_moment_a_row_and_that_of_the_save(db):
    key = await db.save("playlist", {"name": "a"})
    row = await db.get("playlist", key)
    assert row["created_at"] == row["updated_at"]
