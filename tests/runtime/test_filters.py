"""The filter language: the rows that SQLite finds are those that plain Python finds, by SQL's rules for NULL."""

import sqlite3
from operator import eq, ge, gt, le, lt, ne

import homes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soulspot_db import EntitySchema
from soulspot_db.encryption import Cipher
from soulspot_db.language.filters import parse_filter
from soulspot_db.language.order import parse_order
from soulspot_db.language.scope import FilterError
from soulspot_db.schema import resolved
from soulspot_db.sql.codec import Codec
from soulspot_db.sql.dialects import DIALECTS
from soulspot_db.sql.query import Queries
from soulspot_db.sql.tables import create_statements

DATABASES = homes.BOTH


class RowSchema(EntitySchema):
    entity_type = "row"
    table_name = "rows"
    fields = {
        "id": {"type": "integer", "primary_key": True},
        "a": {"type": "integer", "nullable": True},
        "b": {"type": "text", "nullable": True, "column": "b_column"},
        "c": {"type": "decimal", "precision": 6, "scale": 2, "nullable": True},
    }


SCHEMA = resolved(RowSchema)
SPEC = SCHEMA.spec
CODEC = Codec(SPEC, SCHEMA.model, DIALECTS["sqlite"], Cipher(()))
QUERIES = Queries(SPEC, SCHEMA.table, CODEC.encode, DIALECTS["sqlite"], find={}.__getitem__, visible=None)
ROWS = [
    {"id": number, "a": a, "b": b, "c": c}
    for number, (a, b, c) in enumerate(
        (a, b, c) for a in (None, 0, 1) for b in (None, "", "ä", "z") for c in (None, "1.50")
    )
]
MODELS = [SCHEMA.create_model.model_validate(row) for row in ROWS]
OPERATORS = {"eq": eq, "ne": ne, "lt": lt, "lte": le, "gt": gt, "gte": ge}


@pytest.fixture(scope="module")
def table():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for sql in create_statements(SPEC, None, DIALECTS["sqlite"]):
        connection.execute(sql)
    for model in MODELS:
        statement = QUERIES.insert(tuple(model.__dict__), CODEC.encode_row(model.__dict__))
        connection.execute(statement.sql, statement.values)
    return connection


def run(table, statement):
    return table.execute(statement.sql, statement.values).fetchall()


# Plain Python, with None for "unknown".


def holds(where, row):
    return conjunction(condition(name, wanted, row) for name, wanted in where.items())


def conjunction(values):
    values = list(values)
    return False if False in values else None if None in values else True


def negation(value):
    return None if value is None else not value


def condition(name, wanted, row):
    if name == "and":
        return conjunction(holds(part, row) for part in wanted)
    if name == "or":
        return negation(conjunction(negation(holds(part, row)) for part in wanted))
    if name == "not":
        return negation(holds(wanted, row))
    value = getattr(row, name)
    if isinstance(wanted, dict):
        return conjunction(compare(operator, value, other) for operator, other in wanted.items())
    return compare("in" if isinstance(wanted, list) else "eq", value, wanted)


def compare(operator, value, other):
    if operator == "in":
        return member(value, other)
    if operator == "not_in":
        return negation(member(value, other))
    if other is None:
        return (value is None) == (operator == "eq")
    return None if value is None else OPERATORS[operator](value, other)


def member(value, listed):
    """None in a list means null and nothing else, so that `not_in: [x, None]` is "neither x nor null"."""
    if value is None and None in listed:
        return True
    known = [item for item in listed if item is not None]
    return (None if None not in listed else True) if value is None and known else value in known


FIELDS = {
    "a": st.sampled_from([0, 1, 2]),
    "b": st.sampled_from(["", "ä", "z", "it's"]),
    "c": st.sampled_from(["1.50", "2.00"]).map(__import__("decimal").Decimal),
}


def conditions(name):
    value = FIELDS[name]
    listed = st.lists(st.none() | value, max_size=3)
    operators = st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("eq", "ne"), st.none() | value),
            **dict.fromkeys(("lt", "lte", "gt", "gte"), value),
            **dict.fromkeys(("in", "not_in"), listed),
        },
    ).filter(bool)
    return st.none() | value | listed | operators


plain = st.fixed_dictionaries({}, optional={name: conditions(name) for name in FIELDS})
filters = st.recursive(
    plain,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "and": st.lists(inner, max_size=3),
            "or": st.lists(inner, max_size=3),
            "not": inner,
            "a": conditions("a"),
        },
    ),
    max_leaves=6,
)


@settings(max_examples=200)
@given(where=filters)
def test_sqlite_finds_the_rows_that_plain_python_finds(table, where):
    predicate = parse_filter(where, SPEC)
    expected = [row.id for row in MODELS if holds(where, row) is True]
    assert [row[0] for row in run(table, QUERIES.select(predicate, limit=1000))] == expected
    assert run(table, QUERIES.count(predicate)) == [(len(expected),)]
    assert bool(run(table, QUERIES.exists(predicate))) == bool(expected)


@given(where=filters)
def test_two_filters_of_one_shape_are_one_statement(where):
    first, again = (QUERIES.select(parse_filter(where, SPEC)) for _ in range(2))
    assert first.sql is again.sql


