"""Exclusive flags: at most one row has one, whoever gives it, and the row that loses it is told of as any other."""

import asyncio
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
    ValidationFailedError,
    VersionConflictError,
)
from soulspot_db.engine.base import Statement
from soulspot_db.sessions.operations import Effects, Write

DATABASES = homes.BOTH


class ProfileSchema(EntitySchema):
    entity_type = "profile"
    table_name = "profiles"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "name": {"type": "string", "unique": True},
        "is_active": {"type": "boolean", "default": False, "exclusive": True},
        "changes": {"type": "integer", "version": True},
        "updated_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    queries = {
        "activate": {"update": {"is_active": True}, "where": {"name": {"param": "name"}}},
        "set_active": {"update": {"is_active": {"param": "on"}}, "where": {"id": {"param": "id"}}},
        "from_file": {"upsert": {"match": ["lower(name)"], "rules": {"is_active": "sticky_true"}}},
        "from_server": {"upsert": {"match": ["name"], "rules": {"is_active": "fill_null"}}},
    }


class AddressSchema(EntitySchema):
    """One of each user and kind is the first."""

    entity_type = "address"
    table_name = "addresses"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "user_id": {"type": "integer"},
        "kind": {"type": "string", "default": "home"},
        "is_first": {"type": "boolean", "default": False, "exclusive": ["user_id", "kind"], "column": "first"},
    }


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    async def make(db):
        await db.create_table("profile")
        await db.create_table("address")

    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("exclusive")) as home:
        register()
        home.prepare(make)
        yield home


def register():
    EntityRegistry.register("profile", ProfileSchema)
    EntityRegistry.register("address", AddressSchema)


@pytest.fixture(autouse=True)
def _registered(registry):
    register()


async def active(db, flag="is_active", entity="profile"):
    return [row["id"] for row in await db.query(entity, {flag: True}, "id")]


@pytest.fixture
async def three(db):
    await db.save_many("profile", [{"id": n, "name": f"{n}", "is_active": n == 1} for n in (1, 2, 3)])
    return db


GIVE = {
    "save": lambda db: db.save("profile", {"id": 4, "name": "4", "is_active": True}),
    "save_many": lambda db: db.save_many("profile", [{"id": 4, "name": "4", "is_active": True}, {"name": "x"}]),
    "save_many with keys": lambda db: db.save_many(
        "profile", [{"id": 5, "name": "x"}, {"id": 4, "name": "4", "is_active": True}]
    ),
    "save_stream": lambda db: db.save_stream("profile", [{"id": 4, "name": "4", "is_active": True}]),
    "update": lambda db: db.update("profile", "2", {"is_active": True}),
    "update_where": lambda db: db.update_where("profile", {"name": "2"}, {"is_active": True}),
    "upsert of a new row": lambda db: db.upsert("profile", {"id": 4, "name": "4", "is_active": True}),
    "upsert": lambda db: db.upsert("profile", {"name": "2", "is_active": True}),
    "get_or_create": lambda db: db.get_or_create("profile", {"name": "4", "id": 4, "is_active": True}),
    "a named update": lambda db: db.run_query("profile", "activate", {"name": "2"}),
    "a named update with a parameter": lambda db: db.run_query("profile", "set_active", {"id": 2, "on": True}),
    "a named upsert": lambda db: db.run_query("profile", "from_file", {"name": "2", "is_active": True}),
    "a named upsert of a new row": lambda db: db.run_query(
        "profile", "from_server", {"name": "4", "id": 4, "is_active": True}
    ),
}


@pytest.mark.parametrize("give", GIVE.values(), ids=GIVE)
async def test_who_gets_it_takes_it_from_the_row_that_has_it(three, told, give):
    db = three
    assert (await db.get("profile", "1"))["is_active"]
    before = await db.get("profile", "1")
    await give(db)
    (holder,) = await active(db)
    assert holder in {2, 4}
    after = await db.get("profile", "1")
    assert (after["is_active"], after["changes"]) == (False, 2)
    assert after["updated_at"] > before["updated_at"]
    await db.events.settle()
    assert ("database.profile.updated", {"entity_id": "1", "entity_type": "profile", "fields": ["is_active"]}) in told
    lost = [data["entity_id"] for topic, data in told if topic == "database.profile.updated"]
    assert sorted(lost) == ["1", "2"] if holder == 2 else lost == ["1"]


