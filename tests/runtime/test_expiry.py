"""Expiry: a row past its time is not found, stands in nobody's way, and is deleted in one call."""

import asyncio
import datetime as dt

import hiding_schemas
import homes
import pytest
from hiding_schemas import PAST, SOON, Labels, Notes, Shares
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soulspot_db import ConstraintViolationError, EntityRegistry, EntitySchema, ValidationFailedError

DATABASES = homes.BOTH


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("expiry")) as home:
        hiding_schemas.register()
        home.prepare(hiding_schemas.make)
        yield home


@pytest.fixture(autouse=True)
def known(registry):
    hiding_schemas.register()


@pytest.fixture
def shares(db):
    return Shares(db)


def new(shares, **values):
    return shares._plan.schema.create_model(**values)


def changes(shares, **values):
    return shares._plan.schema.update_model(**values)


def in_a_moment():
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.4)


async def test_no_read_finds_a_row_past_its_time(db, shares):
    old = await shares._save(new(shares, code="a", expires_at=PAST))
    there = await shares._save(new(shares, code="b", expires_at=SOON))
    always = await shares._save(new(shares, code="c"))
    assert await shares._get(old.id) is None
    assert await shares._get_many([old.id, there.id]) == [None, there]
    assert await shares._get_by({"code": "a"}) is None
    assert await shares._query(order_by="code") == [there, always]
    assert await shares._count() == 2
    assert not await shares._exists({"code": "a"})
    assert (await shares._page(order_by="code")).items == [there, always]
    assert [each async for each in shares._stream(order_by="code")] == [there, always]
    assert {each.id for each in await shares._named_list("of_owner", {"owner": "me"})} == {there.id, always.id}
    assert await db.get("share", "a") is await db.get("share", str(old.id)) is None
    assert [each["code"] for each in await db.query("share", order_by="code")] == ["b", "c"]


async def test_no_write_touches_a_row_past_its_time(db, shares):
    old = await shares._save(new(shares, code="a", expires_at=PAST))
    assert await shares._update(old.id, changes(shares, expires_at=SOON)) is None
    assert await shares._update_where({"code": "a"}, changes(shares, uses=1)) == 0
    assert await shares._named_write("used", {"code": "a"}) == 0
    assert not await shares._delete(old.id)
    assert await shares._delete_where({}, all_rows=True) == 0
    assert await shares._with_expired()._get(old.id) == old


async def test_a_cached_row_does_not_outlive_its_time(db, shares):
    row = await shares._save(new(shares, code="a", expires_at=in_a_moment()))

    async def found():
        return [
            await shares._get(row.id),
            (await shares._get_many([row.id]))[0],
            await shares._get_by({"code": "a"}),
            next(iter(await shares._query({"code": "a"})), None),
            next(iter(await shares._named_list("of_owner", {"owner": "me"})), None),
        ]

    for _ in range(2):
        assert await found() == [row] * 5
        assert (await shares._count(), (await db.cache.get(f"share:{row.id}"))["code"]) == (1, "a")
    await asyncio.sleep(0.5)
    assert await found() == [None] * 5
    assert (await shares._count(), await db.cache.get(f"share:{row.id}")) == (0, None)
    assert await shares._with_expired()._get(row.id) == row


@pytest.mark.sqlite_only
async def test_a_row_by_its_key_is_still_kept(db, shares):
    row = await shares._save(new(shares, expires_at=SOON))
    await shares._get(row.id)
    hits = (await db.stats())["cache"]["memory"]["hit_rate"]
    await shares._get(row.id)
    assert (await db.stats())["cache"]["memory"]["hit_rate"] > hits


async def test_a_row_past_its_time_can_be_looked_at_and_made_to_last(db, shares):
    old = await shares._save(new(shares, code="a", expires_at=PAST))
    wider = shares._with_expired()
    assert await wider._query() == [old] == [await wider._get_by({"code": "a"})]
    assert (await db.with_expired.get("share", "a"))["id"] == str(old.id)
    later = await wider._update(old.id, changes(wider, expires_at=SOON))
    assert await shares._get(old.id) == later


