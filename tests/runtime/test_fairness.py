"""However many rows are asked for or saved, others have their turns. The clock is ours, so no machine is too busy for that."""

import itertools
from collections import Counter
from types import SimpleNamespace

import homes
import pytest
from soulspot_db import Repository, fairness
from soulspot_db.facade.records import Records
from soulspot_db.schema import resolved
from soulspot_db.sql.codec import Codec
from support import CounterSchema, JobSchema

DATABASES = homes.BOTH
ROWS = 3000
NAMES = [f"c{n:04}" for n in range(ROWS)]


class Counters(Repository):
    schema = CounterSchema


class Jobs(Repository):
    schema = JobSchema


@pytest.fixture
async def db(open_database):
    opened = await open_database()
    await opened.save_many("counter", [{"name": name} for name in NAMES])
    return opened


@pytest.fixture
def in_one_turn(monkeypatch, turns):
    """Has a method counted; says how often it was called, and how often at most in one turn of the loop."""
    # A look at the clock takes half of a slice.
    clock = itertools.count(0.0, fairness._SLICE / 2)
    monkeypatch.setattr(fairness, "time", SimpleNamespace(perf_counter=lambda: next(clock)))

    def count(owner, name):
        method, calls = getattr(owner, name), Counter()

        def counted(*args, **options):
            calls[turns()] += 1
            return method(*args, **options)

        monkeypatch.setattr(owner, name, counted)
        return lambda: (calls.total(), max(calls.values(), default=0) < 100)

    return count


FEW_A_TURN = (ROWS, True)


async def test_a_large_answer_lets_others_run(db, in_one_turn):
    decoded = in_one_turn(Codec, "decode")
    assert len(await Counters(db)._query(fresh=True)) == ROWS
    assert decoded() == FEW_A_TURN


async def test_a_large_answer_lets_others_run_while_it_becomes_dicts(db, in_one_turn):
    exported = in_one_turn(Codec, "export")
    assert len(await db.query("counter")) == ROWS
    assert exported() == FEW_A_TURN


async def test_a_large_answer_in_a_transaction_lets_others_run(db, in_one_turn):
    decoded = in_one_turn(Codec, "decode")
    async with db.transaction(read_only=True) as tx:
        assert len(await Counters(tx)._query()) == ROWS
    assert decoded() == FEW_A_TURN


async def test_many_rows_by_their_keys_let_others_run(db, in_one_turn):
    decoded, exported = in_one_turn(Codec, "decode"), in_one_turn(Codec, "export")
    assert len(await db.get_many("counter", NAMES, fresh=True)) == ROWS
    assert decoded() == exported() == FEW_A_TURN


async def test_many_rows_by_their_keys_let_others_run_in_a_transaction(db, in_one_turn):
    decoded = in_one_turn(Codec, "decode")
    async with db.transaction(read_only=True) as tx:
        assert len(await tx.get_many("counter", NAMES)) == ROWS
    assert decoded() == FEW_A_TURN


async def test_many_rows_to_save_let_others_run(db, in_one_turn):
    new = [resolved(CounterSchema).create_model(name=f"m{n}") for n in range(ROWS)]
    steps = [in_one_turn(Counters, "_values_of"), in_one_turn(Codec, "encode_row"), in_one_turn(Codec, "decode")]
    await Counters(db)._save_many(new)
    assert [step() for step in steps] == [FEW_A_TURN] * 3


async def test_many_rows_to_save_without_keys_let_others_run(db, in_one_turn):
    plan = db.session.plans.of(JobSchema)
    new = [resolved(JobSchema).create_model(title=f"t{n}") for n in range(ROWS)]
    bound = in_one_turn(Codec, "encode_row") if plan.queries.has_insert_many else in_one_turn(plan.queries, "insert")
    await Jobs(db)._save_many(new)
    assert bound() == FEW_A_TURN


async def test_many_dicts_to_save_let_others_run(db, in_one_turn):
    checked, told = in_one_turn(Records, "_checked"), in_one_turn(Records, "_id")
    await db.save_many("counter", [{"name": f"m{n}"} for n in range(ROWS)])
    assert checked() == told() == FEW_A_TURN


async def test_a_small_answer_does_not_look_at_the_clock(db, monkeypatch):
    looks = []
    made = fairness.Turns.are_due
    monkeypatch.setattr(fairness.Turns, "are_due", lambda turns: looks.append(1) or made(turns))
    assert len(await Counters(db)._query({"name": {"lt": NAMES[15]}}, fresh=True)) == 15
    assert looks == []


async def test_the_keys_of_saved_rows_are_told_without_making_models_of_them(db, in_one_turn):
    decoded = in_one_turn(Codec, "decode")
    assert await db.save("job", {"title": "a"}) == "1"
    assert await db.save_many("job", [{"title": "b"}, {"title": "c"}]) == ["2", "3"]
    assert await db.save_many("job", [{"id": 9, "title": "d"}, {"id": 8, "title": "e"}]) == ["9", "8"]
    assert decoded()[0] == 0
