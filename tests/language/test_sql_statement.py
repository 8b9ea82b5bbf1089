"""What is read of an SQL statement without asking a database."""

import pytest
from soulspot_db.language.conditions import DIALECTS
from soulspot_db.language.sql_clock import is_timed
from soulspot_db.language.sql_statement import read_statement


def read(text, dialect="sqlite"):
    return read_statement(text, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_statement_is_one_line_without_comments(dialect):
    text = "SELECT a, -- the first\n  'x -- y\nz' AS b /* and\n more */ FROM t ;\n"
    assert str(read(text, dialect)) == "SELECT a, 'x -- y\nz' AS b FROM t"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('SELECT a, t.b, c + 1 AS d, (SELECT e FROM u) AS "f" FROM t', ("a", "b", "d", "f")),
        ("WITH x AS (SELECT a, b FROM t) SELECT x.a AS c FROM x", ("c",)),
        ("SELECT DISTINCT a FROM t UNION SELECT b FROM u", ("a",)),
        ("SELECT t.* FROM t", ("*",)),
        ("SELECT count(*) FROM t", ("",)),
        ("SELECT a AND b, CASE a WHEN 1 THEN 2 END FROM t", ("", "")),
        ("SELECT coalesce(a, b) AS c, max(d) OVER (ORDER BY e, f) AS g FROM t", ("c", "g")),
    ],
)
def test_what_is_selected_has_names(text, names):
    assert read(text).selected == names


def test_what_is_selected_of_each_first_row_has_names():
    assert read("SELECT DISTINCT ON (a, b) a, c AS d FROM t", "postgresql").selected == ("a", "d")


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("SELECT * FROM t", 'SELECT "a", "b" FROM t'),
        ("SELECT x.* FROM t AS x", 'SELECT x."a", x."b" FROM t AS x'),
        ("SELECT DISTINCT t.* FROM t WHERE a * 2 > 1", 'SELECT DISTINCT t."a", t."b" FROM t WHERE a * 2 > 1'),
        ("SELECT count(*) AS n, a FROM t", "SELECT count(*) AS n, a FROM t"),
        ("WITH u AS (SELECT * FROM t) SELECT u.* FROM u", 'WITH u AS (SELECT * FROM t) SELECT u."a", u."b" FROM u'),
    ],
)
def test_a_star_becomes_the_columns(text, expanded):
    assert str(read(text).expanded(["a", "b"])) == expanded


@pytest.mark.parametrize(
    ("text", "target", "has_where"),
    [
        ("UPDATE t SET a = 1", ("t", "t"), False),
        ('UPDATE "t" AS x SET a = 1 WHERE b = 2', ("t", "x"), True),
        ("UPDATE t x SET a = (SELECT 1 WHERE 2 = 3)", ("t", "x"), False),
        ("DELETE FROM t", ("t", "t"), False),
        ("WITH x AS (SELECT 1 WHERE 1) DELETE FROM t AS u WHERE a IN (SELECT * FROM x)", ("t", "u"), True),
        ("INSERT INTO t (a) VALUES (1)", ("t", "t"), False),
    ],
)
def test_a_write_has_a_target_and_may_have_a_condition(text, target, has_where):
    statement = read(text)
    assert (statement.target, statement.has_where) == (target, has_where)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('INSERT INTO t (a, "b") SELECT c, (d) FROM u', ("a", "b")),
        ("INSERT INTO t SELECT c, (d) FROM u", None),
        ("INSERT INTO t AS x (a) VALUES (1)", ("a",)),
    ],
)
def test_an_insert_names_its_columns(text, columns):
    assert read(text).inserted == columns


