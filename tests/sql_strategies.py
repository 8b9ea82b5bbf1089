"""SQL for tests of the generator: pieces of statements, which together are one now and then."""

from hypothesis import strategies as st

__all__ = ["SQL", "STATEMENT", "likely_queries"]

SQL_PIECES = (
    *(
        "SELECT",
        "*",
        "id",
        "m_things.*",
        "name AS a",
        "count(*)",
        ",",
        "FROM m_things",
        "t",
        "AS",
        "JOIN m_things",
        "ON",
    ),
    *(
        "LEFT JOIN",
        "WHERE",
        "id = :a",
        "(",
        ")",
        "(SELECT id FROM m_things)",
        "UNION",
        "WITH x AS (SELECT 1)",
        "x",
        "GROUP BY",
    ),
    *(
        "UPDATE m_things",
        "SET",
        "name = 'x'",
        "DELETE FROM",
        "INSERT INTO",
        "m_things",
        "(name)",
        "VALUES",
        "RETURNING",
        "OR",
    ),
    *(
        ";",
        "'",
        '"',
        "--",
        "/*",
        "*/",
        "::text",
        "?",
        "$1",
        "$$",
        ":a",
        "max(id)",
        "DISTINCT",
        "ON (id)",
        "DEFAULT",
        "FILTER",
    ),
    *("LIMIT 1", "date()", "IN", "date(", "FOR UPDATE", "ON CONFLICT DO NOTHING", "sum(", "OVER"),
)
SQL = st.lists(st.sampled_from(SQL_PIECES), max_size=8).map(" ".join) | st.text(max_size=20)
STATEMENT = st.tuples(
    st.sampled_from(["SELECT * FROM m_things", "SELECT id FROM m_things", "DELETE FROM m_things WHERE id = :a"]), SQL
).map(" ".join)

# Beginnings with what they return, and ends, of which many fit.
_BEGINNINGS = (
    ("SELECT * FROM m_things t", "many"),
    ("SELECT t.* FROM m_things t", "one"),
    ("SELECT id, name AS a FROM m_things t", "rows"),
    ("SELECT size + 1 AS a FROM m_things t", "column"),
    ("WITH x AS (SELECT * FROM m_things) SELECT x.size * 2 AS a FROM x JOIN m_things t ON t.id = x.id", "column"),
    ("SELECT count(*) FROM m_things t", "count"),
    ("DELETE FROM m_things AS t", "exec"),
    ("UPDATE m_things AS t SET name = 'x', size = size + 1", "many"),
    ("WITH x AS (SELECT 1) UPDATE m_things AS t SET size = (SELECT * FROM x)", "exec"),
    ("INSERT INTO m_things (id) SELECT t.id || 'x' FROM m_things t", "exec"),
)
_ENDS = (
    *(
        "WHERE t.id = :a",
        "WHERE t.id IN (SELECT id FROM m_things WHERE name = :a)",
        "WHERE t.name = ':a'",
        "ORDER BY 1",
    ),
    *(
        "LEFT JOIN m_things u ON u.id = t.id",
        "LIMIT 1",
        "/* :a ' */",
        "-- :a\n",
        "-- :a",
        ";",
        "; DELETE FROM m_things",
    ),
    *(
        'WHERE t."name" = :a',
        "WHERE t.[name] = 'x'",
        "WHERE date() > t.name",
        "GROUP BY t.id",
        "RETURNING t.id",
        "WHERE true",
    ),
    *(
        "ON CONFLICT DO NOTHING",
        "UNION SELECT 1",
        "WHERE EXISTS (SELECT :a FROM m_things)",
        "FROM m_things u",
        "AND t.size > 1",
    ),
)


@st.composite
def likely_queries(draw):
    """The keys of a query that is right now and then."""
    sql, returns = draw(st.sampled_from(_BEGINNINGS))
    sql = " ".join([sql, *draw(st.lists(st.sampled_from(_ENDS), max_size=3))])
    params = {"a": {"type": "text"}} if draw(st.booleans()) else {}
    columns = {"a": {"type": "integer", "nullable": True}} if returns == "column" else {}
    return {"sql": sql, "returns": returns, "params": params, "columns": columns, "all_rows": draw(st.booleans())}
