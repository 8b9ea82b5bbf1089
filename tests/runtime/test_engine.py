"""Engines: group commit, timeouts, cancellation, opening and closing; marked where it is SQLite's alone."""

import asyncio
import contextvars
import logging
import threading
import time

import homes
import pytest
import support
from soulspot_db import (
    ConnectionFailedError,
    ConstraintViolationError,
    Database,
    DatabaseError,
    DiskFullError,
    LockedError,
    PoolExhaustedError,
    QueryTimeoutError,
    TransactionError,
)
from soulspot_db.engine.base import Statement
from soulspot_db.sessions.operations import Effects
from support import ENDLESS, being_written, outside, until, within

DATABASES = homes.BOTH

ENDLESS_WRITE = f"INSERT INTO counters (name, value) SELECT 'endless', ({ENDLESS})"


def rows(outcome):
    return outcome.result()


def write(db, sql, *values):
    return db._engine.write([Statement(sql, values)], rows)


async def names(db):
    return [row["name"] for row in await db.query("counter", order_by="name", fresh=True)]


async def grouped(db, *calls):
    """Start calls while the writer is held, so that they wait together and are committed together."""
    async with db.transaction():
        tasks = [asyncio.create_task(call, context=contextvars.Context()) for call in calls]
        await asyncio.sleep(0.02)
    return await within(10, asyncio.gather(*tasks, return_exceptions=True))


# Group commit.


@pytest.mark.sqlite_only
async def test_writes_that_wait_together_are_committed_together(db, caplog):
    with caplog.at_level(logging.DEBUG, "soulspot_db.query"):
        await grouped(db, *(db.save("counter", {"name": f"{n:02}"}) for n in range(50)))
        await until(lambda: sum("COMMIT" in line for line in caplog.messages) == 2)
    assert len(await names(db)) == 50
    assert sum("COMMIT" in line for line in caplog.messages) == 2  # the transaction's and the group's


@pytest.mark.sqlite_only
async def test_a_write_that_fails_in_a_group_fails_alone(db, told):
    outcomes = await grouped(db, *(db.save("counter", {"name": name}) for name in ("a", "b", "a", "c")))
    assert [type(outcome) for outcome in outcomes] == [str, str, ConstraintViolationError, str]
    assert await names(db) == ["a", "b", "c"]
    await db.events.settle()
    assert [data["entity_id"] for _, data in told] == ["a", "b", "c"]


@pytest.mark.sqlite_only
async def test_a_job_of_several_statements_in_a_group_is_all_or_nothing(db):
    many = db.save_many("counter", [{"name": "b"}, {"name": "c"}, {"name": "a"}])
    outcomes = await grouped(db, db.save("counter", {"name": "a"}), many, db.save("counter", {"name": "d"}))
    assert isinstance(outcomes[1], ConstraintViolationError)
    assert await names(db) == ["a", "d"]


@pytest.mark.sqlite_only
async def test_an_interrupted_write_takes_the_group_with_it_and_the_others_are_run_again(open_database):
    db = await open_database(query_timeout=0.2)
    await db.save("counter", {"name": "counted"})
    add = "UPDATE counters SET value = value + 1 WHERE name = 'counted'"
    outcomes = await grouped(
        db,
        db.save("counter", {"name": "a"}),
        write(db, add),
        db.save("counter", {"name": "a"}),
        write(db, ENDLESS_WRITE),
        write(db, add),
        db.save_many("counter", [{"name": "b"}, {"name": "c"}]),
    )
    assert isinstance(outcomes[2], ConstraintViolationError)
    assert isinstance(outcomes[3], QueryTimeoutError)
    assert not [
        outcome
        for position, outcome in enumerate(outcomes)
        if position not in {2, 3} and isinstance(outcome, Exception)
    ]
    assert await names(db) == ["a", "b", "c", "counted"]
    assert (await db.get("counter", "counted"))["value"] == 2


