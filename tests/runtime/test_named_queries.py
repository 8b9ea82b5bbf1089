"""Named queries: each kind finds, returns or does what the schema says, on every database."""

import asyncio
import datetime as dt
from decimal import Decimal

import homes
import pytest
from soulspot_db import EntityRegistry, EntitySchema, SchemaInvalidError, UnsafeWriteError, ValidationFailedError
from soulspot_db.repositories.repository import Repository

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)


class TaskSchema(EntitySchema):
    entity_type = "task"
    table_name = "tasks"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "status": {"type": "enum", "values": ["pending", "running", "failed"], "default": "pending"},
        "owner": {"type": "string", "nullable": True, "max_length": 10},
        "tags": {"type": "list", "items": "string", "default": []},
        "priority": {"type": "integer", "default": 0},
        "retries": {"type": "integer", "default": 0, "minimum": 0},
        "most": {"type": "integer", "default": 3},
        "cost": {"type": "decimal", "precision": 8, "scale": 2, "nullable": True},
        "due_at": {"type": "datetime", "nullable": True},
        "changed_at": {"type": "datetime", "default": "now", "on_update": "now"},
    }
    queries = {
        "list_due": {
            "where": {"status": "failed", "retries": {"lt": {"field": "most"}}, "due_at": {"lte": {"now": "0s"}}},
            "order_by": ["priority desc", "id"],
            "limit": {"param": "limit", "default": 10},
        },
        "list_of": {
            "where": {"owner": {"param": "owner"}, "status": {"param": "status", "optional": True}},
            "order_by": "id",
        },
        "list_in": {
            "where": {"status": {"in": {"param": "statuses", "default": ["pending", "failed"]}}},
            "order_by": "id",
        },
        "find_like": {"where": {"owner": {"icontains": {"param": "text"}}}, "returns": "one", "order_by": "id desc"},
        "first_due": {
            "where": {"due_at": {"lt": {"param": "at"}}},
            "params": {"at": {"type": "datetime", "default": "now"}},
            "order_by": "due_at",
            "returns": "one",
        },
        "count_of": {"where": {"owner": {"param": "owner"}}, "returns": "count"},
        "any_of": {"where": {"owner": {"param": "owner"}}, "returns": "exists"},
        "owners": {"select": "owner", "distinct": True, "order_by": "owner"},
        "owner_of": {"select": "owner", "where": {"id": {"param": "id"}}, "returns": "one"},
        "by_status": {
            "select": {
                "status": "status",
                "n": {"count": "*"},
                "urgent": {"count": "*", "where": {"priority": {"gte": {"param": "urgent", "default": 5}}}},
                "cost": {"sum": "cost"},
                "mean": {"avg": "cost"},
                "most": {"max": "priority"},
            },
            "group_by": ["status"],
            "order_by": "n desc, status",
        },
        "totals": {"select": {"n": {"count": "*"}, "cost": {"sum": "cost"}, "retries": {"sum": "retries"}}},
        "with_tags": {"select": {"tags": "tags"}, "where": {"tags": {"contains": "a"}}},
        "how_many": {"select": {"n": {"count": "*"}}},
        "how_many_owners": {
            "select": {
                "owners": {"count": {"distinct": "owner"}},
                "tags": {"count": {"distinct": "tags"}},
                "late": {"count": {"distinct": "owner"}, "where": {"status": "failed"}},
                "rows": {"count": "owner"},
            }
        },
        "sizes": {"select": {"n": {"count": "*"}}, "group_by": ["status"], "order_by": "n"},
        "drop_others": {"delete": True, "where": {"id": {"not_in": {"param": "keep"}}}},
        "drop_named": {"delete": True, "where": {"owner": {"contains": {"param": "text"}}}},
        "countdown": {"increment": {"retries": -1}, "where": {"id": {"param": "id"}}},
        "hand_over": {
            "update": {"owner": {"param": "to"}},
            "where": {"id": {"param": "id"}},
            "params": {"to": {"type": "text"}},
        },
        "release": {"update": {"status": "pending", "owner": None}, "where": {"owner": {"param": "owner"}}},
        "rename": {
            "update": {"owner": {"param": "owner"}, "due_at": {"param": "due_at", "optional": True}},
            "where": {"id": {"param": "id"}},
        },
        "postpone": {
            "update": {"due_at": {"now": "1h"}, "most": {"field": "retries"}},
            "where": {"id": {"param": "id"}},
        },
        "retry": {
            "increment": {"retries": 1, "priority": {"param": "by", "default": -1}},
            "where": {"id": {"param": "id"}},
        },
        "purge": {"delete": True, "where": {"due_at": {"lt": {"now": "0s"}}}},
        "claim_next": {
            "claim": {"status": "running", "owner": {"param": "worker"}},
            "where": {"status": "pending"},
            "order_by": ["priority desc", "id"],
            "limit": 1,
        },
        "claim_some": {
            "claim": {"status": "running"},
            "where": {"status": "pending"},
            "order_by": "id",
            "limit": {"param": "limit"},
        },
    }


