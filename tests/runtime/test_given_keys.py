"""Keys that the database gives, and those that a caller gives instead, as who restores or imports rows does."""

import asyncio
from decimal import Decimal

import homes
import pytest
from soulspot_db import ConstraintViolationError, EntityRegistry, EntitySchema
from support import outside

DATABASES = homes.BOTH


class ReservedSchema(EntitySchema):
    """Its table and its key are called as nothing in SQL may be without quotes."""

    entity_type = "reserved"
    table_name = "order"
    fields = {
        "id": {"type": "integer", "primary_key": True, "column": "user"},
        "select": {"type": "string", "nullable": True},
    }


class PricedSchema(EntitySchema):
    entity_type = "priced"
    table_name = "priceds"
    fields = {"price": {"type": "decimal", "precision": 12, "scale": 2, "primary_key": True}}


class BareSchema(EntitySchema):
    entity_type = "bare"
    table_name = "bares"
    fields = {"id": {"type": "integer", "primary_key": True}}


def titled(*titles):
    return [{"title": title} for title in titles]


async def save(db, rows):
    return [await db.save("job", row) for row in rows]


async def save_many(db, rows):
    return await db.save_many("job", rows)


async def save_stream(db, rows):
    await db.save_stream("job", rows)
    return [str(row["id"]) for row in rows]


@pytest.mark.parametrize("way", [save, save_many, save_stream])
async def test_after_a_key_that_was_given_the_database_gives_one_beyond(db, way):
    given = [{"id": key, "title": f"given {key}"} for key in (1, 9, 5)]
    assert await way(db, given) == ["1", "9", "5"]
    assert await save(db, titled("a", "b")) == ["10", "11"]
    assert await db.save_many("job", titled("c", "d")) == ["12", "13"]


async def test_of_keys_given_and_not_each_that_the_database_gives_is_beyond_those_before_it(db):
    rows = [*titled("a"), {"id": 7, "title": "b"}, *titled("c"), {"id": 3, "title": "d"}, *titled("e")]
    assert await db.save_many("job", rows) == ["1", "7", "8", "3", "9"]


async def test_a_key_below_those_that_there_are_changes_nothing_for_the_next(db):
    assert await save(db, titled("a", "b")) == ["1", "2"]
    assert await save(db, [{"id": -5, "title": "c"}, {"id": 0, "title": "d"}]) == ["-5", "0"]
    assert await db.save_many("job", [{"id": -7, "title": "e"}, {"id": -6, "title": "f"}]) == ["-7", "-6"]
    assert await save(db, titled("g")) == ["3"]


async def test_a_key_given_in_a_transaction_is_passed_there_and_afterwards(db):
    async with db.transaction() as tx:
        await tx.save("job", {"id": 4, "title": "a"})
        assert await tx.save("job", {"title": "b"}) == "5"
    assert await db.save("job", {"title": "c"}) == "6"


async def test_a_given_key_that_is_there_is_refused_and_the_next_is_as_it_was(db):
    await db.save("job", {"id": 4, "title": "a"})
    for keys in ([4], [4, 3]):
        with pytest.raises(ConstraintViolationError):
            await db.save_many("job", [{"id": key, "title": f"again {key}"} for key in keys])
    assert await db.save("job", {"title": "b"}) == "5"


async def test_names_that_need_quotes_change_nothing(db):
    EntityRegistry.register("reserved", ReservedSchema)
    await db.create_table("reserved")
    await db.save("reserved", {"id": 5})
    assert await db.save_many("reserved", [{"select": "a"}, {"select": "b"}]) == ["6", "7"]
    await db.save_many("reserved", [{"id": 20}, {"id": 21}])
    assert await db.save("reserved", {}) == "22"


async def test_many_who_give_keys_and_many_who_do_not_all_get_their_rows(db):
    given = [db.save("job", {"id": 1000 * (n + 1), "title": f"given {n}"}) for n in range(40)]
    others = [db.save("job", {"title": f"other {n}"}) for n in range(20)]
    await asyncio.gather(*given[:20], *others, *given[20:])
    assert await db.count("job") == 60
    assert int(await db.save("job", {"title": "last"})) > 40_000


async def test_rows_with_keys_from_the_database_come_back_in_the_order_given(db):
    titles = [f"t{(n * 7919) % 2500}" for n in range(2500)]
    keys = await db.save_many("job", titled(*titles))
    assert [int(key) for key in keys] == list(range(1, 2501))
    rows = await db.query("job", order_by="id")
    assert [row["title"] for row in rows] == titles


