"""Transactions: all or nothing, savepoints with effects of their own, and events after COMMIT only."""

import asyncio

import homes
import pytest
from soulspot_db import ConstraintViolationError, Database, LockedError, TransactionError
from support import outside, within

DATABASES = homes.ALL


async def names(db):
    return [row["name"] for row in await db.query("counter", order_by="name", fresh=True)]


async def test_a_block_that_ends_well_is_committed(db):
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        await db.save("counter", {"name": "b"})
        assert outside(db, "SELECT * FROM counters") == []
    assert len(outside(db, "SELECT * FROM counters")) == 2


async def test_a_block_that_raises_is_rolled_back_and_its_error_is_the_callers(db, told):
    with pytest.raises(KeyError):
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            raise KeyError
    await db.events.settle()
    assert await names(db) == []
    assert told == []


async def test_reads_in_a_transaction_see_its_writes(db):
    key = await db.save("counter", {"name": "a"})
    async with db.transaction() as tx:
        await tx.update("counter", key, {"value": 1})
        for service in (tx, db):
            assert (await service.get("counter", key))["value"] == 1
            assert await service.count("counter", {"value": 1}) == 1
            assert (await service.query("counter"))[0]["value"] == 1


async def test_others_see_nothing_of_a_transaction_before_its_commit(db):
    key = await db.save("counter", {"name": "a"})
    started, seen = asyncio.Event(), asyncio.Event()

    async def other():
        await started.wait()
        values = [(await db.get("counter", key))["value"], (await db.get("counter", key, fresh=True))["value"]]
        seen.set()
        return values

    task = asyncio.create_task(other())
    async with db.transaction() as tx:
        await tx.update("counter", key, {"value": 1})
        started.set()
        await within(5, seen.wait())
    assert await task == [0, 0]
    assert (await db.get("counter", key))["value"] == 1


async def test_a_transaction_has_every_method_of_the_database(db):
    async with db.transaction() as tx:
        key = await tx.save("job", {"title": "a"})
        assert await tx.save_many("job", [{"title": "b"}]) == ["2"]
        assert await tx.exists("job", {"title": "b"})
        assert await tx.update_where("job", {"title": "b"}, {"priority": 1}) == 1
        assert (await tx.get_or_raise("job", key))["title"] == "a"
        assert await tx.delete_where("job", {"title": "b"}) == 1
        assert await tx.delete("job", key)
        assert await tx.count("job") == 0


async def test_a_rolled_back_savepoint_undoes_its_own_writes_alone(db):
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        with pytest.raises(KeyError):
            async with tx.transaction():
                await tx.save("counter", {"name": "b"})
                raise KeyError
        async with db.transaction():
            await tx.save("counter", {"name": "c"})
        await tx.save("counter", {"name": "d"})
    assert await names(db) == ["a", "c", "d"]


async def test_a_rolled_back_savepoint_leaves_no_events_and_a_kept_one_leaves_them_in_order(db, told):
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        with pytest.raises(KeyError):
            async with tx.transaction():
                await tx.save("counter", {"name": "b"})
                async with tx.transaction():
                    await tx.save("counter", {"name": "c"})
                raise KeyError
        async with tx.transaction():
            await tx.save("counter", {"name": "d"})
        await tx.save("counter", {"name": "e"})
        await db.events.settle()
        assert told == []
    await db.events.settle()
    assert [data["entity_id"] for _, data in told] == ["a", "d", "e"]


async def test_a_rolled_back_savepoint_invalidates_nothing_and_a_kept_one_does(db):
    a, b = await db.save("counter", {"name": "a"}), await db.save("counter", {"name": "b"})
    for key in (a, b):
        await db.get("counter", key)
    hits = (await db.stats())["cache"]["memory"]["hit_rate"]
    async with db.transaction() as tx:
        with pytest.raises(KeyError):
            async with tx.transaction():
                await tx.update("counter", a, {"value": 1})
                raise KeyError
        async with tx.transaction():
            await tx.update("counter", b, {"value": 1})
    outside(db, "UPDATE counters SET value = 9")
    assert (await db.get("counter", a))["value"] == 0  # still the cached row
    assert (await db.get("counter", b))["value"] == 9  # read again
    assert (await db.stats())["cache"]["memory"]["hit_rate"] > hits


async def test_deeply_nested_blocks_come_apart_one_by_one(db):
    async def nest(tx, name, depth):
        async with tx.transaction():
            await tx.save("counter", {"name": f"{name}{depth:02}"})
            if depth < 20:
                await nest(tx, name, depth + 1)
            if name == "b" and depth == 10:
                raise KeyError

    async with db.transaction() as tx:
        await nest(tx, "a", 1)
        with pytest.raises(KeyError):
            await nest(tx, "b", 1)
    assert await names(db) == [f"a{depth:02}" for depth in range(1, 21)]