class Tasks(Repository):
    schema = TaskSchema


TASKS = [
    {"status": "pending", "owner": "Ann", "tags": ["a"], "priority": 1, "cost": Decimal("1.10")},
    {"status": "pending", "owner": None, "priority": 9, "cost": None},
    {"status": "failed", "owner": "bob", "retries": 1, "due_at": NOW - HOUR, "cost": Decimal("2.25")},
    {"status": "failed", "owner": "bob", "retries": 3, "due_at": NOW - HOUR, "priority": 5},
    {"status": "failed", "owner": "ANNE", "retries": 0, "due_at": NOW + HOUR, "cost": Decimal("0.05")},
    {"status": "failed", "owner": "ANNE", "retries": 0, "due_at": NOW - 2 * HOUR, "priority": 7},
]


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("named")) as home:
        EntityRegistry.register("task", TaskSchema)
        home.prepare(lambda db: db.create_table("task"))
        yield home


@pytest.fixture
async def tasks(db):
    EntityRegistry.register("task", TaskSchema)
    await db.save_many("task", TASKS)
    return Tasks(db)


def ids(rows):
    return [row.id for row in rows]


async def test_a_list_has_its_condition_its_order_and_its_limit(tasks):
    assert ids(await tasks._named_list("list_due", {})) == [6, 3]
    assert ids(await tasks._named_list("list_due", {"limit": 1})) == [6]


async def test_an_optional_condition_is_left_out_with_its_parameter(tasks):
    assert ids(await tasks._named_list("list_of", {"owner": "bob"})) == [3, 4]
    assert ids(await tasks._named_list("list_of", {"owner": "bob", "status": "pending"})) == []
    assert ids(await tasks._named_list("list_of", {"owner": "bob", "status": None})) == [3, 4]
    assert ids(await tasks._named_list("list_of", {"owner": None})) == [2]


async def test_a_parameter_can_be_a_list(tasks):
    assert ids(await tasks._named_list("list_in", {})) == [1, 2, 3, 4, 5, 6]
    assert ids(await tasks._named_list("list_in", {"statuses": ["pending"]})) == [1, 2]
    assert ids(await tasks._named_list("list_in", {"statuses": []})) == []


async def test_one_is_the_first_or_none(tasks):
    assert (await tasks._named_one("find_like", {"text": "ann"})).id == 6
    assert await tasks._named_one("find_like", {"text": "%"}) is None


async def test_a_parameter_is_now_where_its_default_says_so(tasks):
    assert (await tasks._named_one("first_due", {})).id == 6
    assert await tasks._named_one("first_due", {"at": NOW - 3 * HOUR}) is None


async def test_counts_and_existence(tasks):
    assert await tasks._named_count("count_of", {"owner": "bob"}) == 2
    assert await tasks._named_exists("any_of", {"owner": "bob"}) is True
    assert await tasks._named_exists("any_of", {"owner": "nobody"}) is False