@pytest.mark.parametrize(
    ("text", "is_one_number"),
    [
        ("SELECT count(*) FROM t WHERE a > 1", True),
        ("WITH x AS (SELECT a FROM t GROUP BY a) SELECT count(DISTINCT a) AS n FROM x", True),
        ("SELECT count(*) FROM t GROUP BY a", False),
        ("SELECT count(*) OVER () FROM t", False),
        ("SELECT count(*) FROM t LIMIT 0", False),
        ("SELECT count(*), a FROM t", False),
        ("SELECT max(a) FROM t", False),
        ("SELECT count(*) FROM t UNION SELECT 2", False),
        ("SELECT count(*) FILTER (WHERE a > 1) AS n FROM t", True),
        ("SELECT count(*) n FROM t", True),
        ("SELECT count(*) || ' tracks' FROM t", False),
        ("SELECT count(*) * 1.5 AS n FROM t", False),
        ("SELECT count(*) > 5 FROM t", False),
    ],
)
def test_a_count_is_one_number(text, is_one_number):
    assert read(text).counts is is_one_number


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("SELECT a FROM t WHERE b < CURRENT_TIMESTAMP", "sqlite"),
        ("SELECT a FROM t WHERE b < datetime('NOW', '-1 day')", "sqlite"),
        ("SELECT a FROM t WHERE b < date()", "sqlite"),
        ("SELECT a FROM t WHERE b < strftime('%s')", "sqlite"),
        ("SELECT a FROM t ORDER BY random()", "sqlite"),
        ("SELECT a FROM t WHERE b < now()", "postgresql"),
        ("SELECT a FROM t WHERE b < 'today'::date", "postgresql"),
        ("SELECT a FROM t WHERE b < clock_timestamp()", "postgresql"),
        ("SELECT a FROM t WHERE pg_is_in_recovery()", "postgresql"),
        ('SELECT a FROM t ORDER BY "random"()', "sqlite"),
        ('SELECT a FROM t WHERE b < "datetime"()', "sqlite"),
        ('SELECT a FROM t WHERE b < "now"()', "postgresql"),
        ("SELECT a FROM t WHERE b < 'today 10:00'::timestamp", "postgresql"),
        ("SELECT a FROM t WHERE b < $$now$$::timestamp", "postgresql"),
        ("SELECT a FROM t WHERE b = $of$ Now $of$::timestamp", "postgresql"),
        ("SELECT a FROM t WHERE b = user", "postgresql"),
        ("SELECT a FROM t WHERE b = current_role", "postgresql"),
        ("SELECT a FROM t WHERE b = txid_current()", "postgresql"),
    ],
)
def test_what_depends_on_the_clock_or_on_chance_is_told(text, dialect):
    assert is_timed(read(text, dialect))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t WHERE b < :now",
        "SELECT date FROM t WHERE time > 'noon'",
        "SELECT a FROM t WHERE strftime('%s', b) < strftime('%s', date(c, max(d, 'e')))",
        "SELECT a FROM t WHERE datetime(b) < 'now and then'",
        'SELECT "random", user FROM t',
    ],
)
def test_what_depends_on_the_rows_alone_is_not(text):
    assert not is_timed(read(text))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('UPDATE t SET a = 1, "b" = f(c, d), e = (SELECT g FROM u WHERE h = 1, 2) WHERE i = 3', ("a", "b", "e")),
        ("UPDATE t AS x SET (a, b) = (SELECT c, d FROM u), e = 1 FROM v WHERE x.f = 2", ("a", "b", "e")),
        ("WITH s AS (SELECT 1 AS a) UPDATE t SET b = (SELECT a FROM s)", ("b",)),
        ("SELECT a FROM t", ()),
    ],
)
def test_an_update_sets_columns(text, columns):
    assert read(text).assigned == columns


@pytest.mark.parametrize(
    ("text", "has_one"),
    [
        ("SELECT * FROM t UNION SELECT a, b FROM u", False),
        ("SELECT a, b FROM t UNION SELECT * FROM u", True),
        ("SELECT * FROM t WHERE a = 1 UNION ALL SELECT * FROM t WHERE a = 2", True),
        ("SELECT a FROM t EXCEPT SELECT u.* FROM u", True),
        ("SELECT a FROM t EXCEPT SELECT a, b * 2 FROM u", False),
        ("SELECT * FROM t WHERE a IN (SELECT count(*) FROM t UNION SELECT 2)", False),
        ("SELECT a FROM (SELECT * FROM t UNION SELECT b, a FROM t)", True),
    ],
)
def test_a_star_in_rows_that_are_put_together_is_told(text, has_one):
    assert read(text).has_late_star is has_one
