"""Conditions as SQL text: they hold for the rows for which the filter does, in both databases."""

import datetime as dt
import itertools
import operator
import sqlite3
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_support import RecordSchema, ask_postgresql, record_fields
from soulspot_db import ddl
from soulspot_db.language.conditions import condition_sql, literal_sql
from soulspot_db.language.filters import parse_filter
from soulspot_db.language.json_value import dump_json
from soulspot_db.language.patterns import TEXT_OPERATORS, matches
from soulspot_db.language.predicates import Compare
from soulspot_db.language.types import TYPES
from soulspot_db.schema import resolved
from soulspot_db.sql.dialects import DIALECTS
from soulspot_db.sql.tables import create_statements
from sqlalchemy.dialects.postgresql import asyncpg

NIGHT = dt.datetime(2026, 11, 24, 23, 59, 59, 999_999, dt.UTC)
TEXTS = [
    "",
    "a",
    "B",
    "it's",
    'say "x"',
    "50%",
    ":x",
    "a\\:b",
    "::",
    "%(x)s",
    "é ✓",
    "\U0001f3b5",
    "ﬃ",
    "a\nb",
    "--",
    "?",
]
# A few values of each type, so that equal ones meet.
POOL = {
    "uuid": [UUID(int=0), UUID(int=2**127), UUID("7c0a3a52-3f5a-4d6e-9a63-0a4ee2a0a111")],
    "string": TEXTS,
    "text": TEXTS,
    "integer": [0, 1, -1, 2**63 - 1, -(2**63), 10],
    "float": [0.0, -1.5, 1e300, 5e-324, 0.1, 1 / 3, 2.0**53, 1e22],
    "decimal": [Decimal("0.00"), Decimal("-0.01"), Decimal("9999999.99"), Decimal("12.50")],
    "boolean": [True, False],
    "date": [dt.date(1, 1, 1), dt.date(2026, 2, 28), dt.date(9999, 12, 31)],
    "time": [dt.time(0), dt.time(12, 30, 0, 1), dt.time(23, 59, 59, 999_999)],
    "datetime": [dt.datetime(1, 1, 2, tzinfo=dt.UTC), NIGHT, NIGHT.astimezone(dt.timezone(dt.timedelta(hours=14)))],
    "enum": ["a", "b", "it's: 5%"],
    "bytes": [b"", b"\0", b"'", b"\xff\x00x", b"x"],
    "json": [{"a": [1, "it's"]}, {"a": [1, "it's"], "b": None}, [], [1], "x", "", 7, 7.5, True, False, {}],
    "list": [(), ("a",), ("it's", ":x"), ("a", "b")],
}
FIELDS = record_fields()
ENTITY = resolved(RecordSchema).spec
ORDERS = {"lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge}
UNORDERED = {"json", "list"}


PATTERNS = ["", "%", "_", "a%", "%'%", "\\%", "%\\\\%", "[a-z]", "*", "?", "B", "É%", "50%"]


def operators(kind):
    return ["eq", "ne", "is", "is_not", *(() if kind in UNORDERED else ORDERS)]


@st.composite
def condition(draw):
    name = draw(st.sampled_from([*FIELDS]))
    kind = FIELDS[name].type
    values = st.sampled_from(POOL[kind])
    wanted = draw(
        st.sampled_from(operators(kind)).flatmap(lambda word: values.map(lambda value: {word: value}))
        | st.sampled_from(["in", "not_in"]).flatmap(
            lambda word: st.lists(values | st.none(), max_size=3).map(lambda listed: {word: listed})
        )
        | st.sampled_from([{"eq": None}, {"ne": None}, {"is": None}])
        | st.sampled_from(
            ["like", "ilike", "not_like", "ieq", "starts_with", "iends_with", "icontains"]
            if kind in {"string", "text", "enum"}
            else ["like"]
        ).flatmap(
            lambda word: st.sampled_from(PATTERNS).map(
                lambda pattern: {word: pattern} if kind in {"string", "text", "enum"} else {"eq": None}
            )
        )
        | st.sampled_from(operators(kind)).map(
            lambda word: {word: {"field": f"b_{kind}"}} if kind != "json" else {"eq": None}
        )
    )
    return {name: wanted}


FILTERS = st.recursive(
    condition(),
    lambda inner: (
        inner.map(lambda one: {"not": one})
        | st.lists(inner, max_size=3).map(lambda some: {"and": some})
        | st.lists(inner, max_size=3).map(lambda some: {"or": some})
    ),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries({name: st.none() | st.sampled_from(POOL[field.type]) for name, field in FIELDS.items()})


def comparable(value, kind):
    if kind == "json":
        return None if value is None else dump_json(value)
    return tuple(value) if kind == "list" and value is not None else value


def truth(predicate, row):
    """What the condition is for a row: True, False, or None where SQL says NULL."""
    if not isinstance(predicate, Compare):
        found = [truth(part, row) for part in predicate.parts]
        if predicate.operator == "not":
            return None if found[0] is None else not found[0]
        decisive = predicate.operator == "or"
        return decisive if decisive in found else None if None in found else not decisive
    kind = FIELDS[predicate.field].type
    value = comparable(row[predicate.field], kind)
    if predicate.operator in {"is_null", "not_null"}:
        return (value is None) == (predicate.operator == "is_null")
    if predicate.operator in {"in", "not_in"}:
        listed = value in [comparable(item, kind) for item in predicate.values]
        return None if value is None and predicate.values else listed == (predicate.operator == "in")
    other = row[predicate.other] if predicate.other else predicate.values[0]
    if predicate.operator in TEXT_OPERATORS:
        return None if value is None else matches(predicate.operator, value, other)
    other = comparable(other, kind)
    if predicate.operator in {"is", "is_not"}:
        return (value == other) == (predicate.operator == "is")
    if value is None or other is None:
        return None
    if predicate.operator in ORDERS:
        return ORDERS[predicate.operator](value, other)
    return (value == other) == (predicate.operator == "eq")


@pytest.fixture(scope="module")
def connection():
    """The table of records as SQLite has it."""
    with sqlite3.connect(":memory:") as opened:
        for statement in create_statements(ENTITY, lambda _reference: ("", ""), DIALECTS["sqlite"]):
            opened.execute(statement)
        yield opened
    opened.close()


def stored(field, value):
    encode = TYPES[field.type].sqlite.encode
    return value if value is None or encode is None else encode(field)(field.adapter.validate_python(value))


def in_sqlite(connection, text, row):
    connection.execute("DELETE FROM records")
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    values = [stored(FIELDS[name], value) for name, value in row.items()]
    connection.execute(f"INSERT INTO records ({names}) VALUES ({marks})", values)
    [[found]] = connection.execute(f"SELECT ({text}) FROM records").fetchall()
    return None if found is None else bool(found)


@settings(max_examples=250, deadline=None)
@given(where=FILTERS, row=ROWS)
def test_sqlite_finds_a_condition_true_where_it_is(connection, where, row):
    predicate = parse_filter(where, ENTITY)
    assert in_sqlite(connection, condition_sql(predicate, ENTITY.fields, "sqlite"), row) == truth(predicate, row)


@settings(max_examples=100, deadline=None)
@given(where=FILTERS)
def test_a_condition_is_one_expression_and_nothing_more(connection, where):
    predicate = parse_filter(where, ENTITY)
    text = condition_sql(predicate, ENTITY.fields, "sqlite")
    connection.execute(f"SELECT CASE WHEN {text} THEN 1 END FROM records")
    connection.execute(f"CREATE INDEX made_of_it ON records (id) WHERE {text}")
    connection.execute("DROP INDEX made_of_it")


def every_condition():
    """Each operator with each value of each type, and with another field."""
    for kind, values in POOL.items():
        for word in operators(kind):
            yield from ({f"a_{kind}": {word: value}} for value in values)
            if kind != "json":
                yield {f"a_{kind}": {word: {"field": f"b_{kind}"}}}
        for word in ("in", "not_in"):
            yield from ({f"a_{kind}": {word: listed}} for listed in ([], values[:1], [*values, None]))
        yield from ({f"a_{kind}": {word: None}} for word in ("eq", "ne"))
    one, two = {"a_integer": {"gt": 0}}, {"a_text": "it's"}
    yield from ({"or": [one, {"not": two}]}, {"not": {"and": [one, two]}}, {"and": []}, {"or": []}, {"not": {"or": []}})
    yield {"and": [{"or": [one, two]}, {"or": [{"not": one}, two]}], **one}


def every_row():
    """Rows among which each value of each type is compared with each other one, and with null."""
    longest = max(map(len, POOL.values())) + 1
    for shift, number in itertools.product(range(longest), range(longest)):
        choices = {kind: [*values, None] for kind, values in POOL.items()}
        yield {
            f"{letter}_{kind}": listed[(number if letter == "a" else number + shift) % len(listed)]
            for kind, listed in choices.items()
            for letter in "ab"
        }


def in_postgresql_terms(row):
    return ", ".join(
        "NULL"
        if value is None
        else literal_sql(FIELDS[name].adapter.validate_python(value), FIELDS[name], "postgresql")
        for name, value in row.items()
    )


def postgresql_type(field):
    kind = ddl.decimal(field.precision, field.scale) if field.type == "decimal" else getattr(ddl, field.type)()
    return kind.compile(asyncpg.dialect())


def test_postgresql_finds_every_condition_true_where_it_is():
    """Asked of a PostgreSQL on this machine, if there is one; the texts below are what it is asked."""
    rows = list(every_row())
    predicates = [parse_filter(where, ENTITY) for where in every_condition()]
    types = {name: postgresql_type(field) for name, field in FIELDS.items()}
    columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
    names = ", ".join(f'"{name}"' for name in types)
    values = ",\n".join(f"({number}, {in_postgresql_terms(row)})" for number, row in enumerate(rows))
    asked = "\n".join(
        "SELECT string_agg(CASE WHEN c THEN 't' WHEN NOT c THEN 'f' ELSE '-' END, '' ORDER BY n) "
        f"FROM (SELECT n, ({condition_sql(predicate, ENTITY.fields, 'postgresql')}) AS c FROM records) AS answers;"
        for predicate in predicates
    )
    answers = ask_postgresql(
        f"CREATE TEMPORARY TABLE records (n INTEGER, {columns});\nINSERT INTO records (n, {names}) VALUES {values};\n{asked}"
    )
    letters = {True: "t", False: "f", None: "-"}
    expected = ["".join(letters[truth(predicate, row)] for row in rows) for predicate in predicates]
    assert len(expected) > 300
    assert answers is None or answers == expected


@pytest.mark.parametrize(
    ("where", "sqlite", "postgresql"),
    [
        ({"a_text": "it's: 50%"}, "\"a_text\" = 'it''s: 50%'", None),
        ({"a_text": {"ne": 'b\\"'}}, '"a_text" <> \'b\\"\'', None),
        ({"a_boolean": True}, '"a_boolean" = 1', '"a_boolean" = TRUE'),
        ({"a_decimal": {"lt": "12.5"}}, '"a_decimal" < 1250', '"a_decimal" < 12.50'),
        ({"a_integer": {"gte": -5}}, '"a_integer" >= -5', None),
        ({"a_float": {"gt": 1e300}}, '"a_float" > 1e+300', None),
        ({"a_bytes": {"eq": b"\xff'"}}, "\"a_bytes\" = X'ff27'", "\"a_bytes\" = '\\xff27'"),
        (
            {"a_datetime": {"lt": NIGHT}},
            "\"a_datetime\" < '2026-11-24 23:59:59.999999'",
            "\"a_datetime\" < '2026-11-24 23:59:59.999999+00:00'",
        ),
        ({"a_json": {"eq": {"b": 1, "a": ["it's"]}}}, '"a_json" = \'{"a":["it\'\'s"],"b":1}\'', None),
        ({"a_json": {"in": ["x", 7, True]}}, "\"a_json\" IN ('\"x\"', '7', 'true')", None),
        ({"a_list": ["a", ":x"]}, '"a_list" = \'["a",":x"]\'', None),
        ({"a_text": None}, '"a_text" IS NULL', None),
        ({"a_text": []}, "1 = 0", None),
        ({"a_text": {"not_in": []}}, "1 = 1", None),
        ({"a_text": ["a", None]}, '("a_text" IN (\'a\')) OR ("a_text" IS NULL)', None),
        ({"a_date": {"lte": {"field": "b_date"}}}, '"a_date" <= "b_date"', None),
        ({"not": {"a_text": "a", "b_text": "b"}}, "NOT ((\"a_text\" = 'a') AND (\"b_text\" = 'b'))", None),
    ],
)
def test_the_text_of_a_condition(where, sqlite, postgresql):
    predicate = parse_filter(where, ENTITY)
    assert condition_sql(predicate, ENTITY.fields, "sqlite") == sqlite
    assert condition_sql(predicate, ENTITY.fields, "postgresql") == (postgresql or sqlite)


def test_columns_stand_in_a_condition_and_not_fields():
    entity = SimpleNamespace(
        entity_type="job",
        virtual={},
        fields={name: field for name, field in ENTITY.fields.items() if name == "a_text"},
    )
    renamed = {"a_text": SimpleNamespace(column="order", type="text")}
    assert condition_sql(parse_filter({"a_text": "x"}, entity), renamed, "sqlite") == "\"order\" = 'x'"
