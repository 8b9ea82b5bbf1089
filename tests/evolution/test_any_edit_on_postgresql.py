"""The same edits on a PostgreSQL server: rows become what they become on SQLite, tables what a fresh database has."""

import tempfile
from pathlib import Path

import pytest
import servers
from any_edit import run
from edit_state import State, violations
from edits import evolutions
from hypothesis import HealthCheck, assume, given, note, settings
from server_evolutions import ServerHome

ANY = {"deadline": None, "suppress_health_check": list(HealthCheck)}
# jsonb is written with spaces, so that what becomes text there is longer.
WITH_SPACES = {'{"a":1}', '["a","b"]', '{"a":true}'}


def is_written_alike(state: State) -> bool:
    return not any(
        row[at] in WITH_SPACES
        for name, entity in state.entities.items()
        for at, rules in entity["fields"].items()
        if rules["type"] in {"string", "text", "enum"}
        for row in state.rows[name]
    )


def check(evolution: tuple[State, State], database: tuple[servers.Address, str]) -> None:
    before, after = evolution
    assume(is_written_alike(after))
    note(f"edits: {', '.join(after.edits)}; lost: {after.lost}; refused: {after.refused}, {violations(after)}")
    with tempfile.TemporaryDirectory() as folder:
        home = ServerHome(Path(folder), *database)
        try:
            run(before, after, home)
        finally:
            home.close()


@settings(max_examples=15, derandomize=True, **ANY)
@given(evolution=evolutions())
def test_any_edit_ends_as_foretold(evolution, database):
    check(evolution, database)


@pytest.mark.slow
@settings(max_examples=300, **ANY)
@given(evolution=evolutions())
def test_any_of_very_many_edits_ends_as_foretold(evolution, database):
    check(evolution, database)
