"""Advice for slow statements: right where an index helps, which is then made to see it, and silent where none does."""

import re
import sqlite3

import homes
import pytest
import slow_schemas
from slow_schemas import asked
from soulspot_db import EntityRegistry
from soulspot_db.language.advised import Advised
from soulspot_db.language.table import index_sql
from soulspot_db.monitoring.slow.entities import known_tables
from support import outside

DATABASES = homes.BOTH


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    async def make(db):
        await slow_schemas.make(db)
        slow_schemas.fill(db)

    with EntityRegistry.isolated(), homes.home(database_kind, tmp_path_factory.mktemp("slow")) as home:
        slow_schemas.register()
        home.prepare(make)
        yield home


@pytest.fixture(autouse=True)
def known(registry):
    slow_schemas.register()


async def sent(db, ask):
    """The last statement that `ask` sends."""
    with asked(db) as statements:
        await ask(db)
    return statements[-1]


async def advice(db, statement):
    return await db._engine.explained(statement, known_tables())


def plan(db, statement):
    """How the file's own SQLite runs a statement."""
    connection = sqlite3.connect(db.settings.database_path)
    try:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)
        return [detail for *_, detail in rows]
    finally:
        connection.close()


def make_index(db, line, entity):
    """Make the index of a line, as a migration would."""
    spec = known_tables()[next(t for t, known in known_tables().items() if known.name == entity)].spec
    index = Advised(entity, tuple(re.search(r"\[(.*)\]", line)[1].split(", "))).index(spec)
    index["name"] = "made"
    outside(db, index_sql(spec.table_name, index))


def query(entity, filters=None, **options):
    return lambda db: db.query(entity, filters, **options)


RIGHT = {
    "equality": (query("track", {"singer_id": 3}), "singer_id"),
    "two equalities of which one finds few": (query("track", {"singer_id": 3, "rating": 5}), "singer_id"),
    "two equalities that find few together": (query("track", {"shelf": 5, "place": 5}), "shelf, place"),
    "equality and range": (query("track", {"rating": 5, "added": {"gt": 29_000}}), "added|rating, added"),
    "equality, then order": (query("track", {"mood": "mood 1"}, order_by="title", limit=5), "mood, title"),
    "another column of an index": (query("track", {"heard": 77}), "heard"),
    "order against that of an index": (query("track", order_by="year, genre", limit=5), "year, genre"),
    "order": (query("track", order_by="added desc", limit=5), "added desc"),
    "order of two": (query("track", order_by="rating desc, added", limit=5), "rating desc, added"),
    "order of those that are not deleted": (
        query("track", {"gone": None}, order_by="added desc", limit=9),
        "added desc",
    ),
    "letters of either case": (query("track", {"title": {"ieq": "title 7"}}), "lower(title)"),
    "beginning of a text": (query("track", {"title": {"starts_with": "Title 299"}}), "title"),
    "list": (query("track", {"singer_id": {"in": [1, 2, 3]}}), "singer_id"),
    "range that finds few": (query("track", {"added": {"gt": 29_900}}), "added"),
    "count": (lambda db: db.count("track", {"title": "Title 9"}), "title"),
    "exists": (lambda db: db.exists("track", {"title": "none"}), "title"),
    "related rows": (query("singer", {"tracks": {"some": {"rating": 3}}}), "singer_id"),
    "no related rows": (query("track", {"id": {"lt": 20}, "plays": {"none": {}}}), "track_id"),
    "loading related rows": (lambda db: db.related("singer", "1", "tracks"), "singer_id"),
    "query in SQL, column of another name": (lambda db: db.run_query("track", "of_album", {"album": 3}), "album"),
    "update": (lambda db: db.update_where("track", {"title": "none"}, {"rating": 1}), "title"),
    "delete": (lambda db: db.delete_where("track", {"title": "none"}), "title"),
}
SILENT = {
    "key": query("track", {"id": 5}),
    "index that is there": query("track", {"genre": "genre 5", "year": 10}),
    "all rows": query("track"),
    "all rows in an order": query("track", order_by="title"),
    "first rows by key": query("track", order_by="id", limit=5),
    "first rows of all": query("track", limit=5),
    "count of all": lambda db: db.count("track"),
    "text within": query("track", {"title": {"contains": "29"}}),
    "end of a text": query("track", {"title": {"ends_with": "29"}}),
    "letters of either case within": query("track", {"title": {"icontains": "x"}}),
    "text within, first in an order": query("track", {"title": {"contains": "nowhere"}}, order_by="added", limit=5),
    "few values": query("track", {"mood": "mood 1"}),
    "all but one": query("track", {"singer_id": {"ne": 3}}),
    "range that finds much": query("track", {"added": {"gt": 10}}),
    "alternatives of which one reads all": query("track", {"or": [{"singer_id": 3}, {"title": {"contains": "z"}}]}),
    "not": query("track", {"not": {"singer_id": 3}}),
    "two columns of a row": query("track", {"added": {"gt": {"field": "heard"}}}),
    "most have none": query("track", {"gone": None}),
    "small table": query("label", {"name": "label 9"}),
    "order of a small table": query("label", order_by="name", limit=5),
}


def lines(text):
    return re.findall(r'"- (\{.*?\})"', text or "")


@pytest.mark.sqlite_only
@pytest.mark.parametrize("analysed", [False, True], ids=["as it is", "analysed"])
@pytest.mark.parametrize("case", RIGHT)
async def test_the_index_that_is_advised_changes_the_plan(db, case, analysed):
    if analysed:
        outside(db, "ANALYZE")
    ask, wanted = RIGHT[case]
    statement = await sent(db, ask)
    found = await advice(db, statement)
    assert found is not None
    assert lines(found)[0] in [f"{{fields: [{parts}]}}" for parts in wanted.split("|")], found
    before = plan(db, statement)
    assert "optimize" not in found or not analysed
    for line, entity in re.findall(r'"- (\{.*?\})".*? to the indexes of (\w+)', found)[:1]:
        make_index(db, line, entity)
    if "optimize" in found:
        outside(db, "ANALYZE")
    after = plan(db, statement)
    assert after != before
    assert any("made" in step for step in after)
    assert await advice(db, statement) == (found.partition("; ")[2] or None)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("analysed", [False, True], ids=["as it is", "analysed"])
@pytest.mark.parametrize("case", SILENT)
async def test_nothing_is_advised_where_no_index_helps(db, case, analysed):
    if analysed:
        outside(db, "ANALYZE")
    statement = await sent(db, SILENT[case])
    assert await advice(db, statement) is None