async def test_a_new_row_takes_the_place_of_one_past_its_time(db, shares, told):
    old = await shares._save(new(shares, code="a", owner="x", name="y", expires_at=PAST))
    fresh = await shares._save(new(shares, code="a", owner="z"))
    assert await shares._with_expired()._query() == [fresh]
    other = await shares._save(new(shares, owner="x", name="y", expires_at=PAST))
    assert {each.id for each in await shares._with_expired()._query()} == {fresh.id, other.id}
    again = await shares._save(new(shares, id=other.id, owner="q"))
    assert {each.id for each in await shares._with_expired()._query()} == {fresh.id, again.id}
    assert await shares._get(other.id) == again
    await db.events.settle()
    named = [(topic.rpartition(".")[2], data["entity_id"]) for topic, data in told]
    assert named == [
        ("created", str(old.id)),
        ("deleted", str(old.id)),
        ("created", str(fresh.id)),
        ("created", str(other.id)),
        ("deleted", str(other.id)),
        ("created", str(again.id)),
    ]


async def test_a_row_that_lasts_keeps_its_place(shares):
    await shares._save(new(shares, code="a", expires_at=SOON))
    await shares._save(new(shares, code="b"))
    for code in "ab":
        with pytest.raises(ConstraintViolationError):
            await shares._save(new(shares, code=code))


@pytest.mark.parametrize("keyed", [True, False])
async def test_many_new_rows_take_the_places_of_those_past_their_time(db, shares, keyed):
    await shares._save_many([new(shares, code=str(n), owner="x", name=str(n), expires_at=PAST) for n in range(350)])
    made = await shares._save_many([new(shares, code=str(n), owner="x", name=str(n)) for n in range(350)])
    assert await shares._count() == await shares._with_expired()._count() == 350
    rows = [{"code": str(n), "owner": "y"} | ({} if keyed else {"id": str(made[n].id)}) for n in range(3)]
    with pytest.raises(ConstraintViolationError):
        await db.save_many("share", rows)


async def test_an_upsert_starts_anew_where_a_row_is_past_its_time(shares):
    old = await shares._save(new(shares, code="a", uses=9, expires_at=PAST))
    made = await shares._upsert(new(shares, code="a", expires_at=SOON), on=["code"])
    assert (made.id != old.id, made.uses) == (True, 0)
    again, is_new = await shares._get_or_create(new(shares, code="a"), on=["code"])
    assert (again, is_new) == (made, False)
    await shares._update(made.id, changes(shares, expires_at=PAST))
    third, is_new = await shares._get_or_create(new(shares, code="a"), on=["code"])
    assert (third.id != made.id, is_new) == (True, True)
    assert await shares._with_expired()._query() == [third]


async def test_twenty_tasks_take_one_place(shares):
    await shares._save(new(shares, code="a", expires_at=PAST))
    got = await asyncio.gather(*(shares._get_or_create(new(shares, code="a"), on=["code"]) for _ in range(20)))
    assert sum(is_new for _, is_new in got) == 1
    assert len({row.id for row, _ in got}) == 1
    assert await shares._with_expired()._count() == 1


@pytest.mark.parametrize("size", [None, 3])
async def test_what_is_past_its_time_is_deleted_in_one_call(db, shares, told, size):
    await shares._save_many([new(shares, expires_at=PAST if n % 2 else SOON) for n in range(15)])
    await db.events.settle()
    told.clear()
    assert await shares._purge_expired(batch_size=size) == 7
    assert await shares._with_expired()._count() == 8
    assert await db.purge_expired("share") == 0
    await db.events.settle()
    assert [topic for topic, _ in told] == ["database.share.deleted"] * 7


