"""All checks, one after another: one that fails hides nothing that the others find."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.checks import AROUND, DATABASE, INSIDE, Check
from soulspot_db.doctor.finding import Finding, note, ok
from soulspot_db.doctor.looking import looking
from soulspot_db.engine.sqlite.errors import with_newest_copy
from soulspot_db.errors import DatabaseError
from soulspot_db.migrations.connection import in_thread, told
from soulspot_db.settings import DatabaseSettings

__all__ = ["examine"]


async def examine(settings: DatabaseSettings, migrations: Path | None) -> list[Finding]:
    """Look at a database from outside, whether it is in use or not; nothing of it is changed.

    Args:
        settings: which database.
        migrations: the folder that says what it should have; None where there is none.

    Returns:
        At least one finding for each check, in the order of the table. Nothing is raised for what is wrong.
    """
    case = Case(settings, migrations)
    # Before it is opened: where root opens a file, SQLite gives its log to the owner of the file.
    around = await asyncio.to_thread(_looked, AROUND[settings.database_type], case)
    return await in_thread(settings, _inside, case) + around


def _inside(case: Case) -> list[Finding]:
    checks = INSIDE[case.settings.database_type]
    found: list[Finding] = []
    try:
        with looking(case.settings) as connection:
            found = [replace(ok(case.settings.address), check=DATABASE)]
            found += _looked(checks, replace(case, link=connection))
    except DatabaseError as error:
        if not found:
            unopened = note("not looked at: the database cannot be opened")
            found = [
                replace(_of(error, case.settings), check=DATABASE),
                *(replace(unopened, check=check.name) for check in checks),
            ]
    return found


def _looked(checks: Sequence[Check], case: Case) -> list[Finding]:
    return [replace(finding, check=check.name) for check in checks for finding in _safely(check.look, case)]


def _safely(look: Callable[[Case], Iterator[Finding]], case: Case) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(look(case))
    except DatabaseError as error:
        found.append(_of(error, case.settings))
    except DBAPIError as error:
        found.append(_of(told(error, case.settings), case.settings))
    except OSError as error:
        found.append(note(f"cannot be looked at: {error.strerror or error}"))
    except ValueError as error:  # such as a snapshot that somebody has written into
        found.append(note(f"cannot be looked at: {error}"))
    return found


def _of(error: DatabaseError, settings: DatabaseSettings) -> Finding:
    told = error if settings.database_type == "postgresql" else with_newest_copy(error, settings)
    return Finding("must", told.message, told.resolution)
