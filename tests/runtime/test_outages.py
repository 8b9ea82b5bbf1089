"""A PostgreSQL server that is busy, stops, dies or refuses: each has its error, and the next call works."""

import asyncio
import contextvars
import functools
import time
from contextlib import asynccontextmanager

import asyncpg
import homes
import pytest
import support
from servers import postgres_server
from soulspot_db import (
    CommitOutcomeUnknownError,
    ConnectionFailedError,
    Database,
    LockedError,
    PoolExhaustedError,
    QueryTimeoutError,
    TransactionError,
)
from support import within


@pytest.fixture(scope="module")
def server():
    """One that nobody else uses: it is stopped and killed here."""
    with postgres_server(fsync="off", max_connections=20) as started:
        yield started


@pytest.fixture
def where(server):
    """Settings that lead to an empty database."""
    server.address.psql("DROP DATABASE IF EXISTS outages WITH (FORCE)")
    server.address.psql("CREATE DATABASE outages")
    return {"database": f"127.0.0.1:{server.address.port}/outages", "user": "postgres"}


@pytest.fixture
async def open_database(where):
    opened = []

    async def open_with(**changes):
        db = await Database(support.settings(**{**where, **changes})).open()
        opened.append(db)
        return db

    yield open_with
    for db in opened:
        await within(20, db.close())


@pytest.fixture
async def db(open_database):
    db = await open_database()
    await support.create_tables(db)
    await db.save("counter", {"name": "a", "value": 1})
    return db


async def value(db, name="a"):
    return (await db.get("counter", name, fresh=True))["value"]


def elsewhere(call):
    """Begin a call as a task that is in no transaction."""
    return asyncio.create_task(call, context=contextvars.Context())


@asynccontextmanager
async def held(db, name="a"):
    """Another program keeps a row locked."""
    connection = await homes.connect(db.settings)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM counters WHERE name = $1 FOR UPDATE", name)
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def shut(db):
    """Another program keeps every reader of counters waiting, until it or the server ends."""
    connection = await homes.connect(db.settings)
    await connection.execute("BEGIN; LOCK TABLE counters IN ACCESS EXCLUSIVE MODE")
    yield
    connection.terminate()


async def waiting(db, event):
    """Until a statement waits in the server for such an event."""
    connection = await homes.connect(db.settings)
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = $1 AND datname = current_database()"
    try:
        while not await connection.fetchval(sql, event):
            await asyncio.sleep(0.01)
    finally:
        await connection.close()


async def naps_before_commits(db):
    """From now on the COMMIT of a change to counters takes a minute."""
    connection = await homes.connect(db.settings)
    await connection.execute("""
        CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER napping AFTER INSERT OR UPDATE ON counters
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nap()""")
    await connection.close()


async def naps_before_reads(db):
    """From now on a read of counters takes a minute."""
    connection = await homes.connect(db.settings)
    await connection.execute("""
        ALTER TABLE counters RENAME TO awake;
        CREATE VIEW counters AS SELECT awake.* FROM awake, pg_sleep(60)""")
    await connection.close()


async def wakes(db):
    """From now on it takes no longer than others."""
    connection = await homes.connect(db.settings)
    await connection.execute("DROP VIEW counters; ALTER TABLE awake RENAME TO counters")
    await connection.close()


async def stopped(server):
    await asyncio.to_thread(server.stop)


async def started(server):
    await asyncio.to_thread(server.start)


async def killed(server):
    await asyncio.to_thread(server.kill)


# It is busy.


async def test_a_pool_without_a_free_connection_says_so_in_time_and_recovers(db, open_database):
    small = await open_database(connection_pool_size=1, max_overflow=0, pool_timeout=0.2)
    async with small.transaction() as tx:
        await tx.update("counter", "a", {"value": 2})
        for call in (value(small), small.save("counter", {"name": "b"}), small.transaction().__aenter__()):
            with pytest.raises(PoolExhaustedError, match=r"none of 1 connections was free within 0\.2 s") as raised:
                await within(2, elsewhere(call))
            assert raised.value.code == "DATABASE_POOL_EXHAUSTED"
    assert await value(small) == 2


async def test_a_server_without_a_free_connection_says_so_and_is_asked_again(db):
    others, over = [], asyncio.Event()

    async def block():
        async with db.transaction():
            await over.wait()

    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            while True:
                others.append(await homes.connect(db.settings))
        blocks = [elsewhere(block()) for _ in range(2)]
        failed, _ = await within(10, asyncio.wait(blocks, return_when=asyncio.FIRST_COMPLETED))
        with pytest.raises(PoolExhaustedError, match="has no connection left"):
            await failed.pop()
    finally:
        for other in others:
            await other.close()
        over.set()
    await within(10, asyncio.wait(blocks))
    assert await value(db) == 1


