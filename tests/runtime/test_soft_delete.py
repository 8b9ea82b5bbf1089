"""Soft delete: a deleted row is hidden from every read and write, can be looked at, brought back, and deleted for good."""

import datetime as dt
from uuid import UUID

import hiding_schemas
import homes
import pytest
from hiding_schemas import PAST, Folders, Labels, Notes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soulspot_db import (
    ConstraintViolationError,
    EntityRegistry,
    EntitySchema,
    SchemaInvalidError,
    ValidationFailedError,
    VersionConflictError,
)

DATABASES = homes.BOTH


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("hiding")) as home:
        hiding_schemas.register()
        home.prepare(hiding_schemas.make)
        yield home


@pytest.fixture(autouse=True)
def known(registry):
    hiding_schemas.register()


@pytest.fixture
def notes(db):
    return Notes(db)


def new(notes, **values):
    return notes._plan.schema.create_model(**values)


def changes(notes, **values):
    return notes._plan.schema.update_model(**values)


async def gone(notes, **values):
    """A note that was deleted."""
    row = await notes._save(new(notes, **values))
    assert await notes._delete(row.id)
    return row


async def test_a_deleted_row_stays_in_its_table(db, notes):
    row = await gone(notes, code="a")
    kept = await notes._with_deleted()._get(row.id)
    assert (kept.id, kept.code, kept.version) == (row.id, "a", row.version + 1)
    assert dt.datetime.now(dt.UTC) - kept.deleted_at < dt.timedelta(minutes=1)
    assert kept.changed_at == kept.deleted_at > row.changed_at


async def test_no_read_finds_a_deleted_row(db, notes):
    row, there = await gone(notes, code="a", place=1), await notes._save(new(notes, code="b", place=2))
    assert await notes._get(row.id) is None
    assert await notes._get_many([row.id, there.id]) == [None, there]
    assert await notes._get_by({"code": "a"}) is None
    assert await notes._query() == [there]
    assert await notes._query({"id": [row.id, there.id]}, order_by="place", limit=1) == [there]
    assert await notes._count() == 1
    assert not await notes._exists({"code": "a"})
    assert (await notes._page()).items == [there]
    assert [each async for each in notes._stream()] == [there]
    assert await notes._named_list("in_folder", {"folder": 1}) == [there]
    assert await notes._named_column("places", {}) == [2]
    assert await notes._named_rows("by_folder", {}, lambda *values: values) == [(1, 1)]
    assert not await notes._named_exists("has_place", {"place": 1})
    with pytest.raises(Exception, match="there is no note"):
        await notes._get_or_raise(row.id)
    for entity_id in (str(row.id), "a"):
        assert await db.get("note", entity_id) is None
    assert [each["code"] for each in await db.query("note")] == ["b"]


async def test_a_row_that_was_cached_is_not_found_once_it_is_deleted(notes):
    row = await notes._save(new(notes, code="a"))
    for _ in range(2):
        assert await notes._get(row.id) == await notes._get_by({"code": "a"}) == row
        assert await notes._get_many([row.id]) == [row]
    await notes._delete(row.id)
    for _ in range(2):
        assert await notes._get(row.id) is await notes._get_by({"code": "a"}) is None
        assert await notes._get_many([row.id]) == [None]


async def test_what_sees_deleted_rows_keeps_answers_of_its_own(notes):
    row = await gone(notes, code="a", place=1)
    wider = notes._with_deleted()
    for _ in range(2):
        assert await notes._query({"place": 1}) == []
        assert [each.id for each in await wider._query({"place": 1})] == [row.id]
        assert (await notes._count(), await wider._count()) == (0, 1)
        assert await notes._get(row.id) is None
        assert (await wider._get(row.id)).id == row.id
    await notes._restore(row.id)
    assert (await notes._count(), await wider._count()) == (1, 1)
    assert (await wider._get(row.id)).deleted_at is None


