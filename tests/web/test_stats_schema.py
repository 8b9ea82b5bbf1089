"""The JSON Schemas of `/stats` say what it answers, also while much is going on."""

import asyncio
import json
from contextlib import suppress
from importlib.resources import files

import pytest
import servers
from jsonschema import Draft202012Validator
from soulspot_db import ConstraintViolationError
from soulspot_db.engine.base import Statement
from soulspot_db.web import database_app


def schema(name):
    return json.loads(files("soulspot_db.web").joinpath(f"{name}.schema.json").read_text("utf-8"))


PLAIN, FULL = Draft202012Validator(schema("stats")), Draft202012Validator(schema("stats-full"))


@pytest.mark.parametrize("name", ["stats", "stats-full"])
def test_the_schemas_are_schemas_and_close_every_object(name):
    Draft202012Validator.check_schema(schema(name))

    def objects(part):
        if isinstance(part, dict):
            if "properties" in part:
                yield part
            for each in part.values():
                yield from objects(each)
        elif isinstance(part, list):
            for each in part:
                yield from objects(each)

    found = list(objects(schema(name)))
    assert len(found) > 5
    assert [part for part in found if part.get("additionalProperties") is not False] == []
    assert [part for part in found if set(part["required"]) != set(part["properties"])] == []


async def mixed_work(db, number):
    for step in range(12):
        name = f"{number}-{step}"
        await db.save("counter", {"name": name, "value": step})
        await db.get("counter", name)
        await db.query("counter", {"value": step}, limit=5)
        async with db.transaction() as tx:
            await tx.update("counter", name, {"value": step + 1})
        with suppress(ConstraintViolationError):
            await db.save("counter", {"name": name})
        await db.get("playlist", "0190a0a0-0000-7000-8000-000000000000")


async def test_the_schemas_hold_while_fifty_tasks_work(open_database, ask):
    db = await open_database(slow_query_threshold=0.001)
    app = database_app(db, auth=None, public=True)
    work = asyncio.gather(*(mixed_work(db, number) for number in range(50)))
    answers = 0
    while not work.done() or not answers:
        PLAIN.validate((await ask(app, "/stats")).json())
        FULL.validate((await ask(app, "/stats?detail=full")).json())
        assert (await ask(app, "/card")).status_code == 200
        answers += 1
    await work
    full = (await ask(app, "/stats?detail=full")).json()
    FULL.validate(full)
    saves = next(row for row in full["operations"] if (row["entity"], row["operation"]) == ("counter", "save"))
    assert (saves["count"], saves["errors"]) == (1_200, 600)
    assert full["last_error"]["code"] == "DATABASE_CONSTRAINT_VIOLATION"


async def test_a_schema_refuses_what_it_does_not_know(db, ask):
    answer = (await ask(database_app(db, auth=None, public=True), "/stats")).json()
    PLAIN.validate(answer)
    assert not PLAIN.is_valid({**answer, "more": 1})
    assert not PLAIN.is_valid({**answer, "connections": {**answer["connections"], "active": "2"}})


async def test_the_schema_holds_on_postgresql(open_database, ask, shared_server):
    with servers.throwaway_database(shared_server) as name:
        where = f"{shared_server.host}:{shared_server.port}/{name}"
        db = await open_database(database=where, user=shared_server.user)
        await db.save("counter", {"name": "a"})
        app = database_app(db, auth=None, public=True)
        PLAIN.validate((await ask(app, "/stats")).json())
        full = (await ask(app, "/stats?detail=full")).json()
        FULL.validate(full)
        assert full["database"]["type"] == "postgresql"
        assert "PostgreSQL at" in (await ask(app, "/card")).text
        await db.close()


async def test_a_slow_statement_is_on_the_card_as_text(open_database, ask):
    db = await open_database(slow_query_threshold=0.02)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)"
    await db._engine.read(
        Statement(f"{numbers} SELECT '<script>alert(1)</script>', count(*) AS \"{{{{7*7}}}}\" FROM n")
    )
    text = (await ask(database_app(db, auth=None, public=True), "/card")).text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{7*7}}" in text
    assert "<script" not in text