@pytest.mark.parametrize("call", ["read", "write"])
async def test_a_statement_that_runs_too_long_is_stopped_and_its_connection_goes_on(db, open_database, call):
    hasty = await open_database(query_timeout=0.2, connection_pool_size=1, max_overflow=0)
    async with shut(db):
        with pytest.raises(QueryTimeoutError, match=r"longer than 0\.2 s") as raised:
            await within(2, value(hasty) if call == "read" else hasty.update("counter", "a", {"value": 2}))
    assert raised.value.code == "DATABASE_QUERY_TIMEOUT"
    assert await value(hasty) == 1
    await hasty.update("counter", "a", {"value": 3})
    assert await value(db) == 3


async def test_a_statement_that_runs_too_long_ends_its_transaction(db, open_database):
    hasty = await open_database(query_timeout=0.2)
    with pytest.raises(TransactionError):
        async with hasty.transaction() as tx:
            await tx.save("counter", {"name": "b"})
            async with held(db):
                with pytest.raises(QueryTimeoutError):
                    await within(2, tx.update("counter", "a", {"value": 2}))
            with pytest.raises(TransactionError):
                await tx.count("counter")
    assert await db.count("counter", fresh=True) == 1


async def test_a_row_that_stays_locked_is_an_error_in_time(db, open_database):
    hasty = await open_database(pool_timeout=0.2)
    async with held(db):
        with pytest.raises(LockedError, match="kept a row locked") as raised:
            await within(2, hasty.update("counter", "a", {"value": 2}))
    assert raised.value.retryable
    await hasty.update("counter", "a", {"value": 3})
    assert await value(db) == 3


async def test_of_two_transactions_that_wait_for_each_other_one_is_run_again(db):
    await db.save("counter", {"name": "b", "value": 1})
    met, runs = asyncio.Barrier(2), []

    async def add(tx, names):
        runs.append(names)
        await tx.update("counter", names[0], {"value": await value(tx, names[0]) + 1})
        if len(runs) <= 2:
            await met.wait()
        await tx.update("counter", names[1], {"value": await value(tx, names[1]) + 1})

    calls = [db.run_in_transaction(functools.partial(add, names=names)) for names in ("ab", "ba")]
    await within(20, asyncio.gather(*map(elsewhere, calls)))
    assert len(runs) > 2
    assert [await value(db, name) for name in "ab"] == [3, 3]


async def test_a_transaction_that_idles_too_long_is_ended_by_the_server(db, open_database):
    hasty = await open_database(idle_transaction_timeout=0.2)
    with pytest.raises(TransactionError):
        async with hasty.transaction() as tx:
            await tx.update("counter", "a", {"value": 2})
            await asyncio.sleep(0.6)
            with pytest.raises(ConnectionFailedError, match="the server has closed the connection of this transaction"):
                await tx.count("counter")
    assert await value(hasty) == 1


# It stops, or dies.


@pytest.mark.parametrize("end", [stopped, killed])
async def test_while_the_server_is_away_every_call_says_so_and_afterwards_every_call_works(db, server, end):
    await end(server)
    try:
        for call in (
            lambda: value(db),
            lambda: db.save("counter", {"name": "b"}),
            lambda: db.save_many("counter", [{"name": "c"}, {"name": "d"}]),
            lambda: db.transaction().__aenter__(),
        ):
            with pytest.raises(ConnectionFailedError, match="cannot be reached") as raised:
                await within(10, elsewhere(call()))
            assert raised.value.code == "DATABASE_CONNECTION_FAILED"
    finally:
        await started(server)
    assert await value(db) == 1
    await db.save("counter", {"name": "b"})
    async with db.transaction() as tx:
        assert await tx.count("counter") == 2


async def test_calls_after_a_restart_do_not_notice_it(db, server):
    await asyncio.gather(*(value(db) for _ in range(5)))
    await asyncio.to_thread(server.restart)
    assert await asyncio.gather(*(value(db) for _ in range(5))) == [1] * 5
    await db.update("counter", "a", {"value": 2})
    assert await value(db) == 2


@pytest.mark.parametrize("end", [stopped, killed])
async def test_a_read_whose_server_ends_is_an_error(db, server, end):
    await naps_before_reads(db)
    reading = elsewhere(value(db))
    await within(10, waiting(db, "PgSleep"))
    await end(server)
    try:
        with pytest.raises(ConnectionFailedError):
            await within(10, reading)
    finally:
        await started(server)
    await wakes(db)
    assert await value(db) == 1


@pytest.mark.parametrize("end", [stopped, killed])
async def test_a_transaction_whose_server_ends_stores_nothing_and_says_so(db, server, end):
    with pytest.raises(TransactionError):
        async with db.transaction() as tx:
            await tx.update("counter", "a", {"value": 2})
            await end(server)
            try:
                with pytest.raises(ConnectionFailedError):
                    await tx.update("counter", "a", {"value": 3})
            finally:
                await started(server)
    assert await value(db) == 1