async def test_no_write_touches_a_deleted_row(db, notes):
    row = await gone(notes, code="a", place=1)
    assert await notes._update(row.id, changes(notes, place=7)) is None
    assert await notes._update(row.id, changes(notes)) is None
    assert await notes._update(row.id, changes(notes, place=7, version=1)) is None
    assert await notes._update_where({"code": "a"}, changes(notes, place=7)) == 0
    assert not await notes._delete(row.id)
    assert await notes._delete_where({}, all_rows=True) == 0
    assert await notes._named_write("drop", {"place": 1}) == 0
    assert await notes._named_write("shift", {}) == 0
    assert await notes._named_claim("take", {}) == []
    assert not await db.update("note", str(row.id), {"place": 7})
    assert not await db.delete("note", "a")
    kept = await notes._with_deleted()._get(row.id, fresh=True)
    assert (kept.place, kept.version) == (1, 2)


async def test_deleting_publishes_deleted_and_restoring_created(db, notes, told):
    row = await gone(notes, code="a")
    await notes._restore(row.id)
    await db.events.settle()
    data = {"entity_id": str(row.id), "entity_type": "note"}
    assert told == [(f"database.note.{what}", data) for what in ("created", "deleted", "created")]


@pytest.mark.parametrize("size", [None, 2])
async def test_many_rows_are_hidden_by_a_condition(db, notes, told, size):
    await notes._save_many([new(notes, place=place) for place in range(5)])
    assert await notes._delete_where({"place": {"lt": 4}}, batch_size=size) == 4
    assert [each.place for each in await notes._query()] == [4]
    assert await notes._named_write("drop", {"place": 4}) == 1
    assert await notes._with_deleted()._count() == 5
    await db.events.settle()
    assert [topic for topic, _ in told].count("database.note.deleted") == 5


async def test_deleting_among_deleted_rows_deletes_none_of_them_again(db, notes, told):
    row = await gone(notes, code="a")
    wider = notes._with_deleted()
    before = await wider._get(row.id)
    assert not await wider._delete(row.id)
    assert await wider._delete_where({}, all_rows=True) == 0
    assert await wider._get(row.id, fresh=True) == before


async def test_a_unique_value_of_a_deleted_row_is_free(notes):
    first = await gone(notes, code="a", folder_id=1, place=1)
    second = await gone(notes, code="a", folder_id=1, place=1)
    third = await notes._save(new(notes, code="a", folder_id=1, place=1))
    assert (await notes._get_by({"code": "a"})).id == third.id
    with pytest.raises(ConstraintViolationError):
        await notes._save(new(notes, code="a"))
    with pytest.raises(ConstraintViolationError):
        await notes._save(new(notes, folder_id=1, place=1))
    with pytest.raises(ConstraintViolationError):
        await notes._restore(first.id)
    wider = notes._with_deleted()
    assert (await wider._get_by({"code": "a"})).id == third.id
    await notes._delete(third.id)
    assert (await wider._get_by({"code": "a"})).id == third.id  # the last that was deleted
    assert {each.id for each in await wider._query({"code": "a"})} == {first.id, second.id, third.id}
    fourth = await notes._save(new(notes, code="a"))
    assert (await wider._get_by({"code": "a"})).id == fourth.id


async def test_an_upsert_does_not_find_a_deleted_row(notes):
    row = await gone(notes, code="a", place=1)
    made = await notes._upsert(new(notes, code="a", place=2), on=["code"])
    assert made.id != row.id
    again, is_new = await notes._get_or_create(new(notes, code="a"), on=["code"])
    assert (again, is_new) == (made, False)
    put = await notes._named_upsert("put", new(notes, code="a", folder_id=1, place=1))
    assert (put.id, put.place) == (made.id, 1)
    assert (await notes._with_deleted()._get(row.id, fresh=True)).deleted_at is not None


async def test_a_new_row_with_the_key_of_a_deleted_one_is_refused(notes):
    row = await gone(notes, code="a")
    for write in (notes._save, notes._upsert):
        with pytest.raises(ConstraintViolationError):
            await write(new(notes, id=row.id, code="b"))


async def test_restoring_brings_back_a_deleted_row_and_nothing_else(db, notes):
    row = await gone(notes, code="a")
    back = await notes._restore(row.id)
    assert (back.deleted_at, back.version) == (None, row.version + 2)
    assert await notes._get(row.id) == await notes._get_by({"code": "a"}) == back
    assert await notes._restore(row.id) is None
    assert not await db.restore("note", str(row.id))
    await notes._delete(row.id)
    assert await db.restore("note", "a")
    assert (await db.get("note", "a"))["id"] == str(row.id)