@pytest.mark.sqlite_only
async def test_callers_of_one_group_that_cannot_begin_get_an_error_each(open_database):
    db = await open_database(pool_timeout=0.2)
    import sqlite3

    other = sqlite3.connect(db.settings.database_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        calls = (db.save("counter", {"name": "a"}), db.save("job", {"title": "a"}))
        first, second = await within(5, asyncio.gather(*calls, return_exceptions=True))
    finally:
        other.close()
    assert isinstance(first, LockedError)
    assert isinstance(second, LockedError)
    assert (first.context["entity_type"], second.context["entity_type"]) == ("counter", "job")
    await db.save("counter", {"name": "a"})


# Timeouts.


async def test_a_read_that_runs_too_long_is_stopped_and_the_connection_stays_usable(open_database):
    db = await open_database(query_timeout=0.1, connection_pool_size=1)
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError) as caught:
        await db._engine.read(Statement(ENDLESS))
    assert time.monotonic() - started < 2
    assert caught.value.context["timeout"] == 0.1
    assert caught.value.context["query"] == ENDLESS
    assert await db.count("counter") == 0


async def test_a_write_that_runs_too_long_is_stopped_and_nothing_of_it_stays(open_database):
    db = await open_database(query_timeout=0.1)
    with pytest.raises(QueryTimeoutError):
        await write(db, ENDLESS_WRITE)
    await db.save("counter", {"name": "a"})
    assert await names(db) == ["a"]


async def test_a_timeout_shows_the_statement_without_its_values(open_database):
    db = await open_database(query_timeout=0.1)
    place = "?" if db.settings.database_type == "sqlite" else "$1"
    with pytest.raises(QueryTimeoutError) as caught:
        await db._engine.read(Statement(f"{ENDLESS} WHERE {place} <> ''", ("geheim",)))
    assert "geheim" not in f"{caught.value} {caught.value.to_dict()}"


@pytest.mark.parametrize("sql", [ENDLESS, ENDLESS_WRITE], ids=["read", "write"])
async def test_after_a_timeout_in_a_transaction_every_later_call_on_it_raises(open_database, sql):
    db = await open_database(query_timeout=0.1)
    with pytest.raises(QueryTimeoutError):
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            try:
                await tx._lease.execute([Statement(sql)], rows)
            finally:
                for call in (tx.count("counter"), tx.save("counter", {"name": "b"}), db.get("counter", "a")):
                    with pytest.raises(TransactionError, match="gone"):
                        await call
    assert await names(db) == []
    await db.save("counter", {"name": "c"})


async def test_a_lost_transaction_that_ends_well_raises_and_invalidates_and_publishes_nothing(open_database):
    db, heard = await open_database(query_timeout=0.1), []
    db.events.subscribe("**", heard.append)
    with pytest.raises(TransactionError, match="gone"):
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            with pytest.raises(QueryTimeoutError):
                await tx._lease.execute([Statement(ENDLESS_WRITE)], rows)
    await db.events.settle()
    assert heard == []
    assert not being_written(db)


async def test_a_reader_that_none_is_free_for_is_told_so(open_database):
    db = await open_database(connection_pool_size=1, max_overflow=0, pool_timeout=0.1)
    async with db.transaction(read_only=True):
        reader = asyncio.create_task(db.count("counter"), context=contextvars.Context())
        with pytest.raises(PoolExhaustedError) as caught:
            await within(5, reader)
    assert caught.value.code == "DATABASE_POOL_EXHAUSTED"
    assert caught.value.context["timeout"] == 0.1
    assert await db.count("counter") == 0


# What nobody expects.