KEEP = {
    "false": lambda db: db.update("profile", "2", {"is_active": False}),
    "a row that is not there": lambda db: db.update("profile", "9", {"is_active": True}),
    "none of the rows": lambda db: db.update_where("profile", {"name": "9"}, {"is_active": True}),
    "another field": lambda db: db.update("profile", "2", {"name": "two"}),
    "a parameter that is false": lambda db: db.run_query("profile", "set_active", {"id": 2, "on": False}),
    "a row that has it": lambda db: db.update("profile", "1", {"is_active": True, "name": "one"}),
    "an upsert of the row that has it": lambda db: db.upsert("profile", {"name": "1", "is_active": True}),
    "a rule that keeps what is there": lambda db: db.run_query(
        "profile", "from_server", {"name": "2", "is_active": True}
    ),
    "a row that is there already": lambda db: db.get_or_create("profile", {"name": "2", "is_active": True}),
    "a new row without it": lambda db: db.save("profile", {"id": 4, "name": "4"}),
}


@pytest.mark.parametrize("write", KEEP.values(), ids=KEEP)
async def test_a_write_that_gives_it_to_nobody_else_takes_it_from_nobody(three, told, write):
    await write(three)
    assert await active(three) == [1]
    await three.events.settle()
    lost = [
        data
        for topic, data in told
        if topic.endswith("updated") and data["fields"] == ["is_active"] and data["entity_id"] == "1"
    ]
    assert len(lost) <= 1  # the row's own event, where it was given what it has


async def test_an_update_of_another_version_takes_it_from_nobody(three):
    with pytest.raises(VersionConflictError):
        await three.update("profile", "2", {"is_active": True, "changes": 7})
    assert await active(three) == [1]


async def test_a_write_that_fails_takes_it_from_nobody(three):
    with pytest.raises(ConstraintViolationError):
        await three.save("profile", {"name": "2", "is_active": True})
    with pytest.raises(ConstraintViolationError):
        await three.upsert("profile", {"id": 9, "name": "2", "is_active": True}, on=["id"])
    assert await active(three) == [1]


async def test_several_rows_of_one_call_are_refused(three):
    db = three
    with pytest.raises(ValidationFailedError, match="is_active to several rows"):
        await db.save_many("profile", [{"name": "a", "is_active": True}, {"name": "b", "is_active": True}])
    with pytest.raises(ConstraintViolationError) as caught:
        await db.update_where("profile", {"name": ["2", "3"]}, {"is_active": True})
    assert caught.value.context["field"] == "is_active"
    assert await active(db) == [1]
    assert await db.count("profile") == 3


async def test_one_row_of_each_group_has_it(db):
    rows = [(1, 1, "home"), (2, 1, "home"), (3, 1, "work"), (4, 2, "home"), (5, 2, "home")]
    await db.save_many(
        "address",
        [{"id": n, "user_id": user, "kind": kind, "is_first": n in {1, 3, 4}} for n, user, kind in rows],
    )
    assert await active(db, "is_first", "address") == [1, 3, 4]
    await db.update("address", "2", {"is_first": True})
    assert await active(db, "is_first", "address") == [2, 3, 4]
    await db.update_where("address", {"id": [1, 5]}, {"is_first": True})
    assert await active(db, "is_first", "address") == [1, 3, 5]
    # Who changes to another group takes it there.
    await db.update("address", "2", {"is_first": True, "kind": "work"})
    assert await active(db, "is_first", "address") == [1, 2, 5]
    await db.save("address", {"id": 6, "user_id": 2, "is_first": True})
    assert await active(db, "is_first", "address") == [1, 2, 6]
    await db.upsert("address", {"id": 4, "user_id": 1, "is_first": True})
    assert await active(db, "is_first", "address") == [2, 4, 6]
    # Whose kind is not given keeps it, and takes the flag there.
    await db.upsert("address", {"id": 3, "user_id": 1, "is_first": True})
    assert await active(db, "is_first", "address") == [3, 4, 6]
    await db.save_many("address", [{"id": 10 + n, "user_id": n, "is_first": True} for n in range(4)])
    assert await active(db, "is_first", "address") == [3, 10, 11, 12, 13]