def test_lists_of_many_lengths_share_few_statements():
    queries = Queries(SPEC, SCHEMA.table, CODEC.encode, DIALECTS["sqlite"], find={}.__getitem__, visible=None)
    for length in range(1, 200):
        queries.select(parse_filter({"a": list(range(length))}, SPEC))
    assert queries.shapes == 9


def test_compiled_statements_take_a_bounded_amount_of_memory(monkeypatch):
    monkeypatch.setattr("soulspot_db.sql.statements._MAX_SHAPES", 3)
    queries = Queries(SPEC, SCHEMA.table, CODEC.encode, DIALECTS["sqlite"], find={}.__getitem__, visible=None)
    for names in ("a", "b", "c", "id", "a"):
        assert queries.count(parse_filter({names: {"ne": None}}, SPEC)).sql.endswith("IS NOT NULL")
    assert queries.shapes == 3


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_no_value_ever_becomes_part_of_a_statement(value):
    marked = f"\u2603{value}\u2603"
    assert "\u2603" not in QUERIES.select(parse_filter({"b": marked}, SPEC)).sql


@pytest.mark.parametrize(
    ("where", "unknown"),
    [
        ({"nam": 1}, True),
        ({"a; DROP TABLE rows": 1}, True),
        ({7: 1}, True),
        ({"and": [{"nam": 1}]}, True),
        ({"a": {"like": "x"}}, False),
        ({"a": {"contains": 1}}, False),
        ({"a": {"between": [1]}}, False),
        ({"a": {"between": 1}}, False),
        ({"a": {"lt": {"now": "0s"}}}, False),
        ({"b": {"like": 1}}, False),
        ({"b": {"like": "x\\"}}, False),
        ({"b": {"starts_with": "x" * 10_001}}, False),
        ({"b": {"like": {"param": "x"}}}, False),
        ({"a": {}}, False),
        ({"a": {"lt": None}}, False),
        ({"a": {"in": 1}}, False),
        ({"a": "1"}, False),
        ({"a": True}, False),
        ({"a": 2**63}, False),
        ({"a": 1.5}, False),
        ({"b": "a\0"}, False),
        ({"b": "\ud800"}, False),
        ({"c": "1.555"}, False),
        ({"c": float("nan")}, False),
        ({"and": {"a": 1}}, False),
        ({"or": "a"}, False),
        ({"not": [{"a": 1}]}, False),
        ([("a", 1)], False),
        ("a = 1", False),
        ({"a": list(range(10_001))}, False),
        ({"and": [{"a": list(range(9_000))}, {"a": list(range(9_000))}]}, False),
        ({"or": [{"a": number} for number in range(600)]}, False),
    ],
)
def test_a_filter_that_does_not_fit_is_refused_before_any_sql_exists(where, unknown):
    with pytest.raises(FilterError) as caught:
        parse_filter(where, SPEC)
    assert (caught.value.known is not None) is unknown


def test_a_filter_that_contains_itself_is_refused():
    where = {}
    where["not"] = where
    with pytest.raises(FilterError, match="levels deep"):
        parse_filter(where, SPEC)


@pytest.mark.parametrize("where", [{"a": list(range(10_000))}, {"or": [{"a": number} for number in range(490)]}])
def test_the_largest_filters_that_are_accepted_can_be_run(table, where):
    assert len(run(table, QUERIES.select(parse_filter(where, SPEC)))) == 16


@pytest.mark.parametrize(
    "order",
    ["", "nope", "a sideways", "a desc desc", "a; DROP TABLE rows", "a nulls", "a, a", ["a"] * 9, 7, [7], {"a"}],
)
def test_an_order_that_is_not_one_is_refused(order):
    with pytest.raises(FilterError):
        parse_order(order, SPEC)


def test_a_minus_before_a_field_is_answered_with_the_order_that_was_meant():
    with pytest.raises(FilterError, match="'-a' is not an order; write 'a desc'"):
        parse_order(["b", "-a"], SPEC)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("a", [0, 1, None]),
        ("a DESC", [1, 0, None]),
        ("a asc nulls first", [None, 0, 1]),
        ("a desc nulls last", [1, 0, None]),
        (["a Desc Nulls First", "b"], [None, 1, 0]),
    ],
)
def test_nulls_come_last_unless_said_otherwise(table, order, expected):
    rows = run(table, QUERIES.select(None, order_by=parse_order(order, SPEC)))
    assert list(dict.fromkeys(row[1] for row in rows)) == expected


def test_text_is_ordered_by_code_point(table):
    rows = run(table, QUERIES.select(None, order_by=parse_order("b", SPEC)))
    assert list(dict.fromkeys(row[2] for row in rows)) == ["", "z", "ä", None]


@pytest.mark.parametrize(("limit", "offset"), [(3, 0), (0, 0), (3, 2), (None, 20), (100, 0), (2**63 - 1, 2**63 - 1)])
def test_a_limit_or_an_offset_without_an_order_means_by_key(table, limit, offset):
    rows = run(table, QUERIES.select(None, limit=limit, offset=offset))
    assert [row[0] for row in rows] == list(range(24))[offset:][:limit]
