"""Which values that a SELECT selects may be null: never one too few."""

import pytest
from soulspot_db.language.sql_statement import read_statement
from soulspot_db_codegen.sql_nulls import may_lack_rows


def lacking(text):
    """The tables of which the first value that is selected may lack a row."""
    statement = read_statement(text, "sqlite")
    return {table for table in "tuv" if may_lack_rows(statement, 0, table)}


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT a FROM t JOIN u ON t.b = u.b", ""),
        ('SELECT a FROM t LEFT JOIN u ON t.b = u.b LEFT OUTER JOIN "V" ON 1', "uv"),
        ("SELECT a, left(b, 2) AS c FROM t", ""),
        ("SELECT a FROM t LEFT JOIN (u JOIN v ON 1) ON 1", "tuv"),
        ("SELECT a FROM t LEFT JOIN main.u ON 1", "tuv"),
        ("SELECT a FROM t RIGHT JOIN u ON 1", "tuv"),
        ("SELECT a FROM t LEFT NATURAL JOIN u", "tuv"),
        ("SELECT a FROM t NATURAL LEFT JOIN u", "u"),
        ("SELECT a FROM t FULL OUTER JOIN u ON 1", "tuv"),
        ("SELECT a FROM t WHERE b IN (SELECT b FROM u LEFT JOIN v ON 1) AND EXISTS (SELECT max(c) FROM v)", ""),
        ("SELECT t.a AS b FROM t WHERE b IN (VALUES (1))", ""),
        ("SELECT (SELECT a FROM t LIMIT 1) AS a FROM u", "tuv"),
        ("SELECT a, (SELECT max(b) FROM u) AS c FROM t", ""),
        ("SELECT a FROM (SELECT a FROM t LEFT JOIN u ON 1) AS x", "tuv"),
        ("SELECT x.a FROM v JOIN (SELECT a FROM t) AS x ON 1", "tuv"),
        ("SELECT a FROM t JOIN u ON u.b IN (SELECT 1)", "tuv"),
        ("WITH x AS (SELECT a FROM t) SELECT a FROM x", "tuv"),
        ("SELECT a, max(b) AS b FROM t", "tuv"),
        ("SELECT a, count(*) AS b FROM t", "tuv"),
        ("SELECT a, max(b) AS b FROM t GROUP BY a", ""),
        ("SELECT a, sum(b) OVER (ORDER BY a) AS b FROM t", ""),
        ("SELECT a, sum(b) FILTER (WHERE c > (1)) OVER w AS b FROM t WINDOW w AS ()", ""),
        ("SELECT a, sum(b) FILTER (WHERE c > (1)) AS b FROM t", "tuv"),
        ("SELECT a, now() AS b FROM t JOIN f() ON 1", ""),
    ],
)
def test_a_value_may_be_null_where_a_row_may_be_missing(text, tables):
    assert lacking(text) == set(tables)