class Exits:
    """A value that ends the program when the driver looks at it."""

    def __conform__(self, _protocol):
        raise SystemExit


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("value", "error"), [(2**70, OverflowError), (Exits(), SystemExit)])
async def test_an_unexpected_error_reaches_its_caller_and_does_not_end_the_lane(open_database, value, error):
    db = await open_database(connection_pool_size=1)
    sql = "INSERT INTO counters (name, value) VALUES ('x', ?)"

    async def caught(call):
        try:
            await within(5, call)
        except BaseException as found:  # noqa: BLE001 - SystemExit is what it is about
            return type(found)

    assert await caught(db._engine.read(Statement("SELECT ?", (value,)))) is error
    assert await caught(write(db, sql, value)) is error
    async with db.transaction() as tx:
        assert await caught(tx._lease.execute([Statement(sql, (value,))], rows)) is error
    good, bad = await grouped(db, db.save("counter", {"name": "a"}), caught(write(db, sql, value)))
    assert (good, bad) == ("a", error)
    assert await within(5, names(db)) == ["a"]


async def test_an_error_in_what_follows_a_commit_reaches_its_caller_and_marks_nothing_forever(db):
    def result(_rows):
        raise RuntimeError("mine")

    finish = db.session.committing({("counters",)}, lambda _rows: Effects(), result)
    await db.get("counter", "a")
    with pytest.raises(RuntimeError, match="mine"):
        await db._engine.write([Statement("INSERT INTO counters (name, value) VALUES ('a', 0)")], finish)
    assert not being_written(db)
    assert await names(db) == ["a"]


async def test_a_row_that_another_program_has_spoiled_is_an_error_and_the_next_read_works(db):
    await db.save("everything", {"texts": ["a"]})
    outside(db, "UPDATE everythings SET texts = '[1]'")
    with pytest.raises(Exception, match="cannot be read"):
        await db.query("everything")
    assert await db.count("everything") == 1


# Cancellation.


async def test_a_cancelled_read_stops_and_frees_its_connection(open_database):
    db = await open_database(connection_pool_size=1)
    reader = asyncio.create_task(db._engine.read(Statement(ENDLESS)))
    await until(lambda: db._engine.connections().active == 1)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(5, reader)
    assert await within(5, db.count("counter")) == 0


async def test_a_cancelled_write_that_has_not_begun_is_never_done(open_database):
    db = await open_database(connection_pool_size=1, max_overflow=0)
    async with db.transaction():
        writer = asyncio.create_task(db.save("counter", {"name": "a"}), context=contextvars.Context())
        await asyncio.sleep(0.02)
        writer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(5, writer)
        assert not being_written(db)
    await db.save("counter", {"name": "b"})
    assert await names(db) == ["b"]


# Open and close.


async def test_closing_twice_is_safe_and_so_is_closing_what_was_never_opened(tmp_path):
    db = Database(support.settings(tmp_path / "x.db"))
    await db.close()
    await db.open()
    await db.open()
    await db.close()
    await db.close()


async def test_a_closed_database_refuses_calls_and_can_be_opened_again(tmp_path):
    db = Database(support.settings(tmp_path / "x.db"))
    for _ in range(2):
        async with db:
            await db.create_table("counter")
            await db.count("counter")
        with pytest.raises(ConnectionFailedError, match="not open"):
            await within(5, db.count("counter"))
        with pytest.raises(ConnectionFailedError, match="not open"):
            await within(5, db.save("counter", {"name": "a"}))


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("soulspot-db")]


@pytest.fixture
async def closed(empty_database, tmp_path):
    """Makes databases that are not open yet, and must not be at the end."""
    made = []
    with empty_database.copy(tmp_path) as where:

        def make(**changes):
            made.append(Database(support.settings(**{**where, **changes})))
            return made[-1]

        yield make
        for db in made:
            await within(10, db.close())


def is_connected(db):
    return bool(threads()) or db._engine.connections().total > 0


async def test_two_tasks_that_open_at_once_open_it_once(closed):
    db = closed()
    await within(5, asyncio.gather(db.open(), db.open()))
    assert db._engine.connections().total == (3 if db.settings.database_type == "sqlite" else 1)
    await within(5, db.close())
    assert not is_connected(db)