async def test_very_many_groups_of_one_call_have_one_each(db):
    await db.save_many("address", [{"user_id": n, "is_first": True} for n in range(1500)])
    await db.save_many("address", [{"user_id": n, "is_first": True} for n in range(1500)])
    assert await db.count("address", {"is_first": True}) == 1500
    assert await db.count("address") == 3000


async def test_a_group_that_is_entered_with_the_flag_and_without_giving_it_anew_is_a_violation(db):
    await db.save_many("address", [{"id": n, "user_id": n, "is_first": True} for n in (1, 2)])
    with pytest.raises(ConstraintViolationError) as caught:
        await db.update("address", "1", {"user_id": 2})
    assert caught.value.context["field"] in {"user_id, kind", "is_first"}  # SQLite names columns, PostgreSQL the index


async def test_others_cannot_store_two_either(three):
    theirs = Statement("UPDATE profiles SET is_active = (SELECT is_active FROM profiles WHERE id = 1) WHERE id = 2")
    with pytest.raises(ConstraintViolationError):
        await three.session.write(Write([theirs], (), lambda _rows: Effects(), lambda _rows: None))


async def test_twenty_tasks_leave_one(three):
    db = three
    await asyncio.gather(
        *(db.save("profile", {"name": f"n{n}", "is_active": True}) for n in range(10)),
        *(db.update("profile", f"{1 + n % 3}", {"is_active": True}) for n in range(5)),
        *(db.upsert("profile", {"name": f"n{n}", "is_active": True}) for n in range(10, 15)),
    )
    assert len(await active(db)) == 1
    assert await db.count("profile") == 18


async def test_upserts_that_wait_for_a_lock_as_well_do_not_wait_for_each_other(three):
    """Each takes the lock of matches that no index guards before the flag; some write a row that has the flag without it."""

    async def write(n):
        flag = {"is_active": True} if n % 2 else {}
        await three.run_query("profile", "from_file", {"name": f"{1 + n % 3}", **flag})

    for _ in range(5):
        await asyncio.gather(*map(write, range(20)))
    assert len(await active(three)) == 1


async def test_it_is_undone_with_the_block_that_gave_it(three):
    with pytest.raises(LookupError):
        async with three.transaction():
            await three.update("profile", "2", {"is_active": True})
            assert await active(three) == [2]
            raise LookupError
    assert await active(three) == [1]


async def test_blocks_that_give_it_at_the_same_time_are_run_again_until_each_has(three):
    db = three

    async def give(n):
        async def block(tx):
            await tx.count("profile")  # on PostgreSQL, from now on it sees this moment
            await asyncio.sleep(0.01)
            await tx.update("profile", f"{n}", {"is_active": True})

        await db.run_in_transaction(block, attempts=50)

    await asyncio.gather(*(give(1 + n % 3) for n in range(9)))
    assert len(await active(db)) == 1


async def test_a_block_that_cannot_see_who_has_it_is_told_to_run_again(three, open_database, database_kind):
    if database_kind == "sqlite":
        pytest.skip("a block on SQLite keeps all others from writing")
    db, other = three, await open_database()
    await db.update("profile", "1", {"is_active": False})
    with pytest.raises(SerializationFailedError, match="since this one began"):
        async with db.transaction():
            await db.count("profile")
            await other.save("profile", {"name": "new", "is_active": True})
            await db.update("profile", "2", {"is_active": True})
    assert len(await active(other)) == 1


# One of two processes.
GIVES = """
import asyncio, json, sys
sys.path[:0] = [{tests!r}, {runtime!r}]
import support
from soulspot_db import Database
import test_exclusive

async def main(where):
    test_exclusive.register()
    async with Database(support.settings(**where)) as db:
        await asyncio.gather(
            *(db.update("profile", str(1 + n % 3), {{"is_active": True}}) for n in range(30)),
            *(db.upsert("profile", {{"name": f"n{{n}}", "is_active": True}}) for n in range(20)),
        )

asyncio.run(main(json.loads(sys.argv[1])))
"""


