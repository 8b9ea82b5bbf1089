"""What the two halves agree on about revisions."""

import pytest
from soulspot_db.language.history import BY_HAND, is_data


@pytest.mark.parametrize("line", ["data = True", "data = True  # fills plays", "data: bool = True", "data=True"])
def test_a_data_revision_is_known_however_the_line_is_written(line):
    assert is_data(f'"""Fill."""\n{line}\n')


@pytest.mark.parametrize("line", ["data = False", "# data = True", "    data = True", "data_of = True"])
def test_other_lines_do_not_make_one(line):
    assert not is_data(f'"""Fill."""\n{line}\n')


def test_what_begins_as_written_by_hand_is_one_whatever_else_it_says():
    assert is_data(f"{BY_HAND} in the line of revisions.\n")
