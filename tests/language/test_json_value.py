"""JSON values: nobody can change them, both databases can store them, and each has one text."""

import datetime as dt
import json
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutabledict import immutabledict
from soulspot_db.language.json_value import dump_json, freeze, load_json, thaw

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def exact(value):
    """`value` so that equal means equal in type as well: to JSON, 1, 1.0 and true are three things."""
    if isinstance(value, (dict, immutabledict)):
        return {key: exact(item) for key, item in value.items()}
    return [*map(exact, value)] if isinstance(value, (list, tuple)) else (type(value), repr(value))


def reordered(value, draw):
    """The same value with the keys of its objects in another order."""
    if isinstance(value, dict):
        return {key: reordered(value[key], draw) for key in draw(st.permutations([*value]))}
    return [reordered(item, draw) for item in value] if isinstance(value, list) else value


def parts(value):
    yield value
    for item in value.values() if isinstance(value, immutabledict) else value if isinstance(value, tuple) else ():
        yield from parts(item)


@given(VALUES)
def test_a_frozen_value_is_immutable_all_the_way_down(value):
    for part in parts(freeze(value)):
        assert type(part) in {type(None), bool, int, float, str, tuple, immutabledict}
    assert hash(freeze(value)) == hash(freeze(value))


@given(VALUES)
def test_what_was_frozen_thaws_to_what_it_was(value):
    assert exact(thaw(freeze(value))) == exact(value)
    assert exact(freeze(freeze(value))) == exact(freeze(value))


@given(VALUES)
def test_a_stored_text_is_read_as_what_was_written(value):
    text = dump_json(freeze(value))
    assert exact(load_json(text)) == exact(freeze(value))
    assert dump_json(load_json(text)) == text
    assert exact(json.loads(text)) == exact(value)


@given(VALUES, st.data())
def test_the_order_of_keys_is_no_difference(value, data):
    other = reordered(value, data.draw)
    assert dump_json(freeze(other)) == dump_json(freeze(value))
    assert freeze(other) == freeze(value)


@given(VALUES, VALUES)
def test_equal_texts_are_equal_values(first, second):
    assert (dump_json(freeze(first)) == dump_json(freeze(second))) == (exact(first) == exact(second))


def test_thawed_values_are_the_callers_own():
    frozen = freeze({"a": [1, {"b": []}]})
    mine = thaw(frozen)
    mine["a"][1]["b"].append(2)
    mine["c"] = 3
    assert frozen == freeze({"a": [1, {"b": []}]})
    assert thaw(frozen) == {"a": [1, {"b": []}]}


def test_freezing_does_not_hold_on_to_what_it_was_given():
    given_value = {"a": [1]}
    frozen = freeze(given_value)
    given_value["a"].append(2)
    assert frozen == freeze({"a": [1]})


def test_the_text_is_compact_and_readable():
    assert dump_json(freeze({"b": [1, 2.5, None, True], "a": "é ✓"})) == '{"a":"é ✓","b":[1,2.5,null,true]}'


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "NaN and infinities"),
        ([float("inf")], "NaN and infinities"),
        ({"a": -float("inf")}, "NaN and infinities"),
        (2**63, "64 bits"),
        ([-(2**63) - 1], "64 bits"),
        ("a\0", "NUL characters"),
        (["\ud800"], "unpaired surrogates"),
        ({"a\0": 1}, "NUL characters"),
        ({1: 1}, "keys of JSON objects are text, got int"),
        ({None: 1}, "keys of JSON objects are text"),
        ({1, 2}, "expected JSON, got set"),
        (b"x", "expected JSON, got bytes"),
        (Decimal(1), "expected JSON, got Decimal"),
        (dt.datetime.now(dt.UTC), "expected JSON, got datetime"),
        (uuid.uuid4(), "expected JSON, got UUID"),
        (object(), "expected JSON, got object"),
        ((item for item in "ab"), "expected JSON, got generator"),
    ],
)
def test_what_no_json_is_or_no_database_stores_is_refused(value, reason):
    with pytest.raises(ValueError, match=reason):
        freeze(value)
    with pytest.raises(ValueError, match=reason):
        freeze({"deep": [value]})


def nested(levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_values_are_nested_64_levels_at_most():
    assert load_json(dump_json(freeze(nested(64)))) == freeze(nested(64))
    with pytest.raises(ValueError, match="nested more than 64 levels deep"):
        freeze(nested(65))


def test_a_value_that_holds_itself_is_refused():
    circle = []
    circle.append({"again": circle})
    with pytest.raises(ValueError, match="nested more than 64"):
        freeze(circle)
