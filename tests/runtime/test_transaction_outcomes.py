"""A COMMIT that fails: what is known of it is said, and where nothing is known, nothing old is served."""

import asyncio
import contextvars
import resource
import sqlite3
from contextlib import contextmanager

import pytest
from soulspot_db import CommitOutcomeUnknownError, ConnectionFailedError, ConstraintViolationError, DiskFullError
from soulspot_db.engine.sqlite.connection import Connection
from soulspot_db.engine.sqlite.errors import translate
from support import at_rest, outside


@contextmanager
def failing_disk(db):
    """No file of this process can grow beyond the length of the log, so that a COMMIT cannot write to it."""
    log = db.settings.database_path.with_name(db.settings.database_path.name + "-wal")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(log.stat().st_size, 1), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def commit_fails(monkeypatch):
    """Makes every COMMIT fail with an error code of SQLite, after it was done or instead of it."""

    def make(code, *, done):
        commit = Connection.commit

        def failing(connection):
            (commit if done else Connection.rollback)(connection)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = code
            raise translate(error, "COMMIT", connection._path)

        monkeypatch.setattr(Connection, "commit", failing)
        return lambda: monkeypatch.setattr(Connection, "commit", commit)

    return make


async def block(db, name):
    async with db.transaction():
        await db.update("counter", name, {"value": 1})


def single(db, name):
    return db.update("counter", name, {"value": 1})


@pytest.mark.parametrize("write", [block, single])
async def test_a_commit_during_which_the_disk_fails_is_reported_as_unknown_and_the_writer_goes_on(db, told, write):
    await db.save("counter", {"name": "a"})
    await db.save("playlist", {"name": "a", "description": "x" * 10_000})
    with failing_disk(db), pytest.raises(CommitOutcomeUnknownError) as caught:
        await write(db, "a")
    assert caught.value.code == "DATABASE_COMMIT_OUTCOME_UNKNOWN"
    assert caught.value.context["database_path"] == str(db.settings.database_path)
    assert (await db.get("counter", "a"))["value"] == outside(db, "SELECT value FROM counters")[0][0]
    await at_rest(db, "a")
    await write(db, "a")
    assert await db.get("counter", "a") == {"name": "a", "value": 1}
    await db.events.settle()
    assert [topic for topic, _ in told].count("database.counter.updated") == 1


async def test_a_statement_during_which_the_disk_fails_is_known_not_to_have_happened(db):
    await db.save("counter", {"name": "a"})
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    assert type(translate(error, "INSERT INTO counters", "x.db")) is ConnectionFailedError


@pytest.mark.parametrize("done", [True, False], ids=["stored", "not stored"])
@pytest.mark.parametrize("write", [block, single])
async def test_after_an_unknown_outcome_reads_tell_what_is_stored_and_nothing_is_published(
    db, told, commit_fails, write, done
):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    await db.query("counter", {"value": 1})
    await db.events.settle()
    told.clear()
    heal = commit_fails(sqlite3.SQLITE_IOERR_FSYNC, done=done)
    with pytest.raises(CommitOutcomeUnknownError):
        await write(db, "a")
    heal()
    assert (await db.get("counter", "a"))["value"] == int(done)
    assert await db.query("counter", {"value": 1}) == [{"name": "a", "value": 1}] * done
    await db.events.settle()
    assert told == []
    await at_rest(db, "a")


async def test_all_whose_writes_were_to_be_committed_together_are_told_that_it_is_unknown(db, commit_fails):
    for name in "ab":
        await db.save("counter", {"name": name})
        await db.get("counter", name)
    with pytest.raises(KeyError):
        async with db.transaction():
            calls = (single(db, "a"), db.save("counter", {"name": "a"}), single(db, "b"))
            tasks = [asyncio.create_task(call, context=contextvars.Context()) for call in calls]
            await asyncio.sleep(0.02)
            heal = commit_fails(sqlite3.SQLITE_IOERR_FSYNC, done=True)
            raise KeyError
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    heal()
    expected = [CommitOutcomeUnknownError, ConstraintViolationError, CommitOutcomeUnknownError]
    assert [type(outcome) for outcome in outcomes] == expected
    assert [(await db.get("counter", name))["value"] for name in "ab"] == [1, 1]
    await at_rest(db)


async def test_a_full_disk_at_commit_is_known_and_keeps_what_is_cached(db, commit_fails):
    await db.save("counter", {"name": "a"})
    await db.get("counter", "a")
    heal = commit_fails(sqlite3.SQLITE_FULL, done=False)
    with pytest.raises(DiskFullError):
        await block(db, "a")
    heal()
    outside(db, "SELECT 1")
    assert (await db.get("counter", "a"))["value"] == 0
    await at_rest(db, "a")


async def test_a_callback_whose_outcome_is_unknown_is_not_run_again(db, commit_fails):
    runs = []

    async def callback(tx):
        runs.append(1)
        await tx.save("counter", {"name": "a"})

    heal = commit_fails(sqlite3.SQLITE_IOERR_FSYNC, done=True)
    with pytest.raises(CommitOutcomeUnknownError):
        await db.run_in_transaction(callback)
    heal()
    assert runs == [1]
    assert await db.count("counter") == 1
