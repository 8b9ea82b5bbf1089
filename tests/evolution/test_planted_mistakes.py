"""The comparison of schemas, tested by mistakes: each, planted in it, is found by an edit."""

import planted_edits
import pytest
from evolutions import Home
from soulspot_db import MigrationError
from soulspot_db_codegen.errors import SchemaError


@pytest.mark.parametrize("name", planted_edits.MISTAKES)
def test_a_planted_mistake_is_found(tmp_path, name):
    mistake, scene = planted_edits.MISTAKES[name]
    planted_edits.play(Home(tmp_path / "without"), scene)
    home = Home(tmp_path / "with")
    # A ValueError where there should be a revision and nothing is found to be done.
    found = (AssertionError, MigrationError, SchemaError, ValueError, pytest.fail.Exception)
    with mistake(), pytest.raises(found):
        planted_edits.play(home, scene)
