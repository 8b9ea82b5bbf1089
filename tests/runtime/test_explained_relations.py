"""Conditions on related rows are explained as they are sent."""

import pytest
from plans import plan
from related_schemas import SCHEMAS, SongSchema, make
from soulspot_db import EntityRegistry
from soulspot_db.language.table import describe
from soulspot_db.schema import resolved
from soulspot_db_codegen.explain.statements import questions
from soulspot_db_codegen.scratch import scratch_database

FILTERS = [
    {"artist": {"some": {}}},
    {"artist": {"some": {"name": "a"}}},
    {"artist": {"none": {"name": {"in": ["a", "b"]}}}},
    {"covers": {"every": {"rating": {"gt": 1}}}},
    {"covers": {"every": {}}},
    {"covers": {"some": {"artist": {"some": {"name": None}}}}},
    {"lists": {"some": {"name": {"starts_with": "x"}}}},
    {"lists": {"none": {}}},
    {"artist": {"some": {"songs": {"every": {"lists": {"some": {"id": 1}}}}}}},
    {"or": [{"original": {"some": {"rating": {"gt": {"field": "id"}}}}}, {"not": {"covers": {"none": {}}}}]},
    {"rating": {"between": [1, 3]}, "artist": {"some": {"or": [{"name": "a"}, {"id": 2}]}}},
]


class AskingSchema(SongSchema):
    queries = {f"number_{n}": {"where": where, "order_by": "rating"} for n, where in enumerate(FILTERS)}


@pytest.fixture
def scratch():
    specs = [resolved(schema).spec for schema in SCHEMAS]
    connection = scratch_database(describe(spec, None) for spec in specs)
    yield connection
    connection.close()


@pytest.mark.parametrize("number", range(len(FILTERS)))
async def test_a_condition_on_related_rows_is_explained_as_it_is_sent(open_database, scratch, number):
    for schema in SCHEMAS:
        EntityRegistry.register(schema.entity_type, AskingSchema if schema is SongSchema else schema)
    db = await open_database()
    await make(db)
    records = []
    db.hooks.add(records.append)
    await db.run_query("song", f"number_{number}")

    def find(name):
        return resolved(EntityRegistry.get_schema(name)).spec

    spec = resolved(AskingSchema).complete_spec(find)
    (asked,) = questions(spec.queries[f"number_{number}"], spec, find)
    assert plan(scratch, asked.sql) == plan(scratch, records[0].statement)
