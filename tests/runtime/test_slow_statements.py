"""Slow statements and SQLite's plans of them are read as far as an index could serve them."""

import random
import sqlite3

import pytest
from soulspot_db.monitoring.slow.plan import Access, read_plan
from soulspot_db.monitoring.slow.scopes import Ordered, scopes, verb

COLUMNS = {"songs": {"id", "artist_id", "name", "at", "order"}, "artists": {"id", "name"}}


def read(sql, dialect="sqlite"):
    """Of each scope: its tables, what is compared in each branch of each term, in short."""
    return [
        (
            dict(scope.tables),
            [[[f"{c.kind} {c.alias}.{c.part}" for c in branch] for branch in term] for term in scope.terms],
        )
        for scope in scopes(sql, dialect, COLUMNS)
    ]


def conditions(where, dialect="sqlite"):
    return read(f"SELECT * FROM songs WHERE {where}", dialect)[0][1]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("name = ?", 'equal songs."name"'),
        ("songs.name = ?", 'equal songs."name"'),
        ('"songs"."name" = ?', 'equal songs."name"'),
        ("? = name", 'equal songs."name"'),
        ("(((name))) = (?)", 'equal songs."name"'),
        ("lower(name) = ?", 'equal songs.lower("name")'),
        ('"order" >= ?', 'range songs."order"'),
        ("5 < at", 'range songs."at"'),
        ("at BETWEEN ? AND ?", 'range songs."at"'),
        ("name IS NULL", 'null songs."name"'),
        ("name IN (?, ?)", 'listed songs."name"'),
        ("name IN (SELECT name FROM artists)", 'listed songs."name"'),
        ("name GLOB ?", 'like songs."name"'),
    ],
)
def test_what_an_index_could_serve_is_read(where, found):
    assert conditions(where) == [[[found]]]


@pytest.mark.parametrize(
    "where",
    [
        "name <> ?",
        "name != ?",
        "name IS NOT NULL",
        "name IS NOT ?",
        "name NOT IN (?)",
        "NOT name = ?",
        "NOT (name = ? AND at = ?)",
        "name || 'x' = ?",
        "trim(name) = ?",
        "at = artist_id",
        "at < artist_id + 1",
        "length(name) > ?",
        "theirs.name = ?",
        "unknown = ?",
        "'name' = ?",
        "EXISTS (SELECT 1 FROM artists)",
        "coalesce(name = ?, 0)",
        "1 = 1",
    ],
)
def test_what_no_index_could_serve_is_not(where):
    assert conditions(where) == [[[]]]


def test_conditions_that_hold_together_are_apart_and_alternatives_are_not():
    assert conditions("name = ? AND (at > ? AND (id = ? OR name = ? AND at IS NULL)) AND at BETWEEN ? AND ?") == [
        [['equal songs."name"']],
        [['range songs."at"']],
        [['equal songs."id"'], ['equal songs."name"', 'null songs."at"']],
        [['range songs."at"']],
    ]


def test_a_subquery_is_a_scope_of_its_own():
    sql = "SELECT * FROM artists AS a WHERE EXISTS (SELECT 1 FROM songs s WHERE s.artist_id = a.id) AND name = ? ORDER BY id LIMIT ?"
    assert read(sql) == [
        ({"a": "artists"}, [[[]], [['equal a."name"']]]),
        ({"s": "songs"}, [[['equal s."artist_id"']]]),
    ]


def test_both_sides_of_a_join_are_compared():
    (scope,) = read("SELECT * FROM songs JOIN artists ON artist_id = artists.id WHERE at > 1")
    assert scope[1] == [[['equal songs."artist_id"', 'equal artists."id"']], [['range songs."at"']]]


def test_a_name_that_two_tables_have_belongs_to_neither():
    (scope,) = read("SELECT * FROM songs, artists WHERE name = ?")
    assert scope[1] == [[[]]]


def test_the_rows_that_a_statement_writes_are_found_by_its_condition_alone():
    assert read("UPDATE songs SET name = ?, at = ? WHERE id = ? RETURNING id")[0][1] == [[['equal songs."id"']]]
    assert read("DELETE FROM songs AS s WHERE s.at < ?")[0] == ({"s": "songs"}, [[['range s."at"']]])


def test_postgresql_has_lists_and_comparisons_of_its_own():
    assert conditions("name = ANY ($2)", "postgresql") == [[['listed songs."name"']]]
    assert conditions("name IS NOT DISTINCT FROM $1 AND at = $2", "postgresql") == [[[]], [['equal songs."at"']]]
    found = scopes("SELECT * FROM songs WHERE at > $2 AND name LIKE $1 ESCAPE '/'", "postgresql", COLUMNS)[0].terms
    assert [branch[0].params for (branch,) in found] == [(1,), (0,)]


def test_values_are_counted_by_their_place_in_the_whole_statement():
    sql = (
        "SELECT ? FROM songs WHERE id IN (SELECT id FROM artists WHERE name = ?) AND at BETWEEN ? AND ? AND name = 'a?'"
    )
    outer, inner = scopes(sql, "sqlite", COLUMNS)
    assert [branch[0].params for (branch,) in outer.terms] == [(), (2, 3), ()]
    assert inner.terms[0][0][0].params == (1,)