async def test_a_transaction_that_is_only_committed_after_its_server_ended_stores_nothing_and_says_so(db, server):
    with pytest.raises(ConnectionFailedError, match="nothing of it was stored"):
        async with db.transaction() as tx:
            await tx.update("counter", "a", {"value": 2})
            await asyncio.to_thread(server.restart)
    assert await value(db) == 1


async def save(db):
    await db.save("counter", {"name": "b"})


async def save_many(db):
    await db.save_many("counter", [{"name": "b"}, {"name": "c"}])


async def transaction(db):
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "b"})


@pytest.mark.parametrize("write", [save, save_many, transaction])
async def test_a_commit_whose_answer_is_lost_is_told_as_unknown_and_publishes_nothing(db, server, write):
    heard = []
    db.events.subscribe("database.**", heard.append)
    await naps_before_commits(db)
    writing = elsewhere(write(db))
    await within(10, waiting(db, "PgSleep"))
    await killed(server)
    try:
        with pytest.raises(CommitOutcomeUnknownError, match="may be stored, or nothing of it") as raised:
            await within(10, writing)
    finally:
        await started(server)
    assert raised.value.code == "DATABASE_COMMIT_OUTCOME_UNKNOWN"
    await db.events.settle()
    assert heard == []
    assert await db.count("counter", fresh=True) == 1


async def test_a_block_whose_commit_fails_keeps_those_who_write_its_rows_waiting_no_longer(db, monkeypatch):
    command, rolled_back, fail = db._engine.command, asyncio.Event(), asyncio.Event()

    async def failing(connection, sql, trace=None):
        if sql != "COMMIT":
            return await command(connection, sql, trace)
        await command(connection, "ROLLBACK")
        rolled_back.set()
        await fail.wait()
        raise QueryTimeoutError("too slow", "try again")

    async def block():
        async with db.transaction() as tx:
            await tx.update("counter", "a", {"value": 2})

    monkeypatch.setattr(db._engine, "command", failing)
    blocking = elsewhere(block())
    await within(5, rolled_back.wait())
    writing = elsewhere(db.update("counter", "a", {"value": 3}))
    await asyncio.sleep(0.05)
    fail.set()
    assert await within(5, writing)
    with pytest.raises(QueryTimeoutError):
        await blocking
    assert await value(db) == 3


async def test_a_connection_that_an_operator_ends_fails_one_call_alone(db):
    async with shut(db):
        reading = elsewhere(value(db))
        await within(10, waiting(db, "relation"))
        connection = await homes.connect(db.settings)
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'relation'")
        await connection.close()
        with pytest.raises(ConnectionFailedError):
            await within(10, reading)
    assert await value(db) == 1


@pytest.mark.parametrize("call", ["read", "write", "block"])
async def test_a_server_that_hangs_costs_its_time_once_and_no_connection(open_database, db, server, monkeypatch, call):
    monkeypatch.setattr("soulspot_db.engine.postgresql.connection._PATIENCE", 0.5)
    hasty = await open_database(query_timeout=0.5, connection_pool_size=1, max_overflow=0)
    began = time.monotonic()
    with pytest.raises((QueryTimeoutError, TransactionError, CommitOutcomeUnknownError)):
        if call == "block":
            async with hasty.transaction() as tx:
                await tx.count("counter")
                with server.frozen():
                    with pytest.raises(QueryTimeoutError):
                        await tx.update("counter", "a", {"value": 2})
                    assert time.monotonic() - began < 1.6
        else:
            with server.frozen():
                await within(5, value(hasty) if call == "read" else hasty.update("counter", "a", {"value": 2}))
    assert time.monotonic() - began < 1.6  # both time-outs, and some more for a busy machine
    assert await value(hasty) in {1, 2}  # what was sent may be done once the server goes on


# It refuses.


async def test_a_server_that_is_not_there_is_named(where):
    with pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1:1/outages cannot be reached"):
        async with Database(support.settings(**{**where, "database": "127.0.0.1:1/outages"})):
            pass


async def test_a_database_that_is_not_there_is_named_with_the_command_that_makes_it(where, server):
    address = f"127.0.0.1:{server.address.port}/nothing"
    with pytest.raises(ConnectionFailedError, match=r"createdb -h 127.0.0.1 .* nothing"):
        async with Database(support.settings(**{**where, "database": address})):
            pass


async def test_a_wrong_password_is_an_error_that_shows_neither_it_nor_the_right_one(where, server):
    access = server.data / "pg_hba.conf"
    access.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{access.read_text()}")
    server.address.psql("CREATE ROLE guarded LOGIN PASSWORD 'right one'")
    server.address.psql("SELECT pg_reload_conf()")
    guarded = {**where, "user": "guarded"}
    async with Database(support.settings(**guarded, password="right one")):
        pass
    with pytest.raises(ConnectionFailedError, match="refuses the user 'guarded'") as raised:
        async with Database(support.settings(**guarded, password="a guess")):
            pass
    assert "DATABASE_PASSWORD" in str(raised.value)
    assert "right one" not in repr(raised.value)
    assert "a guess" not in repr(raised.value)