async def test_a_version_from_before_the_deletion_is_overtaken(notes):
    row = await gone(notes, code="a")
    await notes._restore(row.id)
    with pytest.raises(VersionConflictError):
        await notes._update(row.id, changes(notes, place=1, version=row.version))


async def test_purging_deletes_for_good_and_tells_nobody_again(db, notes, told):
    row, there = await gone(notes, code="a"), await notes._save(new(notes, code="b"))
    assert await notes._with_deleted()._count() == 2
    assert await notes._purge_deleted(older_than=dt.timedelta(days=1)) == 0
    assert await notes._purge_deleted() == 1
    assert await notes._with_deleted()._query() == [there]
    assert await notes._with_deleted()._get(row.id) is None
    await db.events.settle()
    assert [topic for topic, _ in told].count("database.note.deleted") == 1


@pytest.mark.parametrize("age", [3, "30d", -dt.timedelta(days=1)])
async def test_an_age_is_a_span_of_time(notes, age):
    row = await gone(notes, code="a")
    with pytest.raises(ValidationFailedError, match="older_than as a timedelta that is not negative"):
        await notes._purge_deleted(older_than=age)
    assert await notes._with_deleted()._get(row.id) is not None


async def test_purging_goes_in_batches_and_tells_how_far(db, notes):
    await notes._save_many([new(notes, place=place, deleted_at=PAST if place else None) for place in range(6)])
    told = []
    assert await db.purge_deleted("note", older_than=dt.timedelta(days=1), batch_size=2, progress=told.append) == 5
    assert told == [2, 4, 5]
    assert await db.with_deleted.count("note") == 1


async def test_the_facade_sees_deleted_rows_where_it_is_asked_to(db, notes):
    row = await gone(notes, code="a")
    assert (await db.with_deleted.get("note", "a"))["id"] == str(row.id)
    assert (await db.get("note", "a"), await db.count("note"), await db.with_deleted.count("note")) == (None, 0, 1)
    async with db.transaction() as tx:
        assert await tx.with_deleted.count("note") == 1
        assert await tx.count("note") == 0
    assert await db.with_deleted.with_expired.count("note") == 1


async def test_loaders_and_relations_leave_deleted_rows_out(db, notes):
    folders, labels = Folders(db), Labels(db)
    folder = await folders._save(new(folders, id=1))
    label = await labels._save(new(labels, id=1))
    there = await notes._save(new(notes, code="a", place=1))
    dead = await notes._save(new(notes, code="b", place=2))
    for note in (there, dead):
        await db.save("tagging", {"note_id": str(note.id), "label_id": 1})
    empty = await folders._save(new(folders, id=2))
    await notes._delete(dead.id)
    assert await folders._children("notes", folder) == [there]
    assert await folders._children("notes", folder, {"place": {"gt": 0}}, limit=5) == [there]
    assert await folders._children_of("notes", [folder, empty]) == [[there], []]
    assert await labels._children("notes", label) == [there]
    assert await folders._query({"notes": {"some": {"code": "b"}}}) == []
    assert await folders._query({"notes": {"none": {"code": "b"}}}, order_by="id") == [folder, empty]
    assert await folders._query({"notes": {"every": {"code": "a"}}}, order_by="id") == [folder, empty]
    assert await labels._query({"notes": {"some": {"code": "b"}}}) == []
    assert await labels._query({"notes": {"every": {"code": "a"}}}) == [label]
    await notes._restore(dead.id)
    assert len(await folders._children("notes", folder)) == 2
    assert await labels._query({"notes": {"some": {"code": "b"}}}) == [label]


async def test_a_deletion_is_undone_with_its_transaction(db, notes, told):
    row = await notes._save(new(notes, code="a"))
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await notes._delete(row.id)
            assert await notes._get(row.id) is None
            raise ZeroDivisionError
    assert await notes._get(row.id) == row
    await db.events.settle()
    assert [topic for topic, _ in told] == ["database.note.created"]


async def test_what_is_not_kept_cannot_be_restored_or_purged(db):
    for call in (db.restore("folder", "1"), db.purge_deleted("folder"), db.purge_expired("note")):
        with pytest.raises(ValidationFailedError, match=r"has no '(soft_delete|expires)'"):
            await call