async def test_a_column_is_its_values(tasks):
    assert await tasks._named_column("owners", {}) == ["ANNE", "Ann", "bob", None]
    assert await tasks._named_value("owner_of", {"id": 3}) == "bob"
    assert await tasks._named_value("owner_of", {"id": 99}) is None


async def test_groups_have_their_counts_sums_and_averages(tasks):
    rows = await tasks._named_rows("by_status", {}, lambda *values: values)
    assert rows == [
        ("failed", 4, 2, Decimal("2.30"), pytest.approx(1.15), 7),
        ("pending", 2, 1, Decimal("1.10"), pytest.approx(1.1), 9),
    ]
    rows = await tasks._named_rows("by_status", {"urgent": 0}, lambda *values: values[2])
    assert rows == [4, 2]


async def test_a_total_is_one_row_also_of_nothing(tasks, db):
    assert await tasks._named_total("totals", {}, lambda *values: values) == (6, Decimal("3.40"), 4)
    await db.delete_where("task", {}, all_rows=True)
    assert await tasks._named_total("totals", {}, lambda *values: values) == (0, None, None)


async def test_a_value_that_many_rows_have_is_counted_once(tasks, db):
    rows = await db.query("task")
    late = {row["owner"] for row in rows if row["status"] == "failed"}
    assert await db.run_query("task", "how_many_owners") == {
        "owners": len({row["owner"] for row in rows} - {None}),
        "tags": len({tuple(row["tags"]) for row in rows}),
        "late": len(late - {None}),
        "rows": sum(row["owner"] is not None for row in rows),
    }


async def test_rows_are_counted_where_no_field_is_named(tasks):
    assert await tasks._named_total("how_many", {}, lambda n: n) == 6
    assert await tasks._named_rows("sizes", {}, lambda n: n) == [2, 4]


@pytest.mark.parametrize(("name", "given"), [("drop_others", {"keep": []}), ("drop_named", {"text": ""})])
async def test_a_write_whose_parameters_leave_no_row_out_is_refused(tasks, db, name, given):
    with pytest.raises(UnsafeWriteError, match=f"{name} with these parameters would touch every task"):
        await tasks._named_write(name, given)
    assert await db.count("task") == 6


async def test_what_is_added_may_be_less_than_the_field_may_hold(tasks):
    assert await tasks._named_write("countdown", {"id": 3}) == 1
    assert (await tasks._get(3)).retries == 0


async def test_a_declared_parameter_must_fit_the_field_that_it_is_set_to(tasks):
    with pytest.raises(ValidationFailedError, match="at most 10 characters"):
        await tasks._named_write("hand_over", {"id": 1, "to": "x" * 11})


async def test_an_update_says_how_many_rows_it_changed_and_tells_of_each(tasks, db, told):
    assert await tasks._named_write("release", {"owner": "bob"}) == 2
    assert await db.count("task", {"owner": None, "status": "pending"}) == 3
    await db.events.settle()
    assert [(data["entity_id"], data["fields"]) for _, data in told[-2:]] == [
        ("3", ["status", "owner"]),
        ("4", ["status", "owner"]),
    ]


async def test_a_field_whose_optional_parameter_is_not_given_stays(tasks):
    assert await tasks._named_write("rename", {"id": 3, "owner": "eve"}) == 1
    row = await tasks._get(3)
    assert (row.owner, row.due_at) == ("eve", NOW - HOUR)
    await tasks._named_write("rename", {"id": 3, "owner": "eve", "due_at": None})
    assert (await tasks._get(3)).due_at is None


async def test_a_new_value_can_be_a_moment_or_another_field(tasks):
    before = dt.datetime.now(dt.UTC)
    await tasks._named_write("postpone", {"id": 4})
    row = await tasks._get(4)
    assert (before <= row.due_at - HOUR <= dt.datetime.now(dt.UTC), row.most) == (True, 3)
    assert row.changed_at >= before


async def test_increments_at_once_are_all_counted(tasks):
    await asyncio.gather(*(tasks._named_write("retry", {"id": 1}) for _ in range(20)))
    row = await tasks._get(1)
    assert (row.retries, row.priority) == (20, 1 - 20)


