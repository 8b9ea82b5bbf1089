"""Checks: a row that breaks one is refused, whoever writes it, and told which."""

import datetime as dt
import sqlite3
from contextlib import closing

import pytest
from language_support import TaskSchema
from soulspot_db import ConstraintViolationError, Database, EntityRegistry, EntitySchema, SchemaInvalidError
from soulspot_db.schema import resolved

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
BROKEN = [
    ({"priority": 11}, "priority_counts"),
    ({"priority": -1}, "priority_counts"),
    ({"started_at": NOW - dt.timedelta(microseconds=1)}, "started_after_created"),
    ({"name": "it's: 100%"}, "no_odd_names"),
    ({"name": 'say "x"'}, "no_odd_names"),
    ({"name": "a\\:b"}, "no_odd_names"),
    ({"status": "done"}, "done_has_owner"),
]
KEPT = [
    {"priority": 0},
    {"priority": 10},
    {"started_at": NOW},
    {"started_at": None},
    {"name": "its 100%"},
    {"name": "a:b"},
    {"status": "done", "owner": "me"},
]


def task(changes):
    return {"name": "x", "created_at": NOW, **changes}


@pytest.mark.parametrize(("changes", "check"), BROKEN)
async def test_a_row_that_breaks_a_check_is_refused_and_told_which(db, changes, check):
    with pytest.raises(ConstraintViolationError) as caught:
        await db.save("task", task(changes))
    assert caught.value.code == "DATABASE_CONSTRAINT_VIOLATION"
    assert f"ck_tasks_{check}" in str(caught.value)
    assert f"ck_tasks_{check}" in str(caught.value.context["constraint"])
    assert await db.count("task") == 0


@pytest.mark.parametrize(("changes", "check"), BROKEN)
async def test_a_change_that_breaks_a_check_is_refused_too(db, changes, check):
    key = await db.save("task", task({}))
    with pytest.raises(ConstraintViolationError, match=f"ck_tasks_{check}"):
        await db.update("task", key, changes)
    with pytest.raises(ConstraintViolationError, match=f"ck_tasks_{check}"):
        await db.update_where("task", {"name": "x"}, changes)
    row = await db.get("task", key, fresh=True)
    assert all(row[name] != value for name, value in changes.items())


@pytest.mark.parametrize("changes", KEPT)
async def test_a_row_that_keeps_them_is_stored(db, changes):
    row = await db.get("task", await db.save("task", task(changes)))
    assert {name: row[name] for name in changes} == changes


@pytest.mark.parametrize(("changes", "check"), BROKEN)
async def test_no_other_writer_gets_past_a_check(db, changes, check):
    key = await db.save("task", task({}))
    [(name, value)] = changes.items()
    value = "2026-11-24 11:59:59.999999" if name == "started_at" else value
    refused = pytest.raises(sqlite3.IntegrityError, match=f"CHECK constraint failed: ck_tasks_{check}")
    with closing(sqlite3.connect(db.settings.database_path)) as connection, refused:
        connection.execute(f"UPDATE tasks SET {name} = ? WHERE id = ?", (value, key))


async def test_a_check_that_is_null_for_a_row_lets_it_through(db):
    assert await db.save("task", task({"started_at": None, "status": "done", "owner": "me"}))


async def test_texts_that_sql_could_mistake_are_values_in_the_table(db):
    with closing(sqlite3.connect(db.settings.database_path)) as connection:
        [[sql]] = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'tasks'")
    assert "NOT IN ('it''s: 100%', 'say \"x\"', 'a\\:b')" in sql


@pytest.mark.parametrize(
    ("checks", "problem"),
    [
        ({"empty": {}}, "checks.empty: the check has no condition"),
        ({"typo": {"nmae": 1}}, "checks.typo.nmae: broken has no field 'nmae'; did you mean 'name'?"),
        ({"order": {"name": {"above": 1}}}, "checks.order.name.above: operator 'above' of name is unknown"),
        ({"kind": {"name": 1}}, "checks.kind.name: name: expected text, got int"),
        ({"other": {"name": {"lt": {"field": "id"}}}}, "checks.other.name.lt: name and id are of different types"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused_with_the_schema(checks, problem):
    class Broken(EntitySchema):
        entity_type = "broken"
        table_name = "brokens"
        fields = {"id": {"type": "uuid", "primary_key": True}, "name": {"type": "string"}}

    Broken.checks = checks
    with pytest.raises(SchemaInvalidError) as caught:
        EntityRegistry.register("broken", Broken)
    assert any(found.startswith(problem) for found in caught.value.context["problems"])


async def test_every_check_of_the_schema_is_in_the_table(db: Database):
    with closing(sqlite3.connect(db.settings.database_path)) as connection:
        [[sql]] = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'tasks'")
    for name in resolved(TaskSchema).spec.checks:
        assert f"CONSTRAINT ck_tasks_{name} CHECK" in sql
