"""What `soulspot-db doctor` has found, for tests."""

import json
from collections.abc import Callable
from typing import Any

__all__ = ["Report", "levels", "one", "report"]

Report = dict[str, list[dict[str, str]]]
"""Findings by the name of the check."""


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
