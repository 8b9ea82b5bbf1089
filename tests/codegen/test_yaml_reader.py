"""YAML text becomes plain data or a YamlError, never anything else."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from soulspot_db_codegen.yaml_reader import YamlError, read_yaml

YAMLISH = st.text(st.sampled_from("ab1: -\n{}[],'\"#&*!|>%@?\t\\.~\u2028é\0"), max_size=60)
# YAML itself reads some characters as the end of a line.
CHARS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff")
KEYS = st.text(CHARS, min_size=1, max_size=8)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(CHARS, max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.text() | YAMLISH)
def test_any_text_is_data_or_a_yaml_error(text):
    try:
        tree = read_yaml(text)
    except YamlError as caught:
        error = caught
    else:
        assert () in tree.values
        return
    line, column = error.mark
    assert 1 <= line <= len(text.splitlines()) + 2
    assert column >= 1
    assert error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("fields:\n\tid: {type: uuid}", 2),
        ("fields:\n  id: {type: uuid}\n  \tname: {type: string}", 3),
        ("fields:\n  id:\n\t  type: uuid", 3),
        ("\tfields: {}", 1),
        ("indexes:\n  - fields: [a]\n\t- fields: [b]", 3),
    ],
)
def test_a_tab_in_the_indentation_is_called_one(text, line):
    with pytest.raises(YamlError, match="a tab stands before the text of this line: YAML is indented with") as caught:
        read_yaml(text)
    assert caught.value.mark[0] == line


@pytest.mark.parametrize("text", ["fields: ]", "fields: {\n\tid: uuid }", "fields: [a,\n\tb]\nx: 'y"])
def test_a_tab_where_it_may_stand_is_not_blamed(text):
    try:
        read_yaml(text)
    except YamlError as error:
        assert "tab" not in error.message  # noqa: PT017 - or it is read


@given(DATA)
def test_what_yaml_writes_is_read_as_it_was(data):
    assert read_yaml(yaml.safe_dump(data, allow_unicode=True, width=10**6)).data == data
    assert read_yaml(yaml.safe_dump(data, default_flow_style=True)).data == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("Yes", "Yes"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("y", "y"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2026-11-24", "2026-11-24"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.5e3", 1500.0),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("<<", "<<"),
        ("=", "="),
        ("9" * 40, int("9" * 40)),
        ("9" * 41, "9" * 41),
    ],
)
def test_scalars_mean_what_they_say(text, value):
    found = read_yaml(f"[{text}]").data[0]
    assert found == value
    assert type(found) is type(value)


def test_places_are_remembered():
    tree = read_yaml("a:\n  - x\n  - {b: 1,\n     c: 2}\n")
    assert tree.keys["a",] == (1, 1)
    assert tree.values["a",] == (2, 3)
    assert tree.values["a", 1] == (3, 5)
    assert tree.keys["a", 1, "c"] == (4, 6)
    assert tree.values["a", 1, "c"] == (4, 9)


def test_columns_count_characters():
    assert read_yaml("{é漢😀: x}").values["é漢😀",] == (1, 7)


@pytest.mark.parametrize(
    ("text", "message", "mark"),
    [
        ("", "the file is empty", (1, 1)),
        ("# only a comment\n", "the file is empty", (1, 1)),
        ("a: 1\na: 2\n", "'a' stands here twice; first in line 1", (2, 1)),
        ("{a: 1, 'a': 2}", "'a' stands here twice; first in line 1", (1, 8)),
        ("a: &x 1\nb: *x\n", "aliases are not allowed: write the value of *x here", (2, 4)),
        ("a: !!str 5\n", "tags are not allowed: tag:yaml.org,2002:str", (1, 4)),
        ("a: !x 5\n", "tags are not allowed: !x", (1, 4)),
        ("1: x\n", "a key is text", (1, 1)),
        ("null: x\n", "a key is text", (1, 1)),
        ("[a]: x\n", "a key is text", (1, 1)),
        ("*x : y\n", "a key is text", (1, 1)),
        ("a: 1\n---\nb: 1\n", "a file holds one document; start another file for the next entity", (2, 1)),
        ("[" * 30 + "]" * 30, "nested more than 16 levels deep", (1, 18)),
    ],
)
def test_what_is_refused(text, message, mark):
    with pytest.raises(YamlError) as caught:
        read_yaml(text)
    assert (caught.value.message, caught.value.mark) == (message, mark)


def test_a_bomb_is_not_built():
    bomb = "a: &a [x, x]\n" + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(YamlError, match="aliases are not allowed"):
        read_yaml(bomb)


def test_nesting_without_end_is_refused_at_once():
    with pytest.raises(YamlError):
        read_yaml("[" * 200_000)
    with pytest.raises(YamlError):
        read_yaml("a: " + "{a: " * 50_000)