def test_the_order_is_read_where_it_is_one_of_columns():
    def order(text):
        return scopes(f"SELECT * FROM songs ORDER BY {text} LIMIT 5", "sqlite", COLUMNS)[0].order

    assert order("songs.at DESC NULLS LAST, lower(name)") == (
        Ordered("songs", "at", None, descending=True, nulls_first=False),
        Ordered("songs", "name", "lower", descending=False, nulls_first=None),
    )
    assert order("at, length(name)") == ()
    assert order("CASE WHEN at = ? THEN 0 ELSE 1 END") == ()


@pytest.mark.parametrize(
    ("sql", "stops"),
    [
        ("SELECT * FROM songs LIMIT 5", True),
        ("SELECT * FROM songs", False),
        ("SELECT count(*) FROM songs LIMIT 5", False),
        ("SELECT DISTINCT name FROM songs LIMIT 5", False),
        ("SELECT name FROM songs GROUP BY name LIMIT 5", False),
        ("SELECT * FROM songs JOIN artists ON artist_id = artists.id LIMIT 5", False),
        ("SELECT *, row_number() OVER (ORDER BY at) FROM songs LIMIT 5", False),
    ],
)
def test_it_is_known_what_stops_with_the_last_row_it_returns(sql, stops):
    assert scopes(sql, "sqlite", COLUMNS)[0].stops is stops


def test_rows_that_are_put_together_are_scopes_each():
    sql = "SELECT id FROM songs WHERE at = 1 UNION ALL SELECT id FROM artists WHERE name = 'a'"
    assert sorted(tables for scope in scopes(sql, "sqlite", COLUMNS) for tables in scope.tables) == ["artists", "songs"]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("select 1", "select"),
        ("WITH a AS (SELECT 1) DELETE FROM songs", "delete"),
        ("INSERT INTO songs SELECT * FROM songs", "insert"),
        ("/* SELECT */ UPDATE songs SET at = 1", "update"),
        ("COMMIT", ""),
    ],
)
def test_it_is_known_what_a_statement_does(sql, what):
    assert verb(sql, "sqlite") == what


def test_any_text_is_read_without_an_error():
    words = [
        "select",
        "from",
        "songs",
        "where",
        "(",
        ")",
        ",",
        "=",
        "<",
        "and",
        "or",
        "not",
        "in",
        "between",
        "?",
        "?1",
        "$1",
        ":a",
        "'b",
        '"',
        "name",
        "at",
        "order",
        "by",
        "limit",
        "union",
        "with",
        "on",
        "join",
        ".",
        "is",
        "null",
    ]
    given = random.Random(1)
    for _ in range(3_000):
        text = " ".join(given.choices(words, k=given.randint(1, 25)))
        scopes(text, given.choice(["sqlite", "postgresql"]), COLUMNS)
        verb(text, "sqlite")


@pytest.fixture
def planned():
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c INT); CREATE TABLE u (x INT);"
        "CREATE INDEX ab ON t (a, b); CREATE INDEX lowered ON t (lower(b));"
    )
    yield lambda sql: read_plan(connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall())
    connection.close()


@pytest.mark.parametrize(
    ("sql", "access"),
    [
        ("SELECT * FROM t", Access("t", 0, whole=True)),
        ("SELECT * FROM t AS T2 WHERE a = 1", Access("t2", 0, whole=False, index="ab", equal=1)),
        (
            "SELECT * FROM t WHERE a = 1 AND b > 1 AND b < 9",
            Access("t", 0, whole=False, index="ab", equal=1, ranged=True),
        ),
        ("SELECT * FROM t WHERE a IN (1, 2) AND b = 1", Access("t", 0, whole=False, index="ab", equal=2)),
        ("SELECT * FROM t WHERE lower(b) = 1", Access("t", 0, whole=False, index="lowered", equal=1)),
        ("SELECT * FROM t WHERE id = 1", Access("t", 0, whole=False, equal=1)),
        ("SELECT * FROM t WHERE id > 1", Access("t", 0, whole=False, ranged=True)),
        ("SELECT a, b FROM t", Access("t", 0, whole=True, index="ab")),
    ],
)
def test_how_a_table_is_read_is_told_from_its_plan(planned, sql, access):
    assert planned(sql).accesses == (access,)


def test_an_index_that_is_made_for_one_statement_takes_the_whole_table(planned):
    assert planned("SELECT * FROM u JOIN t ON t.c = u.x").accesses[1] == Access("t", 0, whole=True)


def test_a_sort_belongs_to_the_select_that_it_is_of(planned):
    assert planned("SELECT * FROM t ORDER BY c").sorted == {0}
    assert planned("SELECT * FROM t ORDER BY a, c").sorted == {0}
    assert planned("SELECT * FROM t ORDER BY a, b").sorted == set()
    inner = planned("SELECT (SELECT c FROM t WHERE a = x ORDER BY c LIMIT 1) FROM u")
    assert inner.sorted == {access.select for access in inner.accesses if access.name == "t"} != {0}
    either = planned("SELECT * FROM t WHERE a = 1 OR lower(b) = 2 ORDER BY c")
    assert {access.select for access in either.accesses} == either.sorted == {0}


def test_columns_that_are_passed_over_are_counted():
    access = read_plan([(1, 0, 0, "SEARCH t USING INDEX ab (ANY(a) AND b=? AND c>?)")]).accesses[0]
    assert access == Access("t", 0, whole=False, index="ab", skipped=1, equal=2, ranged=True)