async def test_a_close_that_is_cancelled_goes_on_and_the_next_waits_for_it(closed):
    db = closed()
    for steps in range(8):
        await db.open()
        closing = asyncio.create_task(db.close())
        for _ in range(steps):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await within(5, db.close())
        assert not is_connected(db)


async def test_opening_waits_for_a_close_that_was_cancelled(closed):
    async with closed() as db:
        closing = asyncio.create_task(db.close())
        await until(lambda: not db._is_open)
        closing.cancel()
        await within(5, db.open())
        await db.save("counter", {"name": "a"})
    assert not is_connected(db)


async def test_opening_waits_for_a_close_that_was_cancelled_when_only_its_end_was_left(closed, monkeypatch):
    db = await closed().open()
    close, ends = db._engine.close, asyncio.Event()

    async def slow_close():
        await close()
        ends.set()
        await asyncio.sleep(0.05)

    monkeypatch.setattr(db._engine, "close", slow_close)
    closing = asyncio.create_task(db.close())
    await within(5, ends.wait())
    closing.cancel()
    await within(5, db.open())
    assert db._closing.done()
    assert await db.save("counter", {"name": "a"}) == "a"


async def test_close_waits_for_an_open_that_is_under_way(closed):
    db = closed()
    opening = asyncio.create_task(db.open())
    await asyncio.sleep(0)
    await within(5, db.close())
    await opening
    assert not is_connected(db)


async def test_a_handler_may_close_the_database_while_another_task_closes_it(open_database):
    db, closed = await open_database(), []

    @db.events.subscribe("stop")
    async def stop(_event):
        await db.close()
        closed.append(True)

    await db.events.publish("stop", {})
    await within(5, db.close())
    assert closed == [True]
    assert threads() == []


async def test_a_log_handler_that_raises_keeps_no_caller_waiting(db):
    class Broken(logging.Handler):
        def emit(self, _record):
            raise RuntimeError("mine")

    broken, logger = Broken(), logging.getLogger("soulspot_db.query")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(broken)
    try:
        assert await within(5, db.count("counter")) == 0
        await within(5, db.save("counter", {"name": "a"}))
        async with db.transaction() as tx:
            await within(5, tx.save("counter", {"name": "b"}))
    finally:
        logger.removeHandler(broken)
        logger.setLevel(level)
    assert await names(db) == ["a", "b"]


async def test_close_finishes_what_was_asked_before_it(open_database):
    db = await open_database()
    writes = [asyncio.create_task(db.save("counter", {"name": f"{n:02}"})) for n in range(50)]
    await asyncio.sleep(0)
    await within(10, db.close())
    assert len(await asyncio.gather(*writes)) == 50
    assert len(outside(db, "SELECT * FROM counters")) == 50


async def test_close_rolls_back_the_transaction_of_another_task_and_answers_who_waits(open_database):
    db = await open_database(connection_pool_size=1, max_overflow=0)
    opened = asyncio.Event()

    async def hold():
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            opened.set()
            await asyncio.sleep(30)

    async def wait_for_a_turn():
        async with db.transaction():
            await db.count("counter")

    holder = asyncio.create_task(hold())
    await opened.wait()
    waiting = asyncio.create_task(wait_for_a_turn())
    await asyncio.sleep(0.02)
    await within(5, db.close())
    holder.cancel()
    outcomes = await within(5, asyncio.gather(holder, waiting, return_exceptions=True))
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert isinstance(outcomes[1], ConnectionFailedError)
    assert outside(db, "SELECT * FROM counters") == []


@pytest.mark.sqlite_only
async def test_close_leaves_one_file_and_no_thread(open_database):
    db = await open_database()
    await db.save("counter", {"name": "a"})
    await db.close()
    assert [path.name for path in db.settings.database_path.parent.iterdir()] == ["soulspot.db"]
    assert threads() == []


