"""What `soulspot-db doctor` has found, for tests."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["KEY", "MIGRATIONS", "Report", "backup_named", "change", "levels", "one", "report"]

MIGRATIONS = Path(__file__).parents[1] / "migrations"
KEY = "A" * 43 + "="  # of the right form, and nobody's

Report = dict[str, list[dict[str, str]]]
"""Findings by the name of the check."""


def backup_named(made: datetime) -> str:
    """What a backup of that time is called."""
    return f"soulspot.{made:%Y%m%dT%H%M%S.%fZ}.db"


def change(path: Path, *statements: str) -> None:
    """Have SQLite itself run them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def report(cli: Callable[..., Any], *arguments: object) -> Report:
    """Run it, and see that its findings have their keys and its exit code is theirs."""
    outcome = cli("doctor", "--json", *arguments)
    found: Report = {}
    for finding in json.loads(outcome.out):
        assert list(finding) == ["check", "level", "message", "resolution"]
        found.setdefault(finding["check"], []).append(finding)
    assert outcome.code == any(finding["level"] == "must" for each in found.values() for finding in each)
    return found


def one(found: Report, check: str) -> tuple[str, str]:
    """The only finding of a check: its level, and all its text."""
    (finding,) = found[check]
    return finding["level"], f"{finding['message']}\n{finding['resolution']}"


def levels(found: Report) -> set[tuple[str, str]]:
    """What is not as it should be."""
    return {(check, finding["level"]) for check, each in found.items() for finding in each if finding["level"] != "ok"}
