"""Whatever stands in `sql:`, it is refused in words, or it does what its query says and nothing else."""

import sqlite3
from contextlib import closing

import hypothesis
import pytest
from hypothesis import strategies as st
from soulspot_db.language.document import EntityDocument
from soulspot_db.language.spec import resolve, with_queries
from soulspot_db_codegen.sql_analysis import analyser
from soulspot_db_codegen.sql_database import SqlDatabase
from sql_strategies import SQL, STATEMENT, likely_queries

FIELDS = {
    "id": {"type": "uuid", "primary_key": True},
    "name": {"type": "string", "nullable": True, "unique": True},
    "size": {"type": "integer", "default": 0},
}
PARAMS = {"a": {"type": "text"}}
COLUMNS = {"a": {"type": "integer", "nullable": True}}


def analysed(**query):
    """The query of an entity with these keys, or None, and what is wrong with it."""
    document = EntityDocument.model_validate(
        {"entity_type": "thing", "table_name": "m_things", "fields": FIELDS, "queries": {"it": query}}
    )
    spec, _ = resolve(document)
    with SqlDatabase.opened([spec]) as database:
        complete, problems = with_queries(spec, document, None, analyser(spec, document, database))
    return complete.queries.get("it"), [problem.message for problem in problems]


@pytest.fixture(scope="module")
def database():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE m_things (id TEXT PRIMARY KEY, name TEXT UNIQUE, size INTEGER DEFAULT 0) STRICT"
        )
        yield connection


@hypothesis.settings(max_examples=800, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(query=likely_queries())
def test_what_is_accepted_can_be_run_and_writes_only_where_it_says_so(database, query):
    spec, problems = analysed(**query)
    assert (spec is None) == bool(problems)
    if spec is None:
        return
    statement = spec.sql.statements["sqlite"]
    assert spec.writes == (statement.verb != "select")
    text, names = (statement.returning(["id"]) if spec.writes else statement).bound({})
    database.execute(f"PRAGMA query_only = {'OFF' if spec.writes else 'ON'}")
    database.execute("SAVEPOINT before")
    found = database.execute(text, ["1"] * len(names))
    assert len(found.description) == (1 if spec.writes else len(statement.selected))
    found.fetchall()
    database.execute("ROLLBACK TO before")


@hypothesis.settings(max_examples=500)
@hypothesis.given(sql=SQL | STATEMENT, returns=st.sampled_from(["many", "rows", "column", "count", "exec"]))
def test_whatever_else_stands_there_is_refused_in_words(sql, returns):
    spec, problems = analysed(sql=sql, returns=returns, params=PARAMS, columns=COLUMNS)
    assert (spec is None) == bool(problems)


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT id FROM m_things", ("m_things",)),
        ("SELECT 1 AS id", ()),
        ("SELECT x.id FROM (WITH RECURSIVE n(id) AS (SELECT 1 UNION SELECT id + 1 FROM n) SELECT id FROM n) AS x", ()),
        ("SELECT 1 AS id WHERE EXISTS (SELECT 1 FROM m_things)", ("m_things",)),
        ("SELECT value AS id FROM json_each('[1]')", ()),
    ],
)
def test_the_tables_that_are_read_are_those_and_no_other(sql, reads):
    query, problems = analysed(sql=sql, returns="column", columns={"id": {"type": "uuid"}})
    assert problems == []
    assert query.sql.analysis.reads == reads


def test_the_tables_that_only_the_text_for_postgresql_names_are_read_too():
    texts = {"sqlite": "SELECT 1 AS a", "postgresql": 'SELECT 1 AS a WHERE EXISTS (SELECT FROM "m_things")'}
    query, problems = analysed(sql=texts, returns="column", columns=COLUMNS)
    assert (query.sql.analysis.reads, problems) == (("m_things",), [])


def test_the_fields_that_are_set_are_told_in_the_order_of_the_schema():
    query, problems = analysed(sql="UPDATE m_things SET size = size * 2, name = upper(name) WHERE size > 1")
    assert (query.sql.analysis.sets, problems) == (("name", "size"), [])


@pytest.mark.parametrize(
    ("sql", "is_kept"),
    [
        ("SELECT count(*) FROM m_things WHERE name > :a", True),
        ("SELECT count(*) FROM m_things WHERE date(name) > :a", False),  # which may be 'now'
        ("SELECT count(*) FROM m_things WHERE name > :a AND size > random()", False),
    ],
)
def test_whether_an_answer_may_be_kept_is_told_by_text_and_parameters(sql, is_kept):
    query, problems = analysed(sql=sql, returns="count", params=PARAMS)
    assert (not query.sql.is_timed, problems) == (is_kept, [])


def test_a_table_may_be_called_as_it_likes():
    document = EntityDocument.model_validate(
        {
            "entity_type": "select",
            "table_name": "selected",
            "fields": {"id": {"type": "uuid", "primary_key": True}, "order": {"type": "integer"}},
            "queries": {"it": {"sql": 'SELECT "order", id FROM selected WHERE "order" > 1', "returns": "rows"}},
        }
    )
    spec, _ = resolve(document)
    with SqlDatabase.opened([spec]) as database:
        complete, problems = with_queries(spec, document, None, analyser(spec, document, database))
    assert problems == []
    assert [output.name for output in complete.queries["it"].outputs] == ["order", "id"]