async def test_writes_survive_power_loss_by_default_and_foreign_keys_hold_on_every_connection(tmp_path):
    from soulspot_db import DatabaseSettings

    async with Database(DatabaseSettings(database_path=tmp_path / "x.db", connection_pool_size=1)) as db:
        found = {}
        for pragma in ("synchronous", "journal_mode", "foreign_keys"):
            found[pragma] = (await write(db, f"PRAGMA {pragma}"))[0][0][0]
        assert found == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}
        assert await db._engine.read(Statement("PRAGMA query_only")) == [(1,)]


@pytest.mark.parametrize("kind", ["missing folder", "folder", "not a database"])
async def test_a_file_that_cannot_be_opened_is_a_connection_error_with_its_path(tmp_path, kind):
    path = {"missing folder": tmp_path / "no" / "x.db", "folder": tmp_path, "not a database": tmp_path / "x.txt"}[kind]
    if kind == "not a database":
        path.write_text("this is only some text, and quite a lot of it\n" * 200)
    db = Database(support.settings(path))
    with pytest.raises(ConnectionFailedError) as caught:
        await within(5, db.open())
    assert caught.value.code == "DATABASE_CONNECTION_FAILED"
    assert caught.value.context["database_path"] == str(path)
    await within(5, db.close())


async def test_an_open_that_is_cancelled_leaves_nothing_open(closed):
    db = closed(connection_pool_size=5)
    for steps in range(6):
        opening = asyncio.create_task(db.open())
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        opening.cancel()
        await within(5, asyncio.gather(opening, return_exceptions=True))
        await db.close()
        assert not is_connected(db)


@pytest.mark.sqlite_only
async def test_an_open_that_is_cancelled_as_the_loop_connects_leaves_that_connection_closed(closed, monkeypatch):
    db = closed()
    inline, begun = db._engine._inline, threading.Event()
    connect = inline.open

    def slow_open():
        begun.set()
        time.sleep(0.05)
        connect()

    monkeypatch.setattr(inline, "open", slow_open)
    opening = asyncio.create_task(db.open())
    await until(begun.is_set)
    opening.cancel()
    await within(5, asyncio.wait([opening]))
    await asyncio.sleep(0.1)
    assert opening.cancelled()
    assert inline._raw is None
    assert not is_connected(db)


async def test_closing_waits_for_a_block_that_is_about_to_begin(closed, monkeypatch):
    db = await closed().open()
    given_up = []
    if db.settings.database_type == "postgresql":
        monkeypatch.setattr("soulspot_db.engine.postgresql.engine.terminate", given_up.append)

    async def block():
        async with db.transaction():
            pass

    for steps in range(8):
        blocks = [asyncio.create_task(block()) for _ in range(3)]
        for _ in range(steps):
            await asyncio.sleep(0)
        await within(5, db.close())
        outcomes = await within(5, asyncio.gather(*blocks, return_exceptions=True))
        assert all(outcome is None or isinstance(outcome, DatabaseError) for outcome in outcomes), outcomes
        await db.open()
    assert given_up == []


@pytest.mark.sqlite_only
async def test_a_full_disk_has_an_error_of_its_own_and_what_was_there_stays(db):
    await db.save("counter", {"name": "a"})
    pages = outside(db, "PRAGMA page_count")[0][0]
    await write(db, f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(DiskFullError) as caught:
        for number in range(200):
            await db.save("playlist", {"name": "a", "description": "x" * 2_000, "spotify_id": str(number)})
    assert caught.value.code == "DATABASE_DISK_FULL"
    assert caught.value.context["database_path"] == str(db.settings.database_path)
    assert "migrate" not in caught.value.resolution
    assert await names(db) == ["a"]
    await write(db, "PRAGMA max_page_count = 100000")
    assert await db.save("counter", {"name": "b"}) == "b"
