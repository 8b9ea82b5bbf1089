"""Any edit of any schema: rows become what they should, tables what a fresh database has, or nothing changes at all."""

import tempfile
from pathlib import Path

import pytest
from any_edit import run
from edit_state import State, violations
from edits import evolutions
from evolutions import Home
from hypothesis import HealthCheck, given, note, settings

ANY = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def check(evolution: tuple[State, State]) -> None:
    before, after = evolution
    note(f"edits: {', '.join(after.edits)}; lost: {after.lost}; refused: {after.refused}, {violations(after)}")
    with tempfile.TemporaryDirectory() as folder:
        run(before, after, Home(Path(folder)))


@settings(max_examples=25, derandomize=True, **ANY)
@given(evolutions())
def test_any_edit_ends_as_foretold(evolution):
    check(evolution)


@pytest.mark.slow
@settings(max_examples=600, **ANY)
@given(evolutions())
def test_any_of_very_many_edits_ends_as_foretold(evolution):
    check(evolution)