async def test_a_delete_says_how_many_rows_it_deleted(tasks, db):
    assert await tasks._named_write("purge", {}) == 3
    assert await db.count("task") == 3


async def test_of_many_workers_each_gets_another_row(tasks, db):
    await db.save_many("task", [{"priority": n % 3} for n in range(18)])
    claimed = await asyncio.gather(*(tasks._named_claim_one("claim_next", {"worker": f"w{n}"}) for n in range(25)))
    got = [row for row in claimed if row is not None]
    assert len({row.id for row in got}) == len(got) == 20
    assert {row.status for row in got} == {"running"}
    assert await tasks._named_claim_one("claim_next", {"worker": "late"}) is None


async def test_a_claim_takes_the_first_rows_in_its_order(tasks):
    assert (await tasks._named_claim_one("claim_next", {"worker": "w"})).id == 2
    assert ids(await tasks._named_claim("claim_some", {"limit": 5})) == [1]


async def test_claimed_rows_come_in_their_order(tasks, db):
    await db.save_many("task", [{"priority": n % 3} for n in range(12)])
    found = [(row.id, row.status) for row in await tasks._named_claim("claim_some", {"limit": 9})]
    assert found == [(number, "running") for number in (1, 2, *range(7, 14))]


async def test_answers_are_kept_until_a_write_and_never_where_they_depend_on_the_time(tasks, db):
    for _ in range(2):
        assert await tasks._named_count("count_of", {"owner": "bob"}) == 2
        assert ids(await tasks._named_list("list_due", {})) == [6, 3]
        assert (await tasks._named_one("first_due", {})).id == 6
    await db.update("task", "3", {"owner": "eve", "due_at": NOW + HOUR})
    assert await tasks._named_count("count_of", {"owner": "bob"}) == 1
    assert ids(await tasks._named_list("list_due", {})) == [6]


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("list_of", {}, "needs the parameter 'owner'"),
        ("list_of", {"owner": "x", "stats": "failed"}, "has no parameter 'stats'; did you mean 'status'?"),
        ("list_of", {"owner": 1}, "expected text, got int"),
        ("list_of", {"owner": "x", "status": "done"}, "Input should be 'pending'"),
        ("list_in", {"statuses": "pending"}, "takes a list"),
        ("list_due", {"limit": -1}, "limit must be a whole number"),
        ("rename", {"id": 1, "owner": "x" * 11}, "at most 10 characters"),
        ("nothing", {}, "has no query 'nothing'"),
    ],
)
async def test_a_wrong_parameter_is_refused_before_anything_is_asked(tasks, db, name, given, problem):
    with pytest.raises(ValidationFailedError, match=problem):
        await db.run_query("task", name, given)


async def test_an_unknown_query_is_answered_with_the_nearest_and_with_all_there_are(tasks, db):
    with pytest.raises(ValidationFailedError, match="has no query 'totels'; did you mean 'totals'") as caught:
        await db.run_query("task", "totels")
    assert caught.value.resolution == f"1. Use one of its queries: {', '.join(TaskSchema.queries)}."


async def test_the_facade_runs_them_by_name(tasks, db):
    assert [row["id"] for row in await db.run_query("task", "list_due")] == [6, 3]
    assert (await db.run_query("task", "find_like", {"text": "ann"}))["id"] == 6
    assert await db.run_query("task", "count_of", {"owner": "bob"}) == 2
    assert await db.run_query("task", "owners") == ["ANNE", "Ann", "bob", None]
    assert await db.run_query("task", "totals") == {"n": 6, "cost": Decimal("3.40"), "retries": 4}
    assert (await db.run_query("task", "by_status"))[0]["urgent"] == 2
    assert (await db.run_query("task", "claim_next", {"worker": "w"}))["owner"] == "w"
    async with db.transaction() as tx:
        assert await tx.run_query("task", "purge") == 3
        assert await tx.run_query("task", "any_of", {"owner": "bob"}) is False


