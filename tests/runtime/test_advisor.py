"""The advisor: in the background, each statement once, one after another, and never at anybody's cost."""

import asyncio
import contextvars
import importlib
import logging

import pytest
import slow_schemas
import soulspot_db_entities
from soulspot_db import EntityRegistry, LockedError
from soulspot_db.monitoring.advisor import Advisor
from soulspot_db.monitoring.slow.entities import known_tables
from support import outside, within

SLOW = "SELECT * FROM tracks WHERE singer_id = ?"
QUESTION = contextvars.ContextVar("question", default=None)


class Asked:
    """Answers as an engine would, and notes what it was asked."""

    def __init__(self, answer="an index"):
        self.answer, self.statements, self.at_once, self.most = answer, [], 0, 0
        self.seen, self.gate = [], asyncio.Event()
        self.gate.set()

    async def __call__(self, statement, tables):
        self.statements.append(statement)
        self.seen.append(QUESTION.get())
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def opened(explain):
    advisor = Advisor(explain)
    advisor.open()
    return advisor


async def idle(advisor):
    while advisor._task is not None and not advisor._task.done():
        await asyncio.sleep(0.001)


async def test_a_statement_is_explained_once(caplog):
    asked = Asked()
    advisor = opened(asked)
    for _ in range(3):
        advisor.wonder(SLOW, (3,))
        assert advisor.advice(SLOW) in {None, "an index"}
        await within(5, idle(advisor))
    assert [(each.sql, each.values) for each in asked.statements] == [(SLOW, (3,))]
    assert advisor.advice(SLOW) == "an index"
    told = [record for record in caplog.records if record.name == "soulspot_db.query"]
    assert [(record.levelname, record.getMessage()) for record in told] == [("WARNING", f"an index ({SLOW})")]


async def test_nothing_is_told_where_nothing_helps(caplog):
    asked = Asked(None)
    advisor = opened(asked)
    for _ in range(2):
        advisor.wonder(SLOW)
        await within(5, idle(advisor))
    assert (advisor.advice(SLOW), len(asked.statements), caplog.records) == (None, 1, [])


async def test_statements_that_find_nothing_are_not_explained():
    asked = Asked()
    advisor = opened(asked)
    for sql in ("BEGIN IMMEDIATE", "COMMIT", "INSERT INTO tracks VALUES (?)", "PRAGMA optimize", ""):
        advisor.wonder(sql)
    await within(5, idle(advisor))
    assert asked.statements == []


async def test_one_is_explained_at_a_time():
    asked = Asked()
    asked.gate.clear()
    advisor = opened(asked)
    for number in range(20):
        advisor.wonder(f"{SLOW} LIMIT {number}")
    await asyncio.sleep(0.05)
    assert len(asked.statements) == 1
    asked.gate.set()
    await within(5, idle(advisor))
    assert (len(asked.statements), asked.most) == (20, 1)


async def test_it_works_in_a_context_of_its_own():
    asked = Asked()
    QUESTION.set("a caller's")
    advisor = opened(asked)
    advisor.wonder(SLOW)
    await within(5, idle(advisor))
    assert asked.seen == [None]


async def test_memory_is_bounded_under_many_statements():
    asked = Asked()
    asked.gate.clear()
    advisor = opened(asked)
    for number in range(100_000):
        advisor.wonder(f"SELECT {number}", ("a value",))
    assert (len(advisor._found), len(advisor._waiting)) == (100, 100)
    asked.gate.set()
    await within(10, idle(advisor))
    assert len(asked.statements) <= 102
    assert advisor.advice("SELECT 99999") == "an index"
    assert advisor.advice("SELECT 1") is None


async def test_what_is_slow_again_and_again_is_not_forgotten():
    asked = Asked()
    advisor = opened(asked)
    for number in range(500):
        advisor.wonder(SLOW)
        advisor.wonder(f"SELECT {number}")
        await within(5, idle(advisor))
    assert [statement.sql for statement in asked.statements].count(SLOW) == 1


@pytest.mark.parametrize(
    ("error", "level"),
    [(LockedError("another process kept it locked"), logging.INFO), (ZeroDivisionError(), logging.ERROR)],
)
async def test_an_error_is_logged_in_one_line_and_others_are_explained(caplog, error, level):
    caplog.set_level(logging.INFO, "soulspot_db")
    asked = Asked(error)
    advisor = opened(asked)
    for _ in range(3):
        advisor.wonder(SLOW)
        await within(5, idle(advisor))
    assert [record.levelno for record in caplog.records if record.name == "soulspot_db.query"] == [level]
    asked.answer = "an index"
    advisor._failed_at = float("-inf")  # a minute later
    advisor.wonder("SELECT 1")
    await within(5, idle(advisor))
    assert (advisor.advice(SLOW), advisor.advice("SELECT 1")) == (None, "an index")


async def test_what_could_not_be_explained_is_tried_again_but_not_at_once():
    asked = Asked(LockedError("another process kept it locked"))
    advisor = opened(asked)
    for _ in range(3):
        advisor.wonder(SLOW)
        await within(5, idle(advisor))
    assert len(asked.statements) == 1
    asked.answer = "an index"
    advisor._failed_at = float("-inf")  # a minute later
    advisor.wonder(SLOW)
    await within(5, idle(advisor))
    assert advisor.advice(SLOW) == "an index"


async def test_closing_stops_what_runs_and_what_waits():
    asked = Asked()
    asked.gate.clear()
    advisor = opened(asked)
    for number in range(5):
        advisor.wonder(f"SELECT {number}")
    await asyncio.sleep(0.05)
    await within(1, advisor.close())
    await within(1, advisor.close())
    asked.gate.set()
    await asyncio.sleep(0.01)
    assert (len(asked.statements), asked.at_once) == (1, 0)
    advisor.wonder("SELECT 98")  # which the engine has finished while it closes
    assert (advisor._task, advisor.advice("SELECT 98")) == (None, None)
    advisor.open()
    advisor.wonder("SELECT 99")
    await within(5, idle(advisor))
    assert advisor.advice("SELECT 99") == "an index"


@pytest.fixture
async def tracks(open_database):
    slow_schemas.register()
    db = await open_database()
    await slow_schemas.make(db)
    return db


async def test_a_real_database_is_asked_while_somebody_writes(tracks):
    slow_schemas.fill(tracks)
    advisor = opened(tracks._engine.explained)
    async with tracks.transaction():
        await tracks.update("label", "1", {"name": "held"})
        advisor.wonder(SLOW, (3,))
        await within(10, idle(advisor))
    assert advisor.advice(SLOW) == 'track is read whole: add "- {fields: [singer_id]}" to the indexes of track'
    await advisor.close()


async def test_a_file_that_cannot_be_read_gives_no_advice_and_one_line(tracks, caplog):
    caplog.set_level(logging.INFO, "soulspot_db")
    advisor = opened(tracks._engine.explained)
    outside(tracks, "DROP TABLE plays")
    advisor.wonder("SELECT * FROM plays WHERE track_id = ?")
    await within(10, idle(advisor))
    told = [record.getMessage() for record in caplog.records if record.name == "soulspot_db.query"]
    assert told == ["a slow statement could not be explained: the statement failed: no such table: plays"]


def test_an_entity_of_a_generated_package_has_the_name_of_its_module():
    with EntityRegistry.isolated():
        importlib.reload(soulspot_db_entities)
        EntityRegistry.register("label", slow_schemas.LabelSchema)
        tables = known_tables()
        assert (tables["spotify_playlists"].name, tables["labels"].name) == ("spotify.playlist", "label")
