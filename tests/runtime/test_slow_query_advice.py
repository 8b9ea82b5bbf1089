"""Advice for slow statements: right where an index helps, which is then made to see it, and silent where none does."""

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest
import slow_schemas
from slow_cases import RIGHT, SILENT, advice, lines, make_indexes, query, sent
from soulspot_db import ConnectionFailedError, LockedError
from soulspot_db.engine.base import Statement
from soulspot_db.engine.sqlite.explained import explained
from soulspot_db.monitoring.slow.entities import known_tables
from support import outside


@pytest.fixture(scope="module")
def empty_database(database_kind, tmp_path_factory):
    with slow_schemas.filled(database_kind, tmp_path_factory.mktemp("slow")) as home:
        yield home


@pytest.fixture(autouse=True)
def known(registry):
    slow_schemas.register()


def plan(db, statement):
    """How the file's own SQLite runs a statement."""
    connection = sqlite3.connect(db.settings.database_path)
    try:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)
        return [detail for *_, detail in rows]
    finally:
        connection.close()


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
    made = make_indexes(db, found.partition("; ")[0])
    after = plan(db, statement)
    assert after != before
    assert all(any(name in step for step in after) for name in made)
    assert await advice(db, statement) == (found.partition("; ")[2] or None)


@pytest.mark.parametrize("analysed", [False, True], ids=["as it is", "analysed"])
@pytest.mark.parametrize("case", SILENT)
async def test_nothing_is_advised_where_no_index_helps(db, case, analysed):
    if analysed:
        outside(db, "ANALYZE")
    statement = await sent(db, SILENT[case])
    assert await advice(db, statement) is None


async def test_an_index_that_narrows_too_little_is_replaced(db):
    outside(db, "CREATE INDEX old ON tracks (shelf)")
    outside(db, "ANALYZE")
    statement = await sent(db, query("track", {"shelf": 5, "place": 5}))
    assert (
        await advice(db, statement) == 'much of track is read: add "- {fields: [shelf, place]}" to the indexes of track'
    )


async def test_what_is_found_by_an_index_and_then_sorted_is_told(db):
    outside(db, "CREATE INDEX old ON tracks (genre)")
    outside(db, "ANALYZE")
    statement = await sent(db, query("track", {"genre": "genre 1"}, order_by="added desc", limit=5))
    assert await advice(db, statement) == (
        "all that is found of track is sorted to return the first rows: "
        'add "- {fields: [genre, added desc]}" to the indexes of track'
    )


async def test_alternatives_get_the_indexes_that_are_missing(db):
    either = {"or": [{"singer_id": 3}, {"title": "Title 5"}]}
    statement = await sent(db, query("track", either))
    both = 'track is read whole: add "- {fields: [singer_id]}" and "- {fields: [title]}" to the indexes of track'
    assert await advice(db, statement) == both
    outside(db, "CREATE INDEX there ON tracks (title)")
    one = 'track is read whole: add "- {fields: [singer_id]}" to the indexes of track'
    assert await advice(db, statement) == one


async def test_a_delete_is_told_of_the_references_that_sqlite_looks_for(db):
    statement = await sent(db, lambda db: db.delete("track", "30000"))
    assert await advice(db, statement) == (
        'play is read whole for each row that is deleted: add "- {fields: [track_id]}" to the indexes of play'
    )


@pytest.mark.parametrize(
    "sql", ["INSERT INTO tracks (id) SELECT id FROM tracks WHERE title = ?", "PRAGMA optimize", "COMMIT"]
)
async def test_other_statements_are_not_explained(db, sql):
    assert await advice(db, Statement(sql)) is None


async def test_without_values_a_pattern_may_begin_with_anything(db):
    statement = await sent(db, query("track", {"title": {"starts_with": "Title 299"}}))
    assert await advice(db, Statement(statement.sql)) is None


async def test_without_values_an_index_counts_by_how_many_values_there_are(db):
    rare, common = await sent(db, query("track", {"singer_id": 3})), await sent(db, query("track", {"mood": "a"}))
    assert lines(await advice(db, Statement(rare.sql))) == ["{fields: [singer_id]}"]
    assert await advice(db, Statement(common.sql)) is None


async def test_a_value_that_is_rare_among_few_has_an_index(db):
    outside(db, "UPDATE tracks SET mood = 'rare' WHERE id = 7")
    rare, common = await sent(db, query("track", {"mood": "rare"})), await sent(db, query("track", {"mood": "mood 1"}))
    assert lines(await advice(db, rare)) == ["{fields: [mood]}"]
    assert await advice(db, common) is None


async def test_tables_of_others_get_no_advice(db):
    outside(db, "CREATE TABLE theirs AS SELECT * FROM tracks")
    assert await advice(db, Statement("SELECT * FROM theirs WHERE title = ?", ("a",))) is None


async def test_rows_that_were_deleted_do_not_make_a_table_large(db):
    statement = await sent(db, query("play", {"track_id": 5}))
    outside(db, "DELETE FROM plays WHERE id < 29500")
    assert await advice(db, statement) is None


async def test_the_file_is_only_read(db):
    statement = await sent(db, query("track", {"singer_id": 3}))
    before = outside(db, "SELECT * FROM sqlite_schema"), outside(db, "PRAGMA data_version")
    await advice(db, statement)
    assert (outside(db, "SELECT * FROM sqlite_schema"), outside(db, "PRAGMA data_version")) == before


async def test_it_is_found_out_while_the_writer_and_all_readers_are_at_work(db):
    statement = await sent(db, query("track", {"singer_id": 3}))
    async with db.transaction():
        await db.update("track", "1", {"rating": 3})
        readers = [await db._engine.begin(read_only=True, holder="a test") for _ in range(2)]
        for reader in readers:
            await reader.execute([Statement("SELECT 1 FROM tracks")], lambda outcome: outcome.result(), read=True)
        assert db._engine.connections().active == 3
        assert lines(await advice(db, statement)) == ["{fields: [singer_id]}"]
        for reader in readers:
            await reader.rollback()


async def test_who_is_cancelled_leaves_no_open_file(db):
    statement = await sent(db, query("track", {"singer_id": 3}))
    task = asyncio.ensure_future(advice(db, statement))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.close()
    assert not db.settings.database_path.with_name("soulspot.db-wal").exists()


async def test_a_file_that_is_locked_or_damaged_is_an_error_of_ours(db, tmp_path):
    statement = Statement("SELECT * FROM tracks WHERE singer_id = ?", (3,))
    path = tmp_path / "other.db"
    shutil.copy(db.settings.database_path, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LockedError):
            await explained(str(path), statement, known_tables())
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64)
    with pytest.raises(ConnectionFailedError):
        await explained(str(path), statement, known_tables())
    with pytest.raises(ConnectionFailedError):
        await explained(str(tmp_path / "none.db"), statement, known_tables())
    assert not (tmp_path / "none.db").exists()
