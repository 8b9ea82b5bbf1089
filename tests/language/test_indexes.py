"""Indexes: partial ones let the other rows through, expressions are looked up in them, and each has a name of its own."""

import sqlite3

import pytest
from language_support import TaskSchema
from soulspot_db import ConstraintViolationError
from soulspot_db.language.document import EntityDocument
from soulspot_db.language.indexes import IndexPart
from soulspot_db.language.spec import resolve
from soulspot_db.schema import resolved
from soulspot_db.sql.dialects import DIALECTS
from soulspot_db.sql.tables import create_statements


@pytest.fixture
def connection():
    """The table of tasks, and nothing else, as SQLite has it."""
    with sqlite3.connect(":memory:") as opened:
        for statement in create_statements(resolved(TaskSchema).spec, lambda _reference: ("", ""), DIALECTS["sqlite"]):
            opened.execute(statement)
        yield opened
    opened.close()


def plan(connection, sql):
    return " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))


def entity(*indexes, **fields):
    some = {"id": {"type": "uuid", "primary_key": True}, "a": {"type": "string"}, "b": {"type": "integer"}}
    document = {"entity_type": "thing", "table_name": "things", "fields": some | fields, "indexes": list(indexes)}
    return resolve(EntityDocument.model_validate(document))


async def test_a_partial_unique_index_is_about_its_rows_alone(db):
    first = await db.save("task", {"name": "one", "owner": "me"})
    with pytest.raises(ConstraintViolationError) as caught:
        await db.save("task", {"name": "two", "owner": "me"})
    assert "owner" in str(caught.value)
    for name in ("three", "four"):
        await db.save("task", {"name": name, "owner": "me", "status": "done"})
    await db.save("task", {"name": "five", "owner": "you"})
    await db.update("task", first, {"status": "done"})
    await db.save("task", {"name": "six", "owner": "me"})
    assert await db.count("task", {"owner": "me"}) == 4
    with pytest.raises(ConstraintViolationError):
        await db.update("task", first, {"status": "open"})


def test_a_partial_unique_index_holds_for_every_writer(connection):
    insert = (
        "INSERT INTO tasks (id, name, owner, status, created_at) VALUES (?, 'x', 'me', ?, '2026-11-24 12:00:00.000000')"
    )
    key = "0190b2d4-1f7e-7c3a-9f00-00000000000{}"
    connection.execute(insert, (key.format(1), "open"))
    connection.execute(insert, (key.format(2), "done"))
    connection.execute(insert, (key.format(3), "done"))
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(insert, (key.format(4), "open"))


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM tasks WHERE lower(name) = 'x'", "ix_tasks_lower_name"),
        ("SELECT * FROM tasks WHERE priority > 7 AND priority > 5 AND upper(owner) = 'ME'", "ix_tasks_upper_owner"),
        ("SELECT * FROM tasks WHERE status = 'open' AND owner = 'me'", "one_open_an_owner"),
        ("SELECT * FROM tasks ORDER BY priority DESC, created_at LIMIT 5", "ix_tasks_priority_created_at"),
    ],
)
def test_an_index_is_used_by_what_it_is_for(connection, sql, index):
    assert f"USING INDEX {index}" in plan(connection, sql)
    assert "TEMP B-TREE" not in plan(connection, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM tasks WHERE upper(owner) = 'ME'",
        "SELECT * FROM tasks WHERE status = 'done' AND owner = 'me'",
        "SELECT * FROM tasks WHERE name = 'x'",
    ],
)
def test_an_index_is_not_used_by_what_it_does_not_hold(connection, sql):
    assert plan(connection, sql) == "SCAN tasks"


def test_only_a_full_unique_index_over_fields_finds_one_row():
    unique = {"unique": True}
    spec, problems = entity(
        {"fields": ["a", "b"], **unique},
        {"fields": ["b", "a desc"], **unique},
        {"fields": ["lower(a)"], **unique},
        {"fields": ["b"], "where": {"a": "x"}, **unique},
        {"fields": ["a"]},
    )
    assert problems == []
    assert spec.unique_groups == (("a", "b"), ("b", "a"))


def test_indexes_are_named_after_what_is_in_them():
    spec, problems = entity(
        {"fields": ["lower(a) desc", "b"]},
        {"fields": ["a"], "unique": True},
        {"fields": ["a"], "where": {"b": 1}, "name": "mine"},
        {"fields": ["b DESC"]},
        {"fields": ["b asc", "a"]},
    )
    assert problems == []
    assert [index.name for index in spec.indexes] == [
        "ix_things_lower_a_b",
        "uq_things_a",
        "mine",
        "ix_things_b",
        "ix_things_b_a",
    ]
    assert spec.indexes[0].parts == (IndexPart("a", "lower", descending=True), IndexPart("b"))
    assert [part.descending for index in spec.indexes[3:] for part in index.parts] == [True, False, False]


def test_a_long_name_is_cut_to_one_that_nothing_else_has():
    long = {f"{letter * 40}": {"type": "integer"} for letter in "cd"}
    spec, problems = entity({"fields": [*long]}, {"fields": [*reversed(long)]}, {"fields": ["c" * 40]}, **long)
    names = [index.name for index in spec.indexes]
    assert problems == []
    assert all(len(name) <= 63 for name in names)
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"fields": ["a"], "where": {}}, "the filter has no condition and holds for every row"),
        ({"fields": ["a"], "where": {"c": 1}}, "thing has no field 'c'"),
        ({"fields": ["lower(b)"]}, "lower() is for text, not for integer"),
        ({"fields": ["trim(a)"]}, "unknown function 'trim'"),
        ({"fields": ["a", "lower(a)", "a desc"]}, "a field is named twice"),
    ],
)
def test_what_cannot_be_an_index(index, message):
    _, [problem] = entity(index)
    assert problem.message == message