async def test_an_answer_belongs_to_its_caller(tasks, db):
    (await db.run_query("task", "totals"))["n"] = 0
    (await tasks._named_column("owners", {})).clear()
    for _ in range(2):
        [row] = await db.run_query("task", "with_tags")
        assert row == {"tags": ["a"]}
        row["tags"].append("mine")
    assert (await db.run_query("task", "totals"))["n"] == 6
    assert len(await tasks._named_column("owners", {})) == 4


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"delete": True}, "a write needs a condition"),
        ({"delete": True, "where": {"id": {"ne": None}}}, "a write needs a condition"),
        (
            {"delete": True, "where": {"id": {"ne": None}, "owner": {"param": "owner", "optional": True}}},
            "a write needs a condition",
        ),
        ({"increment": {"retries": None}, "where": {"id": 1}}, "expected an integer"),
        ({"increment": {"retries": {"field": "priority"}}, "where": {"id": 1}}, "expected an integer"),
        ({"select": {"n": {"count": "*"}}, "limit": 1}, "which takes no limit"),
        ({"select": {"n": {"count": {"distinkt": "owner"}}}}, "what is counted is '*', a field, or {distinct: field}"),
        ({"select": {"n": {"sum": {"distinct": "priority"}}}}, "has no field"),
        ({"select": {"count": {"count": "*"}}}, "a method of every row"),
        ({"select": {"class": "owner"}}, "keeps for itself"),
        ({"where": {"owner": {"param": "fresh"}}}, "a parameter 'fresh' of its own"),
        ({"where": {"owner": {"param": "after"}}, "returns": "page"}, "a parameter 'after' of its own"),
        ({"where": {"due_at": {"lt": {"now": "-3000000d"}}}}, "further from now"),
        ({"where": {"priority": {"lt": {"now": "-1d"}}}}, "now is a datetime, the field is of type integer"),
        ({"delete": True, "where": {"owner": {"param": "owner", "optional": True}}}, "a write needs a condition"),
        ({"update": {"id": 1}, "where": {"owner": "x"}}, "id is part of the key"),
        ({"update": {"status": "done"}, "where": {"owner": "x"}}, "Input should be"),
        ({"update": {"status": None}, "where": {"owner": "x"}}, "status cannot be null"),
        ({"update": {"retries": -1}, "where": {"owner": "x"}}, "greater than or equal to 0"),
        ({"increment": {"owner": 1}, "where": {"id": 1}}, "owner is of type string; numbers can be incremented"),
        ({"update": {"owner": "x"}, "delete": True, "where": {"id": 1}}, "do not go together"),
        ({"claim": {"owner": "x"}}, "a claim needs 'order_by' and 'limit'"),
        ({"where": {"ownr": "x"}}, "task has no field 'ownr'"),
        ({"where": {"owner": {"param": "class"}}}, "keeps for itself"),
        ({"where": {"owner": {"param": "a", "default": 1}}}, "the default of the parameter 'a'"),
        ({"where": {"owner": {"param": "a"}, "priority": {"param": "a"}}}, "the parameter 'a' is string and integer"),
        ({"params": {"a": {"type": "text"}}}, "the parameter 'a' is not used"),
        ({"select": {"n": {"median": "cost"}}}, "unknown function 'median'"),
        ({"select": {"n": {"sum": "owner"}}}, "sum is for numbers"),
        ({"select": {"owner": "owner", "n": {"count": "*"}}}, "owner may have several values in a group"),
        ({"select": "owner", "order_by": "priority"}, "has no field 'priority'"),
        ({"returns": "count", "limit": 1}, "goes with a 'where' alone"),
        ({"group_by": ["owner"]}, "'group_by' does not go with a list of rows"),
        ({"limit": -1}, "limit must not be negative"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_with_the_schema(query, problem):
    class Broken(TaskSchema):
        queries = {"broken": query}

    with pytest.raises(SchemaInvalidError) as caught:
        EntityRegistry.register("task", Broken)
    assert any(found.startswith("queries.broken") and problem in found for found in caught.value.context["problems"])


async def test_a_limit_of_none_at_all_is_none(tasks):
    assert await tasks._named_list("list_due", {"limit": 0}) == []
