"""References between many entities are checked in a time that grows with their number, not with their paths."""

import signal

import pytest
from projects import run, write_project


@pytest.fixture
def deadline():
    """Ends a test that would run without end."""
    signal.alarm(20)
    yield
    signal.alarm(0)


def entity(*targets):
    fields = "".join(f"  to_{target}: {{type: uuid, references: m.{target}}}\n" for target in targets)
    return f"fields:\n  id: {{type: uuid, primary_key: true}}\n{fields}"


def test_many_paths_without_a_circle_are_no_problem(tmp_path, deadline):
    names = [f"e{number:02}" for number in range(40)]
    schemas = {f"m/{name}.yaml": entity(*names[place + 1 : place + 4]) for place, name in enumerate(names)}
    assert run(write_project(tmp_path / "project", schemas)).code == 0


def test_circles_among_many_paths_are_found_and_told_by_their_entities(tmp_path, deadline):
    names = [f"e{number:02}" for number in range(20)]
    schemas = {f"m/{name}.yaml": entity(*(other for other in names if other != name)) for name in names}
    outcome = run(write_project(tmp_path / "project", schemas))
    assert outcome.code == 1
    assert "form a circle in which no row can be the first" in outcome.err
    assert "make one of these fields nullable" in outcome.err