async def test_rows_with_keys_from_the_database_need_few_statements(db):
    if db.settings.database_type == "sqlite":
        pytest.skip("there a statement is no way to a server and back")
    before = (await db.stats())["queries"]["total"]
    await db.save_many("job", titled(*(f"t{n}" for n in range(500))))
    assert (await db.stats())["queries"]["total"] - before == 1


async def test_of_many_rows_with_keys_from_the_database_all_are_stored_or_none(db):
    rows = titled(*(f"t{n}" for n in range(1500)), "t3")
    with pytest.raises(ConstraintViolationError):
        await db.save_many("job", rows)
    assert await db.count("job") == 0


async def test_rows_that_are_nothing_but_a_key_from_the_database_are_saved_together(db):
    EntityRegistry.register("bare", BareSchema)
    await db.create_table("bare")
    assert await db.save_many("bare", [{}, {}, {"id": None}]) == ["1", "2", "3"]


async def test_every_type_is_saved_by_the_statement_for_many_as_by_the_one_for_one(db):
    class AllSchema(EntitySchema):
        entity_type = "all_types"
        table_name = "all_types"
        fields = {
            "id": {"type": "integer", "primary_key": True},
            "a_uuid": {"type": "uuid", "nullable": True},
            "a_text": {"type": "text", "nullable": True},
            "a_float": {"type": "float", "nullable": True},
            "a_decimal": {"type": "decimal", "precision": 8, "scale": 2, "nullable": True},
            "a_boolean": {"type": "boolean", "nullable": True},
            "a_date": {"type": "date", "nullable": True},
            "a_time": {"type": "time", "nullable": True},
            "a_datetime": {"type": "datetime", "nullable": True},
            "an_enum": {"type": "enum", "values": ["a", "b"], "nullable": True},
            "some_bytes": {"type": "bytes", "nullable": True},
            "some_json": {"type": "json", "nullable": True},
            "a_list": {"type": "list", "items": "string", "nullable": True},
        }

    EntityRegistry.register("all_types", AllSchema)
    await db.create_table("all_types")
    full = {
        "a_uuid": "0190b2d4-1f7e-7c3a-9f00-0123456789ab",
        "a_text": 'it\'s {"a", \\N}',
        "a_float": 1.5,
        "a_decimal": "12.30",
        "a_boolean": True,
        "a_date": "2026-11-24",
        "a_time": "12:30:00.000001",
        "a_datetime": "2026-11-24T12:30:00Z",
        "an_enum": "b",
        "some_bytes": b"\0\xff",
        "some_json": {"a": [1, None, "ä"]},
        "a_list": ["a", '{"b"}', ""],
    }
    alone = await db.get("all_types", await db.save("all_types", full), fresh=True)
    first, empty, last = await db.get_many("all_types", await db.save_many("all_types", [full, {}, full]), fresh=True)
    assert first | {"id": 0} == last | {"id": 0} == alone | {"id": 0}
    assert {value for name, value in empty.items() if name != "id"} == {None}


async def test_a_decimal_key_is_given_by_the_caller_to_the_last_digit(db):
    EntityRegistry.register("priced", PricedSchema)
    await db.create_table("priced")
    assert await db.save("priced", {"price": "9999999999.25"}) == "9999999999.25"
    assert (await db.get("priced", "9999999999.25", fresh=True))["price"] == Decimal("9999999999.25")
    if db.settings.database_type == "postgresql":
        asked = "SELECT data_type, column_default FROM information_schema.columns WHERE table_name = 'priceds'"
        assert outside(db, asked) == [("numeric", None)]


async def test_a_key_behind_a_float_is_an_integer_to_callers_and_events(db, told):
    """SQLite returns it as 1.0 then."""

    class ScoreSchema(EntitySchema):
        entity_type = "score"
        table_name = "scores"
        fields = {"value": {"type": "float"}, "id": {"type": "integer", "primary_key": True}}

    EntityRegistry.register("score", ScoreSchema)
    await db.create_table("score")
    assert await db.save("score", {"value": 1.5}) == "1"
    assert await db.save_many("score", [{"value": 2.5}, {"value": 3.5}]) == ["2", "3"]
    assert await db.update("score", "2", {"value": 0.5})
    assert await db.delete("score", "3")
    await db.events.settle()
    assert [data["entity_id"] for _, data in told] == ["1", "2", "3", "2", "3"]
