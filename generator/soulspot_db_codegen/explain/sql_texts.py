"""Queries in SQL as SQLite is to explain them."""

from collections.abc import Iterator, Mapping, Sequence

from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.sql_query import SqlQuery
from soulspot_db.language.sql_tokens import Token

from soulspot_db_codegen.explain.statements import Asked

__all__ = ["in_sql"]

# What stands before a table, and what stands after one that has no other name.
_BEFORE = frozenset({"from", "join", "update", "into", ","})
_AFTER = frozenset(
    {"as", "cross", "full", "group", "indexed", "inner", "join", "left", "limit", "natural", "not", "on"}
)
_CLAUSES = frozenset({"order", "right", "set", "union", "using", "values", "where", "window", "intersect", "except"})


def in_sql(sql: SqlQuery, tables: Mapping[str, EntitySpec]) -> Asked:
    """The statement for SQLite.

    Args:
        sql: the query.
        tables: the entities by the names of their tables.
    """
    statement = sql.statements["sqlite"]
    text = "".join(":given" if piece.kind == "param" else piece.text for piece in statement.pieces)
    return Asked(text, None, (), is_bare=False, stops=False, names=dict(_names(statement.marks, tables)))


def _names(marks: Sequence[Token], tables: Mapping[str, EntitySpec]) -> Iterator[tuple[str, EntitySpec]]:
    """The entities by what their tables are called in a statement, in lower case, as SQLite does not tell them apart by it."""
    ends = Token("space", "")
    for before, mark, after, last in zip(
        [ends, *marks], marks, [*marks[1:], ends], [*marks[2:], ends, ends], strict=False
    ):
        entity = tables.get(mark.name)
        if entity is None or (before.word or before.text) not in _BEFORE:
            continue
        if after.word == "as":
            yield last.name.lower(), entity
        else:
            name = after.name if after.name and after.word not in _AFTER | _CLAUSES else mark.name
            yield name.lower(), entity
