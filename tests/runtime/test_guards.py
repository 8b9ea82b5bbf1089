"""Guarded deletes: a row for which a guard holds stays, and nothing else of the same call is deleted either."""

import asyncio
import contextvars
import json
import subprocess
import sys
from pathlib import Path

import homes
import pytest
import support
from soulspot_db import (
    ConstraintViolationError,
    Database,
    EntityRegistry,
    EntitySchema,
    SchemaInvalidError,
    SerializationFailedError,
)

DATABASES = homes.BOTH


class ShelfSchema(EntitySchema):
    entity_type = "shelf"
    table_name = "shelves"
    natural_key = "name"
    fields = {
        "id": {"type": "uuid", "primary_key": True},
        "name": {"type": "string", "unique": True},
        "is_builtin": {"type": "boolean", "nullable": True},
        "kept_until": {"type": "datetime", "nullable": True},
    }
    relations = {"books": {"entity": "book", "local": "id", "remote": "shelf_id", "many": True}}
    guards = {
        "in_use": {"books": {"some": {"is_lent": False}}},
        "builtin": {"is_builtin": True},
        "too_early": {"kept_until": {"gt": {"now": "0s"}}},
    }
    queries = {"drop": {"delete": True, "where": {"name": {"in": {"param": "names"}}}}}


class BookSchema(EntitySchema):
    entity_type = "book"
    table_name = "books"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "shelf_id": {"type": "uuid", "references": "library.shelf", "on_delete": "cascade"},
        "is_lent": {"type": "boolean", "default": False},
    }


def register():
    EntityRegistry.register("shelf", ShelfSchema)
    EntityRegistry.register("book", BookSchema)


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    async def make(db):
        await db.create_table("shelf")
        await db.create_table("book")

    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("guards")) as home:
        register()
        home.prepare(make)
        yield home


@pytest.fixture
async def shelves(db, registry):
    register()
    for name, values in {
        "free": {},
        "builtin": {"is_builtin": True},
        "used": {},
        "lent": {"is_builtin": False},
    }.items():
        await db.save("shelf", {"name": name, **values})
    for name, is_lent in (("used", False), ("lent", True)):
        row = await db.get_or_raise("shelf", name)
        await db.save("book", {"shelf_id": row["id"], "is_lent": is_lent})
    return db


async def names(db):
    return sorted(row["name"] for row in await db.query("shelf"))


@pytest.mark.parametrize(("name", "guard", "asks"), [("builtin", "builtin", "is_builtin"), ("used", "in_use", "books")])
async def test_a_row_that_a_guard_keeps_is_not_deleted(shelves, told, name, guard, asks):
    db = shelves
    for attempt in (
        lambda: db.delete("shelf", name),
        lambda: db.delete_where("shelf", {"name": name}),
        lambda: db.run_query("shelf", "drop", {"names": [name]}),
    ):
        with pytest.raises(ConstraintViolationError, match=f"the guard '{guard}' of shelf") as caught:
            await attempt()
        context = caught.value.context
        assert (context["kind"], context["constraint"], context["entity_type"]) == ("guard", guard, "shelf")
        assert asks in caught.value.resolution
    await db.events.settle()
    assert [topic for topic, _ in told if topic.endswith("deleted")] == []
    assert len(await names(db)) == 4


async def test_a_row_that_no_guard_keeps_is_deleted(shelves, told):
    assert await shelves.delete("shelf", "free") is True
    assert await shelves.delete("shelf", "lent") is True  # neither a lent book nor what is false or null keeps it
    assert await shelves.delete("shelf", "free") is False
    assert await names(shelves) == ["builtin", "used"]
    await shelves.events.settle()
    assert [topic for topic, _ in told if topic == "database.shelf.deleted"] == ["database.shelf.deleted"] * 2


async def test_one_row_that_is_kept_keeps_all_rows_of_the_call(shelves):
    db = shelves
    for where in ({"name": ["free", "used"]}, {"is_builtin": None}, {"not": {"name": "builtin"}}):
        with pytest.raises(ConstraintViolationError, match="in_use"):
            await db.delete_where("shelf", where)
    with pytest.raises(ConstraintViolationError, match="in_use"):
        await db.run_query("shelf", "drop", {"names": ["free", "builtin", "used"]})
    with pytest.raises(ConstraintViolationError, match="in_use"):
        await db.delete_where("shelf", {}, all_rows=True)
    assert len(await names(db)) == 4
    assert await db.delete_where("shelf", {"name": ["free", "lent"]}) == 2


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_nor_does_any_batch_of_the_call_delete_one(shelves, size):
    db = shelves
    for where, options in (({"name": {"ne": "builtin"}}, {}), ({}, {"all_rows": True})):
        with pytest.raises(ConstraintViolationError, match="in_use") as caught:
            await db.delete_where("shelf", where, batch_size=size, **options)
        assert caught.value.context["written"] == 0
    assert len(await names(db)) == 4
    assert await db.delete_where("shelf", {"name": ["free", "lent"]}, batch_size=size) == 2


async def test_a_guard_may_ask_for_the_time(shelves):
    key = await shelves.save("shelf", {"name": "new", "kept_until": "2999-01-01T00:00:00Z"})
    with pytest.raises(ConstraintViolationError, match="too_early"):
        await shelves.delete("shelf", key)
    await shelves.update("shelf", key, {"kept_until": "2000-01-01T00:00:00Z"})
    assert await shelves.delete("shelf", key)