async def test_two_processes_leave_one(empty_database, tmp_path):
    tests = Path(support.__file__).parent
    script = GIVES.format(tests=str(tests), runtime=str(tests / "runtime"))
    with empty_database.copy(tmp_path) as where:
        async with Database(support.settings(**where)) as db:
            await db.save_many("profile", [{"id": n, "name": f"{n}", "is_active": n == 1} for n in (1, 2, 3)])
            processes = [
                await asyncio.create_subprocess_exec(
                    sys.executable, "-c", script, json.dumps(where, default=str), stderr=subprocess.PIPE
                )
                for _ in range(2)
            ]
            told = [await process.communicate() for process in processes]
            assert [process.returncode for process in processes] == [0, 0], told
            assert await db.count("profile", {"is_active": True}, fresh=True) == 1
            assert await db.count("profile", fresh=True) == 23


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ({"type": "integer", "exclusive": True}, "for a boolean"),
        ({"type": "boolean", "nullable": True, "exclusive": True}, "neither nullable"),
        ({"type": "boolean", "default": True, "exclusive": True}, "every new row"),
        ({"type": "boolean", "exclusive": ["nobody"]}, "unknown field 'nobody'"),
        ({"type": "boolean", "exclusive": ["flag"]}, "cannot say who"),
        ({"type": "boolean", "exclusive": ["id"]}, "cannot say who"),
        ({"type": "boolean", "exclusive": ["note"]}, "nullable"),
        ({"type": "boolean", "exclusive": ["user", "user"]}, "twice"),
        ({"type": "boolean", "exclusive": ["tags"]}, "several spellings"),
    ],
)
def test_a_flag_that_cannot_be_kept_so_is_refused_with_the_schema(field, problem):
    class Broken(EntitySchema):
        entity_type = "broken"
        table_name = "broken"
        fields = {
            "id": {"type": "integer", "primary_key": True},
            "user": {"type": "integer"},
            "note": {"type": "string", "nullable": True},
            "tags": {"type": "list", "items": "string", "default": []},
            "flag": field,
        }

    with pytest.raises(SchemaInvalidError) as caught:
        EntityRegistry.register("broken", Broken)
    assert any("flag.exclusive" in found and problem in found for found in caught.value.context["problems"])


@pytest.mark.parametrize(
    "query",
    [
        {"claim": {"is_active": True}, "where": {"name": "x"}, "order_by": "id", "limit": 1},
        {"update": {"is_active": {"field": "is_active"}}, "where": {"name": "x"}},
        {"upsert": {"match": ["name"], "rules": {"is_active": {"differs": True}}}},
    ],
)
def test_a_query_that_does_not_say_who_gets_it_is_refused_with_the_schema(query):
    class Broken(ProfileSchema):
        queries = {"broken": query}

    with pytest.raises(SchemaInvalidError, match="is_active is exclusive"):
        EntityRegistry.register("profile", Broken)


@pytest.mark.parametrize(
    "query",
    [
        {"upsert": {"match": ["id"], "rules": {"user_id": "max"}}},
        {"update": {"is_first": True}, "increment": {"user_id": 1}, "where": {"id": 1}},
        {"update": {"is_first": True, "user_id": {"field": "id"}}, "where": {"id": 1}},
    ],
)
def test_a_query_whose_group_is_not_known_beforehand_is_refused_with_the_schema(query):
    class Broken(AddressSchema):
        queries = {"broken": query}

    with pytest.raises(SchemaInvalidError, match="user_id says among which rows is_first is exclusive"):
        EntityRegistry.register("address", Broken)


@pytest.mark.parametrize(
    "query",
    [
        {"increment": {"user_id": 1}, "where": {"id": 1}},
        {"update": {"is_first": True, "user_id": {"param": "user"}}, "where": {"id": 1}},
    ],
)
def test_a_query_whose_group_is_known_or_that_gives_no_flag_is_none_of_those(query):
    class Fine(AddressSchema):
        queries = {"fine": query}

    with EntityRegistry.isolated():
        EntityRegistry.register("address", Fine)