async def test_links_past_their_time_link_nothing(db):
    notes, labels = Notes(db), Labels(db)
    note = await notes._save(new(notes, code="a"))
    one, two = [await labels._save(new(labels, id=n)) for n in (1, 2)]
    await db.save("tagging", {"note_id": str(note.id), "label_id": 1, "until": PAST})
    await db.save("tagging", {"note_id": str(note.id), "label_id": 2, "until": in_a_moment()})
    for _ in range(2):
        assert await notes._children("labels", note) == [two]
        assert await notes._children_of("labels", [note], limit=3) == [[two]]
        assert await labels._query({"notes": {"some": {}}}) == [two]
        assert await labels._query({"notes": {"none": {}}}) == [one]
    await asyncio.sleep(0.5)
    assert await notes._children("labels", note) == []
    assert await notes._children_of("labels", [note], limit=3) == [[]]
    assert await labels._query({"notes": {"some": {}}}) == []


async def test_links_that_expire_are_still_asked_for_together(db):
    notes = Notes(db)
    rows = await notes._save_many([new(notes, code=str(n)) for n in range(20)])
    before = (await db.stats())["queries"]["total"]
    await asyncio.gather(*(notes._children("labels", row) for row in rows))
    assert (await db.stats())["queries"]["total"] == before + 1


moments = st.sampled_from([PAST, None, SOON])


@pytest.mark.sqlite_only
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(["save", "upsert", "end", "purge"]), st.integers(0, 3), moments), max_size=20)
)
async def test_whatever_happens_exactly_the_rows_that_last_are_found(db, shares, steps):
    await shares._with_expired()._delete_where({}, all_rows=True)
    stored = {}
    for what, number, ends in steps:
        code = str(number)
        lasting = {key for key, moment in stored.items() if moment != PAST}
        match what:
            case "save" if code in lasting:
                with pytest.raises(ConstraintViolationError):
                    await shares._save(new(shares, code=code, expires_at=ends))
            case "save":
                await shares._save(new(shares, code=code, expires_at=ends))
                stored[code] = ends
            case "upsert":
                await shares._upsert(new(shares, code=code, expires_at=ends), on=["code"])
                stored[code] = ends
            case "end":
                found = await shares._update_where({"code": code}, changes(shares, expires_at=PAST))
                assert found == (code in lasting)
                stored |= {code: PAST} if found else {}
            case "purge":
                assert await shares._purge_expired() == len(stored) - len(lasting)
                stored = {key: moment for key, moment in stored.items() if key in lasting}
        found = {each.code for each in await shares._query()}
        assert found == {key for key, moment in stored.items() if moment != PAST}
        assert {each.code for each in await shares._with_expired()._query()} == set(stored)


class DraftSchema(EntitySchema):
    entity_type = "draft"
    table_name = "drafts"
    soft_delete = "deleted_at"
    expires = "expires_at"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "deleted_at": {"type": "datetime", "nullable": True},
        "expires_at": {"type": "datetime", "nullable": True},
    }


async def test_what_was_deleted_and_is_past_its_time_is_purged_counted_and_not_told_of_again(db, told):
    EntityRegistry.register("draft", DraftSchema)
    await db.create_table("draft")
    await db.save_many("draft", [{"id": number, "expires_at": SOON if number == 4 else PAST} for number in range(5)])
    assert await db.with_expired.delete_where("draft", {"id": {"lt": 2}}) == 2
    await db.events.settle()
    told.clear()
    with pytest.raises(ValidationFailedError, match="progress"):
        await db.purge_expired("draft", progress=3)
    steps = []
    assert await db.purge_expired("draft", batch_size=3, progress=steps.append) == 4
    await db.events.settle()
    assert (steps, sorted(data["entity_id"] for _, data in told)) == ([3, 4], ["2", "3"])
    assert await db.with_deleted.with_expired.count("draft") == 1