async def test_what_changes_in_the_same_block_counts(shelves):
    db = shelves
    async with db.transaction():
        await db.update("shelf", "builtin", {"is_builtin": False})
        assert await db.delete("shelf", "builtin") is True
        await db.update("shelf", "free", {"is_builtin": True})
        with pytest.raises(ConstraintViolationError):
            await db.delete("shelf", "free")
        assert await db.delete("shelf", "lent")
    assert await names(db) == ["free", "used"]


async def test_who_begins_to_use_a_row_keeps_it_or_finds_it_gone(shelves):
    """Ten rows, each of which is deleted and used at the same moment."""
    db = shelves
    keys = await db.save_many("shelf", [{"name": f"{n}"} for n in range(10)])
    done = await asyncio.gather(
        *(db.delete("shelf", key) for key in keys),
        *(db.save("book", {"shelf_id": key}) for key in keys),
        return_exceptions=True,
    )
    assert all(result is True or isinstance(result, ConstraintViolationError) for result in done[:10])
    for key, deleted, used in zip(keys, done[:10], done[10:], strict=True):
        assert (deleted is True) == isinstance(used, ConstraintViolationError), (deleted, used)
        assert await db.exists("shelf", {"id": key}) is (deleted is not True)


async def test_a_delete_waits_for_the_block_that_begins_to_use_the_row(shelves, open_database, database_kind):
    if database_kind == "sqlite":
        pytest.skip("nobody else deletes on SQLite while a block is open")
    db, other = shelves, await open_database()
    key = (await db.get_or_raise("shelf", "free"))["id"]
    outside = contextvars.copy_context()
    async with db.transaction():
        await db.save("book", {"shelf_id": key})
        deleting = asyncio.create_task(other.delete("shelf", key), context=outside)
        await asyncio.sleep(0.3)
        assert not deleting.done()
    with pytest.raises(ConstraintViolationError, match="in_use"):
        await deleting
    assert await db.count("book", {"shelf_id": key}) == 1


async def test_a_block_that_cannot_see_who_uses_the_row_deletes_nothing(shelves, open_database, database_kind):
    if database_kind == "sqlite":
        pytest.skip("nobody else writes on SQLite while a block is open")
    db, other = shelves, await open_database()
    key = (await db.get_or_raise("shelf", "free"))["id"]
    outside = contextvars.copy_context()
    with pytest.raises(SerializationFailedError):
        async with db.transaction():
            await db.count("book")  # from now on it sees this moment
            await asyncio.create_task(other.save("book", {"shelf_id": key}), context=outside)
            await db.delete("shelf", key)
    assert await other.count("book", {"shelf_id": key}) == 1
    with pytest.raises(ConstraintViolationError, match="in_use"):
        await db.run_in_transaction(lambda tx: tx.delete("shelf", key))


# One of two processes: one deletes rows while the other begins to use them.
RACES = """
import asyncio, json, sys
sys.path[:0] = [{tests!r}, {runtime!r}]
import support
from soulspot_db import ConstraintViolationError, Database
import test_guards

async def main(where, deletes, keys):
    test_guards.register()
    done = 0
    async with Database(support.settings(**where)) as db:
        for key in keys:
            try:
                await (db.delete("shelf", key) if deletes else db.save("book", {{"shelf_id": key}}))
                done += 1
            except ConstraintViolationError:
                pass
    print(done)

asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2] == "deletes", json.loads(sys.argv[3])))
"""


async def test_two_processes_lose_no_row_that_is_used(empty_database, tmp_path):
    tests = Path(support.__file__).parent
    script = RACES.format(tests=str(tests), runtime=str(tests / "runtime"))
    with empty_database.copy(tmp_path) as where:
        register()
        async with Database(support.settings(**where)) as db:
            keys = await db.save_many("shelf", [{"name": f"{n}"} for n in range(200)])
            processes = [
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-c",
                    script,
                    json.dumps(where, default=str),
                    role,
                    json.dumps(order),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                for role, order in (("deletes", keys), ("uses", keys[::-1]))
            ]
            told = [await process.communicate() for process in processes]
            assert [process.returncode for process in processes] == [0, 0], told
            deleted, used = (int(out) for out, _ in told)
            assert deleted + used == 200
            assert await db.count("shelf", fresh=True) == await db.count("book", fresh=True) == used


@pytest.mark.parametrize(
    ("guard", "problem"),
    [
        ({}, "holds for every row"),
        ({"id": {"ne": None}}, "holds for every row"),
        ({"nothing": 1}, "no field 'nothing'"),
        ({"is_builtin": "yes"}, "is_builtin"),
        ({"is_builtin": {"param": "on"}}, "is_builtin"),
    ],
)
def test_a_guard_that_makes_no_sense_is_refused_with_the_schema(guard, problem):
    class Broken(EntitySchema):
        entity_type = "broken"
        table_name = "broken"
        fields = {"id": {"type": "integer", "primary_key": True}, "is_builtin": {"type": "boolean", "default": False}}
        guards = {"wrong": guard}

    with pytest.raises(SchemaInvalidError) as caught:
        EntityRegistry.register("broken", Broken)
    assert any(found.startswith("guards.wrong") and problem in found for found in caught.value.context["problems"])
