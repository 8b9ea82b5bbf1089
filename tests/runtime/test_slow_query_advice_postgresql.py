"""Advice for slow statements on PostgreSQL, which cannot be asked what it would do: told from its plan, and silent otherwise."""

import homes
import pytest
import slow_schemas
import support
from slow_cases import RIGHT, SILENT, advice, lines, make_indexes, sent
from soulspot_db import Database
from soulspot_db.engine.base import Statement
from support import outside

DATABASES = ("postgresql", pytest.param("listening", marks=pytest.mark.slow))


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with slow_schemas.filled(database_kind, tmp_path_factory.mktemp("slow")) as home:
        yield home


@pytest.fixture(autouse=True)
def known(registry):
    slow_schemas.register()


@pytest.fixture(scope="module")
def copy_to_read(empty_database, tmp_path_factory):
    """For all tests that change nothing: a copy with all of its rows takes longer to make than to ask."""
    with empty_database.copy(tmp_path_factory.mktemp("read")) as where:
        yield where


@pytest.fixture
async def db_to_read(copy_to_read):
    async with Database(support.settings(**copy_to_read)) as db:
        yield db


@pytest.fixture
async def db(open_database):
    db = await open_database()
    # A copy of which more than the rows has changed is thrown away, and not emptied for the next test.
    outside(db, "CREATE TABLE changed ()")
    return db


ON_SERVER = [
    "equality",
    "list",
    "order",
    "letters of either case",
    "equality, then order",
    "count",
    "update",
    "delete",
    "beginning of a text",
    "range that finds few",
    "query in SQL, column of another name",
    "two equalities that find few together",
]


@pytest.mark.parametrize("case", ON_SERVER)
async def test_postgresql_uses_the_index_that_is_advised(db, case):
    ask, wanted = RIGHT[case]
    statement = await sent(db, ask)
    found = await advice(db, statement)
    assert lines(found) == [f"{{fields: [{wanted}]}}"], found
    made = make_indexes(db, found.partition("; ")[0])
    outside(db, "ANALYZE")
    connection = await homes.connect(db.settings)
    after = await connection.fetch(f"EXPLAIN {statement.sql}", *statement.values)
    await connection.close()
    assert all(any(name in step for (step,) in after) for name in made), after
    assert await advice(db, statement) is None


@pytest.mark.parametrize("case", [case for case in SILENT if case != "few values"])
async def test_nothing_is_advised_on_postgresql_where_no_index_helps(db_to_read, case):
    statement = await sent(db_to_read, SILENT[case])
    assert await advice(db_to_read, statement) is None
    assert await advice(db_to_read, Statement(statement.sql)) is None


async def test_postgresql_explains_without_values_and_without_running(db_to_read):
    db = db_to_read
    statement = await sent(db, lambda db: db.delete_where("track", {"title": "none"}))
    assert lines(await advice(db, Statement(statement.sql))) == ["{fields: [title]}"]
    everything = Statement("DELETE FROM plays WHERE track_id = ANY ($1) OR id > 0", ([1],))
    assert await advice(db, everything) is None
    assert outside(db, "SELECT count(*) FROM plays") == [(slow_schemas.ROWS,)]
