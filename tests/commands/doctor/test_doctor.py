"""`soulspot-db doctor` on SQLite: what it finds where nothing is wrong, beside programs at work, and that it changes nothing."""

import asyncio
import importlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import soulspot_db_entities
from doctor_reports import MIGRATIONS, levels, one, report
from soulspot_db import Database, DatabaseSettings, EntityRegistry
from soulspot_db.doctor.checks import AROUND, DATABASE, INSIDE
from soulspot_db.engine.sqlite.versions import HERE, has_wal_reset_bug

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"
CHECKS = [DATABASE, *(check.name for check in (*INSIDE["sqlite"], *AROUND["sqlite"]))]


def everything_in(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


ALWAYS = {("needless_indexes", "note")} | ({("sqlite_version", "note")} if has_wal_reset_bug(HERE) else set())
"""SoulSpot's own schemas have four such; and the SQLite of this machine may have its bug."""


def test_a_database_without_a_fault_has_none_and_stays_as_it_is(doctor, cli, database):
    before = everything_in(database.parent)
    found = doctor()
    assert list(found) == CHECKS
    assert levels(found) == ALWAYS
    outcome = cli("doctor", "--migrations", MIGRATIONS)
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.split()[1] for line in outcome.out.splitlines() if re.match("(ok|note|must) ", line)] == CHECKS
    assert "0 to be done now" in outcome.out
    assert everything_in(database.parent) == before


def test_while_others_write_it_keeps_nobody_waiting_and_moves_no_log(doctor, database):
    with closing(sqlite3.connect(database, isolation_level=None, timeout=0)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE others (a TEXT) STRICT")
        assert levels(doctor()) == ALWAYS
        writer.execute("COMMIT")
        log = database.with_name("soulspot.db-wal")
        before = (database.read_bytes(), log.read_bytes())
        assert levels(doctor()) == ALWAYS
        assert (database.read_bytes(), log.read_bytes()) == before
        writer.execute("DROP TABLE others")


def test_the_log_of_a_program_that_was_killed_is_left_to_the_next_that_writes(doctor, database):
    killed = f"import os, sqlite3; c = sqlite3.connect({str(database)!r}); c.execute('CREATE TABLE others (a TEXT) STRICT'); c.commit(); os._exit(1)"
    subprocess.run([sys.executable, "-c", killed], check=False)
    before = (database.read_bytes(), database.with_name("soulspot.db-wal").read_bytes())
    assert levels(doctor()) == ALWAYS
    assert (database.read_bytes(), database.with_name("soulspot.db-wal").read_bytes()) == before


def test_it_works_beside_a_running_program(doctor, database):
    async def run():
        async with Database(DatabaseSettings()) as db:
            found = await asyncio.to_thread(doctor)
            assert levels(found) == ALWAYS
            assert await db.count("artist", fresh=True) == 0

    with EntityRegistry.isolated():
        importlib.reload(soulspot_db_entities)
        asyncio.run(run())


def test_settings_that_cannot_be_used_are_told_without_a_traceback(cli, database, monkeypatch):
    monkeypatch.setenv("DATABASE_POOL_TIMEOUT", "soon")
    outcome = cli("doctor")
    assert (outcome.code, outcome.out) == (1, "")
    assert "DATABASE_POOL_TIMEOUT" in outcome.err


def test_settings_that_cannot_be_used_are_a_finding_for_programs(cli, database, monkeypatch):
    monkeypatch.setenv("DATABASE_POOL_TIMEOUT", "soon")
    level, said = one(report(cli), "settings")
    assert (level, "DATABASE_POOL_TIMEOUT" in said) == ("must", True)


def test_the_page_has_every_check():
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == {
        DATABASE,
        *(check.name for table in (INSIDE, AROUND) for of in table.values() for check in of),
    }
