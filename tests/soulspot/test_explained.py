"""What `generate` explains is what the runtime sends: SQLite finds the rows of both in the same way."""

from contextlib import suppress
from random import Random

import pytest
from plans import plan
from projects import REPOSITORY
from soulspot_db import ConstraintViolationError
from soulspot_db.testing.values import Values
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.explain.statements import questions
from soulspot_db_codegen.generate import read_schemas
from soulspot_db_codegen.scratch import expect_rows, scratch_database

DATABASES = ("sqlite",)  # whose plans these are
RESOLVED = read_schemas(load_configuration(REPOSITORY))
SPECS = {entity.spec.entity_type: entity.spec for entity in RESOLVED.entities}
# The text of a query in SQL is what is sent.
QUERIES = [
    (spec.entity_type, query.name) for spec in SPECS.values() for query in spec.queries.values() if not query.sql
]


@pytest.fixture(scope="module")
def scratch():
    connection = scratch_database(entity.table for entity in RESOLVED.entities)
    expect_rows(connection, {entity.table["table"]: 100_000 for entity in RESOLVED.entities})
    yield connection
    connection.close()


def arguments(query, *, everything):
    values = Values(Random(0))
    found = {}
    for name, param in query.params.items():
        if everything or not param.optional:
            value = values.of("any", param.field)
            found[name] = [value, value] if param.many else value
    return found


async def sent(db, factories, entity, query, *, everything):
    """The statement with which the runtime finds the rows."""
    records = []
    db.hooks.add(records.append)
    if query.verb == "upsert":
        given = factories.full.build(entity).model_dump(exclude_unset=True)
    else:
        given = arguments(query, everything=everything)
    with suppress(ConstraintViolationError):  # of a reference, after the row was looked for
        await db.run_query(entity, query.name, given)
    db.hooks.remove(records.append)
    return records[0].statement


@pytest.mark.parametrize(("entity", "name"), QUERIES)
async def test_a_query_is_explained_as_it_is_sent(soulspot, factories, scratch, entity, name):
    query = SPECS[entity].queries[name]
    for question in questions(query, SPECS[entity], SPECS.__getitem__):
        statement = await sent(soulspot, factories, entity, query, everything=not question.is_bare)
        explained, found = plan(scratch, question.sql), plan(scratch, statement)
        if query.verb in {"claim", "upsert"}:  # in which finding rows is part of changing them
            assert set(explained) <= set(found)
        else:
            assert explained == found