async def test_a_refused_statement_undoes_itself_and_the_transaction_goes_on(db):
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        with pytest.raises(ConstraintViolationError):
            await tx.save("counter", {"name": "a"})
        with pytest.raises(ConstraintViolationError):
            await tx.save_many("counter", [{"name": "b"}, {"name": "a"}])
        await tx.save("counter", {"name": "c"})
    assert await names(db) == ["a", "c"]


async def test_a_read_only_transaction_reads_one_snapshot_and_refuses_writes(db):
    await db.save("counter", {"name": "a"})
    async with db.transaction(read_only=True) as tx:
        assert await tx.count("counter") == 1
        outside(db, "INSERT INTO counters (name) VALUES ('b')")
        assert await tx.count("counter") == 1
        with pytest.raises(TransactionError):
            await tx.save("counter", {"name": "c"})
    assert await db.count("counter", fresh=True) == 2


async def test_a_read_only_transaction_keeps_no_writer_waiting(open_database):
    db = await open_database(pool_timeout=1)

    async def write():
        await db.save("counter", {"name": "a"})

    async with db.transaction(read_only=True) as tx:
        await tx.count("counter")
        writer = asyncio.create_task(write(), context=__import__("contextvars").Context())
        await within(5, writer)
    assert await names(db) == ["a"]


async def test_a_transaction_of_one_database_does_not_catch_calls_on_another(db, tmp_path):
    import support

    async with Database(support.settings(tmp_path / "other.db")) as other:
        await support.create_tables(other)
        with pytest.raises(KeyError):
            async with db.transaction():
                await other.save("counter", {"name": "a"})
                await db.save("counter", {"name": "a"})
                raise KeyError
        assert await other.count("counter") == 1
    assert await db.count("counter") == 0


async def test_a_transaction_object_is_of_no_use_after_its_block(db):
    async with db.transaction() as tx:
        pass
    for call in (tx.count("counter"), tx.save("counter", {"name": "a"})):
        with pytest.raises(TransactionError, match="over"):
            await call
    assert await names(db) == []


@pytest.mark.sqlite_only
async def test_eight_concurrent_read_modify_write_transactions_end_with_eight(db):
    await db.save("counter", {"name": "a"})

    async def add():
        async with db.transaction() as tx:
            value = (await tx.get("counter", "a"))["value"]
            await asyncio.sleep(0.005)
            await tx.update("counter", "a", {"value": value + 1})

    await within(20, asyncio.gather(*(add() for _ in range(8))))
    assert (await db.get("counter", "a"))["value"] == 8


async def test_eight_concurrent_read_modify_write_callbacks_end_with_eight(db):
    await db.save("counter", {"name": "a"})

    async def add(tx):
        value = (await tx.get("counter", "a"))["value"]
        await asyncio.sleep(0.005)
        await tx.update("counter", "a", {"value": value + 1})

    await within(20, asyncio.gather(*(db.run_in_transaction(add, attempts=50) for _ in range(8))))
    assert (await db.get("counter", "a"))["value"] == 8


@pytest.mark.sqlite_only
async def test_who_waits_too_long_for_the_writer_is_told_who_holds_it(open_database):
    db = await open_database(pool_timeout=0.2)
    held, done = asyncio.Event(), asyncio.Event()

    async def hold():
        async with db.transaction():
            held.set()
            await done.wait()

    holder = asyncio.create_task(hold(), name="the import")
    await within(5, held.wait())
    for call in (db.save("counter", {"name": "a"}), db.transaction().__aenter__()):
        with pytest.raises(LockedError) as caught:
            await call
        assert caught.value.code == "DATABASE_LOCKED"
        assert "the import" in caught.value.context["holder"]
        assert caught.value.context["timeout"] == 0.2
    done.set()
    await holder
    await db.save("counter", {"name": "b"})
    assert await names(db) == ["b"]


async def test_closing_the_database_inside_a_block_rolls_it_back_and_the_block_raises(open_database):
    db = await open_database()
    with pytest.raises(TransactionError):
        async with db.transaction() as tx:
            await tx.save("counter", {"name": "a"})
            await within(5, db.close())
            with pytest.raises(TransactionError):
                await within(5, tx.save("counter", {"name": "b"}))
    assert outside(db, "SELECT * FROM counters") == []


async def test_a_nested_block_that_is_read_only_refuses_writes_and_the_outer_block_goes_on(db):
    async with db.transaction() as tx:
        await tx.save("counter", {"name": "a"})
        async with tx.transaction(read_only=True) as inner:
            assert await inner.count("counter") == 1
            with pytest.raises(TransactionError, match="read-only"):
                await db.save("counter", {"name": "b"})
        await tx.save("counter", {"name": "c"})
    assert await names(db) == ["a", "c"]


async def test_a_module_that_holds_the_transaction_can_publish_on_its_bus(db):
    heard = []
    db.events.subscribe("import.done", lambda event: heard.append(event.data))
    async with db.transaction() as tx:
        await tx.events.publish("import.done", {"rows": 1})
        assert heard == []
    await db.events.settle()
    assert heard == [{"rows": 1}]
