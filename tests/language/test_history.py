"""What the two halves agree on about revisions."""

import pytest
from soulspot_db.language.conflicts import conflict_line
from soulspot_db.language.history import BY_HAND, constants_of, dump_sums, history_of, is_data, sums_of


@pytest.mark.parametrize("line", ["data = True", "data = True  # fills plays", "data: bool = True", "data=True"])
def test_a_data_revision_is_known_however_the_line_is_written(line):
    assert is_data(f'"""Fill."""\n{line}\n')


@pytest.mark.parametrize("line", ["data = False", "# data = True", "    data = True", "data_of = True"])
def test_other_lines_do_not_make_one(line):
    assert not is_data(f'"""Fill."""\n{line}\n')


def test_what_begins_as_written_by_hand_is_one_whatever_else_it_says():
    assert is_data(f"{BY_HAND} in the line of revisions.\n")


def test_sums_with_a_merge_conflict_are_no_history():
    sums = "00  0001_a.py\n<<<<<<< HEAD\n11  0002_b.py\n=======\n22  0002_c.py\n>>>>>>> theirs\n"
    history, problems = history_of(sums, {"0001_a.py": ""})
    assert problems == ["migrations.sum has an unresolved merge conflict at line 2"]
    assert (history.files, history.head, history.unrecorded) == ({}, None, {"0001_a.py": ""})


@pytest.mark.parametrize("text", ["", "a: <<<<<<< b\n", "  <<<<<<< b\n", "<<<<<<<<\n", "======= \n"])
def test_what_git_does_not_write_is_no_conflict(text):
    assert conflict_line(text) is None


@pytest.mark.parametrize(
    "line",
    ['revision = "0a"', "revision = '0a'", 'revision: str = "0a"', 'revision = "0a"  # the first', "revision=('0a')"],
)
def test_what_a_revision_says_of_its_place_is_read_however_the_line_is_written(line):
    text = f'"""Fill."""\n{line}\ndown_revision = None\nschema_after = digest()\n\ndef f():\n    revision = "1b"\n'
    assert constants_of(text) == {"revision": "0a"}


def test_a_history_whose_newest_revision_is_no_python_has_no_head():
    name, text = "0001_a.py", "revision = \n"
    history, problems = history_of(dump_sums(sums_of({name: text})), {name: text})
    assert (problems, history.head, history.schema) == ([], None, None)