def test_a_hand_written_schema_is_checked():
    class BrokenSchema(EntitySchema):
        entity_type = "broken"
        table_name = "broken"
        soft_delete = "delted_at"
        fields = {
            "id": {"type": "uuid", "primary_key": True},
            "deleted_at": {"type": "datetime", "nullable": True},
        }

    with pytest.raises(SchemaInvalidError, match="soft_delete: unknown field 'delted_at'"):
        EntityRegistry.register("broken", BrokenSchema)


steps = st.lists(
    st.tuples(st.sampled_from(["save", "delete", "restore", "purge", "delete_where"]), st.integers(0, 3)), max_size=25
)


@pytest.mark.sqlite_only
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_whatever_happens_exactly_the_rows_that_are_not_deleted_are_found(db, notes, steps):
    await notes._delete_where({}, all_rows=True)
    await notes._purge_deleted()
    alive, dead = {}, {}
    for what, place in steps:
        match what:
            case "save" if place not in alive.values():
                alive[(await notes._save(new(notes, place=place))).id] = place
            case "save":
                with pytest.raises(ConstraintViolationError):
                    await notes._save(new(notes, place=place))
            case "delete" | "restore":
                source, target = (alive, dead) if what == "delete" else (dead, alive)
                key = next((key for key, at in source.items() if at == place), None)
                if key is None or (what == "restore" and place in alive.values()):
                    continue
                assert await (notes._delete(key) if what == "delete" else notes._restore(key))
                target[key] = source.pop(key)
            case "purge":
                assert await notes._purge_deleted() == len(dead)
                dead.clear()
            case "delete_where":
                hit = {key: at for key, at in alive.items() if at >= place}
                assert await notes._delete_where({"place": {"gte": place}}) == len(hit)
                dead |= hit
                alive = {key: at for key, at in alive.items() if key not in hit}
        assert {each.id: each.place for each in await notes._query()} == alive
        assert {each.id: each.place for each in await notes._with_deleted()._query()} == alive | dead
        for key in [*alive, *dead]:
            assert (await notes._get(key) is not None) == (key in alive)


@pytest.mark.parametrize("code", ["a", "9f8e7d6c-5b4a-4321-8765-0123456789ab"])
async def test_writes_that_see_deleted_rows_mean_one_row_by_a_natural_key(db, notes, code):
    """Also where it could be a primary key."""
    ids = [UUID(int=number) for number in (1, 2, 9)]
    old, newer = [await gone(notes, id=id, code=code, place=place) for place, id in enumerate(ids[:2])]
    assert (await db.with_deleted.get("note", code))["id"] == str(newer.id)
    assert await db.with_deleted.update("note", code, {"place": 9})
    wider = notes._with_deleted()
    assert [(await wider._get(row.id)).place for row in (old, newer)] == [0, 9]
    live = await notes._save(new(notes, id=ids[2], code=code, place=3))
    assert (await db.with_deleted.get("note", code))["id"] == str(live.id)
    assert await db.with_deleted.update("note", code, {"place": 4})
    assert (await notes._get(live.id)).place == 4
    assert await db.with_deleted.delete("note", code)
    assert await notes._count() == 0
    assert await db.restore("note", code)
    assert (await db.get("note", code))["id"] == str(live.id)  # the last that was deleted
    assert not await db.with_deleted.delete("note", str(old.id))


async def test_an_upsert_that_sees_deleted_rows_is_refused(db, notes):
    await gone(notes, code="a")
    for call in (db.with_deleted.upsert, db.with_deleted.get_or_create):
        with pytest.raises(ValidationFailedError, match="call it without with_deleted"):
            await call("note", {"code": "b"}, on=["code"])


async def test_the_field_that_hides_a_row_is_set_by_deleting_alone(db, notes):
    row = await notes._save(new(notes, code="a"))
    with pytest.raises(Exception, match="deleted_at"):
        await db.update("note", str(row.id), {"deleted_at": PAST})
    await notes._upsert(new(notes, code="a", deleted_at=PAST), on=["code"])
    assert await notes._count() == 1


async def test_a_transaction_of_who_sees_deleted_rows_sees_them(db, notes):
    await gone(notes, code="a")
    async with db.with_deleted.transaction() as tx:
        assert await tx.count("note") == 1

    async def counted(tx):
        return await tx.count("note")

    assert await db.with_deleted.run_in_transaction(counted) == 1
