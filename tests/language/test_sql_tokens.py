"""SQL taken apart: whatever stands between them, the parameters that are found are those that the databases would see."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_support import ask_postgresql
from soulspot_db.language.conditions import DIALECTS
from soulspot_db.language.sql_statement import SqlError, read_statement
from soulspot_db.language.sql_tokens import tokens

NOISE = st.text(alphabet=" :abn'\"`[]();-*/\\$\n\t?é_1=", max_size=12)
PARAMS = st.sampled_from(["a", "b", "now", "x_1"])


@st.composite
def values(draw, dialect):
    """A value as SQL, and the parameters in it."""
    noise = draw(NOISE)
    text = "'" + noise.replace("'", "''") + "'"
    tag = draw(st.sampled_from(["", "q"]))
    name = draw(PARAMS)
    forms = {
        "param": (f":{name}", [name]),
        "text": (text, []),
        "comment": (f"1 /* {noise.replace('*', '')} */", []),
        "line": (f"1 --{noise.replace(chr(10), '')}\n", []),
        "in parentheses": (f"(:{name})", [name]),
        "of two": (f"coalesce(:{name},:{name})", [name, name]),
        "named": (f'(SELECT "v :a" FROM (SELECT 1 AS "v :a") AS "x""{noise.replace(chr(34), "")}")', []),
    }
    if dialect == "postgresql":
        forms |= {
            "cast": (f"(:{name}::text)", [name]),
            "nested": ("1 /* :a /* :b */ ' */", []),
            "escaped": (r"E'\':a\\'", []),
            "dollars": (f"${tag}${noise.replace('$', '')}:a${tag}$", []),
        }
    else:
        forms |= {
            "blob": ("X'00'", []),
            "brackets": ("(SELECT [v :a] FROM (SELECT 1 AS [v :a]))", []),
            "backticks": ("(SELECT `v :a` FROM (SELECT 1 AS `v :a`))", []),
        }
    return forms[draw(st.sampled_from(sorted(forms)))]


def statements(dialect):
    parts = st.lists(values(dialect), min_size=1, max_size=5)
    return parts.map(
        lambda some: ("SELECT " + ", ".join(sql for sql, _ in some), [name for _, used in some for name in used])
    )


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text(alphabet="ab :'\"`[]()$;-*/\\\n?1é"))
def test_the_pieces_are_the_text(dialect, text):
    assert "".join(piece.text for piece in tokens(text, dialect)) == text


@given(case=statements("sqlite"))
def test_sqlite_takes_as_many_values_as_are_found(case):
    text, names = case
    sql, found = read_statement(text, "sqlite").bound({})
    assert list(found) == names
    with closing(sqlite3.connect(":memory:")) as connection:
        row = connection.execute(sql, [f"value of {name}" for name in found]).fetchone()
        as_written = connection.execute(text, {name: f"value of {name}" for name in names}).fetchone()
    assert row == as_written


@given(case=statements("postgresql"))
def test_postgresql_takes_each_value_once_and_cast(case):
    text, names = case
    sql, found = read_statement(text, "postgresql").bound(dict.fromkeys(names, "text"))
    assert list(found) == list(dict.fromkeys(names))
    for number in range(1, len(found) + 1):
        assert sql.count(f"CAST(${number} AS text)") == names.count(found[number - 1])


@settings(max_examples=5)
@given(cases=st.lists(statements("postgresql"), min_size=20, max_size=40))
def test_postgresql_reads_the_same_parameters(cases):
    script, expected = [], []
    for number, (text, names) in enumerate(cases):
        sql, found = read_statement(text, "postgresql").bound(dict.fromkeys(names, "text"))
        script.append(f"PREPARE p{number} AS {sql};")
        expected.append(f"p{number}|{len(found)}")
    asked = "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements ORDER BY substr(name, 2)::int;"
    assert ask_postgresql("\n".join([*script, asked])) in (None, expected)


@pytest.mark.parametrize(
    ("dialect", "text", "problem"),
    [
        ("sqlite", "SELECT 'a", "what begins with ' has no end"),
        ("sqlite", 'SELECT "a', 'what begins with " has no end'),
        ("sqlite", "SELECT 1 /* all", "what begins with /* has no end"),
        ("postgresql", "SELECT 1 /* /* */", "what begins with /* has no end"),
        ("postgresql", "SELECT $q$ a $r$", "what begins with $q has no end"),
        ("sqlite", "SELECT ?1", "?1 is not possible"),
        ("sqlite", "SELECT @a", "@a is not possible"),
        ("sqlite", "SELECT :1", ":1 is not possible"),
        ("postgresql", "SELECT $1", "$1 is not possible"),
        ("sqlite", "SELECT 1 -- rest", "takes all the rest"),
    ],
)
def test_what_would_be_read_in_another_way_is_refused(dialect, text, problem):
    with pytest.raises(SqlError) as caught:
        read_statement(text, dialect)
    assert problem in str(caught.value)
